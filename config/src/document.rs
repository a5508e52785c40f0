//! The file as a small tree that remembers where everything stands.

use std::borrow::Cow;
use std::ops::Range;

/// One attribute as it is written.
#[derive(Debug)]
pub(crate) struct Attribute<'a> {
    pub(crate) name: &'a str,
    pub(crate) name_span: Range<usize>,
    /// The value with its references resolved.
    pub(crate) value: Cow<'a, str>,
    /// The value without its quotes.
    pub(crate) value_span: Range<usize>,
}

impl Attribute<'_> {
    /// Where to point at for something that is wrong with the value: the value, or all of `name=""` when it is blank.
    pub(crate) fn place(&self) -> Range<usize> {
        if self.value.trim().is_empty() {
            self.name_span.start..self.value_span.end + 1
        } else {
            self.value_span.clone()
        }
    }
}

/// One element with everything inside it.
#[derive(Debug)]
pub(crate) struct Element<'a> {
    pub(crate) name: &'a str,
    pub(crate) name_span: Range<usize>,
    pub(crate) attributes: Vec<Attribute<'a>>,
    pub(crate) children: Vec<Self>,
    /// The first text inside it that is not blank.
    pub(crate) text: Option<Range<usize>>,
    /// True when its tag could not be read completely: nothing may be called missing then.
    pub(crate) damaged: bool,
}

impl<'a> Element<'a> {
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    pub(crate) fn children_named<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Element<'a>> {
        self.children.iter().filter(move |child| child.is(name))
    }
}

/// A whole file.
#[derive(Debug, Default)]
pub(crate) struct Document<'a> {
    pub(crate) root: Option<Element<'a>>,
    /// True when tags do not fit together: what seems to be missing may only have been misplaced.
    pub(crate) broken: bool,
}

//! Reading of parts that may be of any type, without keeping what is not wanted.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The longest text that is kept, in bytes.
const LONGEST: usize = 4_096;

/// What stands in an object's place and is none is read over.
macro_rules! read_over {
    ($none:expr) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("anything")
        }
        fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok($none)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok($none)
        }
    };
}

/// A text; none where something else stands, or when it is longer than 4,096 bytes.
#[derive(Default)]
pub(super) struct Text(pub(super) Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Text;
            read_over!(Text(None));
            fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text((text.len() <= LONGEST).then(|| text.to_owned())))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Text(None))
            }
        }
        from.deserialize_any(Any)
    }
}

/// Something that is read from an object, member by member.
pub(super) trait Members<'de>: Default {
    /// Reads the value of this member, whatever it is.
    fn member<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

/// An object; where something else stands it is as one without members.
pub(super) fn object<'de, M: Members<'de>, D: Deserializer<'de>>(from: D) -> Result<M, D::Error> {
    struct Any<M>(PhantomData<M>);
    impl<'de, M: Members<'de>> Visitor<'de> for Any<M> {
        type Value = M;
        read_over!(M::default());
        fn visit_str<E: Error>(self, _: &str) -> Result<M, E> {
            Ok(M::default())
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<M, A::Error> {
            let mut members = M::default();
            while let Some(key) = map.next_key::<String>()? {
                members.member(&key, &mut map)?;
            }
            Ok(members)
        }
    }
    from.deserialize_any(Any(PhantomData))
}

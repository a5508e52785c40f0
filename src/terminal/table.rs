//! Tables that fit the terminal, and the same rows for a pipe.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell as Shown, Color, Table as Grid};
use presence_core::log_text::Safe;

use super::screen::{Screen, Tone, cut, shortened};

/// Spaces between two columns.
const GAP: usize = 2;
/// The first column is made this narrow before another one is left out.
const FIRST_COLUMN: usize = 30;

/// What stands in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A text of the other side or of ours.
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Self::toned(text, Tone::Plain)
    }

    /// The same in a tone.
    pub(crate) fn toned(text: impl AsRef<str>, tone: Tone) -> Self {
        Self { text: Safe(text.as_ref()).to_string(), tone }
    }
}

/// One column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: &'static str,
    /// Columns with the highest number are left out first on a narrow terminal; 0 stays.
    pub(crate) rank: u8,
    /// Longer texts lose their end.
    pub(crate) longest: usize,
}

/// Rows under names. The first column holds URIs or names, which lose their middle when there is no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// The columns, from the left.
    pub(crate) columns: Vec<Column>,
    /// As many cells as columns each.
    pub(crate) rows: Vec<Vec<Cell>>,
}

impl Table {
    /// For a terminal that is `width` columns wide. Columns without any text are left out, then those that do not fit.
    pub(crate) fn text(mut self, width: usize, screen: &Screen) -> String {
        for row in &mut self.rows {
            for (cell, column) in row.iter_mut().zip(&self.columns).skip(1) {
                cell.text = cut(&cell.text, column.longest);
            }
        }
        self.keep(|_, column, width| column.rank == 0 || width > 0);
        while self.least_width() > width {
            let Some(last) = self.columns.iter().map(|column| column.rank).max().filter(|rank| *rank > 0) else {
                break;
            };
            self.keep(|_, column, _| column.rank != last);
        }
        let first = width.saturating_sub(self.others_width()).max(1);
        for cell in self.rows.iter_mut().filter_map(|row| row.first_mut()) {
            cell.text = shortened(&cell.text, first);
        }
        self.grid(screen)
    }

    fn grid(self, screen: &Screen) -> String {
        let mut grid = Grid::new();
        grid.load_style(NOTHING).force_no_tty();
        if screen.color {
            grid.enforce_styling();
        }
        let header = self.columns.iter().map(|column| Shown::new(column.name).add_attribute(Attribute::Bold));
        grid.set_header(header.collect::<Vec<_>>());
        for row in self.rows {
            grid.add_row(row.into_iter().map(shown).collect::<Vec<_>>());
        }
        for column in grid.column_iter_mut() {
            column.set_padding((0, GAP as u16));
        }
        let lines: Vec<String> = grid.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
        lines.concat()
    }

    fn keep(&mut self, keep: impl Fn(usize, &Column, usize) -> bool) {
        let kept: Vec<bool> =
            self.columns.iter().enumerate().map(|(at, column)| at == 0 || keep(at, column, self.content(at))).collect();
        let mut these = kept.iter();
        self.columns.retain(|_| these.next() == Some(&true));
        for row in &mut self.rows {
            let mut these = kept.iter();
            row.retain(|_| these.next() == Some(&true));
        }
    }

    /// How wide the texts of a column are, its name left aside.
    fn content(&self, at: usize) -> usize {
        self.rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.text.chars().count()).max().unwrap_or(0)
    }

    fn width_of(&self, at: usize) -> usize {
        self.content(at).max(self.columns[at].name.chars().count())
    }

    /// All columns but the first, with the gaps.
    fn others_width(&self) -> usize {
        (1..self.columns.len()).map(|at| GAP + self.width_of(at)).sum()
    }

    fn least_width(&self) -> usize {
        self.width_of(0).min(FIRST_COLUMN) + self.others_width()
    }
}

fn shown(cell: Cell) -> Shown {
    let shown = Shown::new_owned(cell.text);
    match cell.tone {
        Tone::Plain => shown,
        Tone::Strong => shown.add_attribute(Attribute::Bold),
        Tone::Good => shown.fg(Color::DarkGreen),
        Tone::Doubtful => shown.fg(Color::DarkYellow),
        Tone::Bad => shown.fg(Color::DarkRed),
        Tone::Faint => shown.add_attribute(Attribute::Dim),
    }
}

/// One record for a pipe: its fields with tabs between them, `-` where there is nothing.
pub(crate) fn record<T: AsRef<str>>(fields: impl IntoIterator<Item = T>) -> String {
    let fields: Vec<String> = fields
        .into_iter()
        .map(|field| match field.as_ref() {
            "" => "-".to_owned(),
            text => Safe(text).to_string(),
        })
        .collect();
    fields.join("\t") + "\n"
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn table() -> Table {
        let column = |name, rank| Column { name, rank, longest: 12 };
        let row = |uri: &str, rest: [&str; 3]| std::iter::once(uri).chain(rest).map(Cell::new).collect::<Vec<_>>();
        Table {
            columns: vec![column("AGENT", 0), column("PRESENCE", 0), column("RETRY", 2), column("QUEUES", 1)],
            rows: vec![
                row("sip:somebody.with.a.long.name@domain.example.com", ["Busy", "", "sales"]),
                row("tel:+31612345678", ["Online", "", "support, emergency"]),
            ],
        }
    }

    fn text(width: usize) -> String {
        table().text(width, &Screen { width: Some(width), color: false, zone: TimeZone::UTC })
    }

    #[test]
    fn a_table_fits_and_says_nothing_of_what_nobody_has() {
        insta::assert_snapshot!(text(80), @"
        AGENT                                             PRESENCE  QUEUES
        sip:somebody.with.a.long.name@domain.example.com  Busy      sales
        tel:+31612345678                                  Online    support, em…
        ");
    }

    #[test]
    fn on_a_narrow_terminal_uris_lose_their_middle_and_then_columns_go() {
        insta::assert_snapshot!(text(60), @"
        AGENT                                 PRESENCE  QUEUES
        sip:somebody.wit…@domain.example.com  Busy      sales
        tel:+31612345678                      Online    support, em…
        ");
        insta::assert_snapshot!(text(40), @"
        AGENT                           PRESENCE
        sip:somebo…@domain.example.com  Busy
        tel:+31612345678                Online
        ");
        for width in 40..100 {
            assert!(text(width).lines().all(|line| line.chars().count() <= width), "{width}");
        }
    }

    #[test]
    fn a_record_has_all_its_fields_and_no_more_tabs() {
        assert_eq!(record(["a", "", "b\tc\u{1b}"]), "a\t-\tb\\tc\\u{1b}\n");
    }
}

//! Of what operators may rightly be told with an ERROR line.

use std::time::{Duration, Instant};

/// So long after a fault its answer may be under way.
const ECHO: Duration = Duration::from_secs(40);

#[derive(Default)]
pub(crate) struct Announced {
    /// What the line says, how often at most, and until when.
    all: Vec<(String, u32, Option<Instant>)>,
}

impl Announced {
    /// Lines that say this may come, so many and until it is healed.
    pub(crate) fn expect(&mut self, says: &str, lines: u32) {
        self.all.push((says.to_owned(), lines, None));
    }

    pub(crate) fn healed(&mut self, now: Instant) {
        self.all.iter_mut().for_each(|(_, _, until)| *until = until.or(Some(now + ECHO)));
    }

    /// Whether this line was announced; it is used up then.
    pub(crate) fn explain(&mut self, now: Instant, line: &str) -> bool {
        self.all.retain(|(_, lines, until)| *lines > 0 && until.is_none_or(|until| now < until));
        let found = self.all.iter_mut().find(|(says, ..)| line.contains(says.as_str()));
        found.map(|(_, lines, _)| *lines -= 1).is_some()
    }
}

#[test]
fn a_line_is_announced_as_often_as_it_was_said_and_until_it_is_healed() {
    let now = presence_actors::now();
    let mut announced = Announced::default();
    assert!(!announced.explain(now, "it died of a bug"));
    announced.expect("died of a bug", 1);
    announced.expect("failure=404", 100);
    assert!(announced.explain(now, "it died of a bug") && !announced.explain(now, "it died of a bug"));
    announced.healed(now);
    assert!(announced.explain(now, "failure=404 Not Found") && !announced.explain(now + ECHO, "failure=404 Not Found"));
}

//! Any interleaving of writes, reads, lags and returns.

use std::collections::BTreeMap;

use presence_simulator::Dice;

use super::*;

/// What one reader has made of what it read.
#[derive(Debug, Default)]
struct Reader {
    cursor: Option<Cursor>,
    /// Of each agent the number of its last change; 0 while it is pending.
    known: BTreeMap<AgentUri, u64>,
    last_id: Option<u64>,
    /// Agents that may be told anew, since the reader has lagged or come for the first time.
    renewed: bool,
    lags: usize,
}

impl Reader {
    /// Reads some; fails when anything is missing, comes twice or goes backwards.
    fn read(&mut self, feed: &mut Feed, limit: usize, story: &str) -> usize {
        let cursor = self.cursor.get_or_insert_with(|| {
            let id = self.last_id.map(|number| Ok(EventId { epoch: 7, number }));
            if id.is_none() {
                self.known.clear();
                self.renewed = true;
            }
            Cursor::begin(feed, id)
        });
        let mut read = Vec::new();
        feed.read(cursor, limit, &mut read);
        // At most one more than the limit: `lagged`.
        assert!(read.len() <= limit + 1, "{story}");
        for delivery in &read {
            self.take(&delivery.event, story);
            if let Some(number) = delivery.number {
                assert!(self.last_id.is_none_or(|last| last <= number), "{story}: ids go backwards");
                self.last_id = Some(number);
                self.renewed = false;
            }
        }
        read.len()
    }

    fn take(&mut self, event: &Happening, story: &str) {
        let text = short(event);
        match event {
            Happening::Lagged(missed) => {
                assert_ne!(*missed, Some(0), "{story}");
                self.renewed = true;
                self.lags += 1;
            }
            Happening::Released(uri) => {
                self.known.remove(uri);
            }
            Happening::Told(PresenceEvent::Changed(change)) => {
                let before = self.known.insert(change.uri.clone(), change.sequence);
                assert_eq!(before, Some(change.sequence - 1), "{story}: {text} after {before:?}");
            }
            Happening::Told(PresenceEvent::Pending { uri }) => {
                let before = self.known.insert(uri.clone(), 0);
                assert!(before.is_none() || (self.renewed && before == Some(0)), "{story}: {text} after {before:?}");
            }
            Happening::Told(PresenceEvent::Current { uri, sequence, .. }) => {
                let before = self.known.insert(uri.clone(), *sequence);
                let goes_on = before.is_none_or(|before| self.renewed && before <= *sequence);
                assert!(goes_on, "{story}: {text} after {before:?}");
            }
            other => panic!("{story}: nobody wrote {other:?}"),
        }
    }
}

/// One day of a queue with some readers, each at its own pace.
fn day(seed: u64) -> usize {
    let mut dice = Dice::new(seed);
    let capacity = [1, 4, 16, 200][dice.below(4) as usize];
    let agents = 1 + dice.below(30) as usize;
    let mut feed = Feed::new(7, capacity);
    // The number of each agent's last change at its source goes on while the queue does not want it.
    let mut changes = vec![0_u64; agents];
    let mut asked = vec![false; agents];
    let mut readers: Vec<_> = (0..4).map(|_| Reader::default()).collect();
    for step in 0..600 {
        let story = format!("seed {seed}, step {step}, capacity {capacity}");
        let agent = dice.below(agents as u64) as usize;
        match dice.below(20) {
            0 => asked[agent] |= feed.want(&uri(agent)),
            1 => {
                feed.release(&uri(agent));
                asked[agent] = false;
            }
            2..=4 if asked[agent] => {
                asked[agent] = false;
                let now = start();
                assert!(feed.tell(match changes[agent] {
                    0 => pending(agent),
                    sequence => PresenceEvent::Current { uri: uri(agent), presence: presence(sequence, now), sequence },
                }));
            }
            5..=11 => {
                changes[agent] += 1;
                let taken = feed.tell(changed(agent, changes[agent]));
                assert_eq!(taken, feed.wants(&uri(agent)) && !asked[agent], "{story}");
            }
            12..=17 => {
                let limit = 1 + dice.below(9) as usize;
                // The last reader reads seldom.
                let reader = dice.below(13).min(12) as usize / 4;
                readers[reader].read(&mut feed, limit, &story);
            }
            18 => readers[dice.below(4) as usize].cursor = None,
            _ => {}
        }
    }
    for reader in &mut readers {
        while reader.read(&mut feed, 5, &format!("seed {seed}, at the end")) > 0 {}
        let known: BTreeMap<_, _> = feed
            .agents()
            .filter_map(|(uri, what)| match what {
                Knowledge::Pending => Some((uri.clone(), 0)),
                Knowledge::Current(_, sequence) => Some((uri.clone(), *sequence)),
                _ => None,
            })
            .collect();
        let unanswered =
            asked.iter().enumerate().filter(|(_, asked)| **asked).map(|(agent, _)| uri(agent)).collect::<Vec<_>>();
        // Of an agent that was asked for again nothing is known until it is answered.
        reader.known.retain(|uri, _| !unanswered.contains(uri));
        assert_eq!(reader.known, known, "seed {seed}: {reader:?}");
    }
    readers.iter().map(|reader| reader.lags).sum()
}

#[test]
fn whatever_the_interleaving_nothing_is_missing_nothing_comes_twice_and_nothing_goes_backwards() {
    let lags: usize = (0..500).map(day).sum();
    assert!(lags > 500, "the readers hardly ever lag: {lags}");
}

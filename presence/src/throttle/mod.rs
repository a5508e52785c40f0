//! The pace at which agents are put on the wire.

mod order;
mod pace;
mod resume;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

pub use order::{OldestFirst, Order};
use pace::Pace;

/// What a token is wanted for, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenClass {
    /// A refresh: without it a living subscription dies.
    Refresh,
    /// The end of a subscription that nobody wants.
    Release,
    /// A new subscription.
    New,
    /// Another attempt after a failure.
    Retry,
    /// A one-shot query that compares what the server says with what we hold.
    Sample,
}

impl TokenClass {
    /// All classes, the most urgent first.
    pub const ALL: [Self; 5] = [Self::Refresh, Self::Release, Self::New, Self::Retry, Self::Sample];
}

/// How long a token may be on its way to the wire before it is taken for sent or lost.
const PATIENCE: Duration = Duration::from_secs(1);

/// Grants tokens at a configured rate, so that no sliding window of one second ever holds more than that.
///
/// ```text
///             request                     the pace allows it                           sent, or 1 s
///  (nothing) ----------> waiting, by class --------------------> granted --poll_granted--> on its way ----> (nothing)
///                            |  cancel
///                            +----------> (nothing)
/// ```
///
/// It is the generic cell rate algorithm (ITU-T I.371) with a burst of one: after every grant the next is due
/// 1.010 s / rate later, and time that passes unused is not saved up. Above 200 per second it may run ahead by 5 ms
/// worth of tokens. A less urgent class waits until the more urgent ones are empty; within a class it is the [`Order`]
/// that decides, the oldest request first unless another one was given. A late timer makes the pace slower, never a burst.
///
/// The rate is promised on the wire, not at the grant: a token that waits behind other work in a busy process must not
/// meet the ones granted after it there. So whoever spends or drops a token says so by [`Throttle::sent`]; the pace goes on
/// from that moment, and until then no more tokens are on their way than may reach the wire together.
///
/// The configured rate is what the pool stands on a good day. [`Throttle::congested`] lowers it to seven tenths and holds
/// everything for half a second; [`Throttle::relieved`] raises it again by a 300th of the configured rate for every agent
/// that the pool has accepted, up to the configured rate and never above. However congested the pool is, one token is
/// granted every 5 s, because only an agent that is accepted can show that it has recovered.
///
/// After [`Throttle::request`], [`Throttle::cancel`], [`Throttle::sent`] and [`Throttle::handle_timeout`] drain
/// [`Throttle::poll_granted`], then arm one timer at [`Throttle::poll_timeout`].
#[derive(Clone, Debug)]
pub struct Throttle<K, O = OldestFirst<K>> {
    pace: Pace,
    /// When the next token is due by the pace; `None` before the first grant.
    due: Option<Instant>,
    waiting: O,
    places: BTreeMap<K, (TokenClass, u64)>,
    granted: VecDeque<K>,
    /// When each token was granted that is not known to have been sent.
    on_its_way: VecDeque<Instant>,
    next_place: u64,
}

impl<K: Ord + Clone> Throttle<K> {
    /// A throttle that grants at most this many tokens in any second (MaxPresenceSubscriptionsPerSecond), the oldest request
    /// of a class first.
    #[must_use]
    pub fn new(per_second: NonZeroU32) -> Self {
        Self::with_order(per_second, OldestFirst::default())
    }
}

impl<K: Ord + Clone, O: Order<K>> Throttle<K, O> {
    /// A throttle that grants at most this many tokens in any second, in this order.
    #[must_use]
    pub fn with_order(per_second: NonZeroU32, order: O) -> Self {
        Self {
            pace: Pace::new(per_second),
            on_its_way: VecDeque::new(),
            due: None,
            waiting: order,
            places: BTreeMap::new(),
            granted: VecDeque::new(),
            next_place: 0,
        }
    }

    /// Asks for a token. A request that waits already keeps its place, or moves to the more urgent class.
    pub fn request(&mut self, now: Instant, key: K, class: TokenClass) {
        match self.places.get(&key) {
            Some(&(waits_in, _)) if waits_in <= class => {}
            Some(&(waits_in, number)) => {
                self.waiting.take(now, waits_in, number, &key);
                self.enqueue(now, key, class);
            }
            None => self.enqueue(now, key, class),
        }
        self.grant(now);
    }

    /// Takes a request back; a token that was granted and not yet polled is gone with it. False when the key is
    /// not known, because its token was handed out already or it never asked.
    pub fn cancel(&mut self, now: Instant, key: &K) -> bool {
        let place = self.places.remove(key);
        let was_waiting = place.is_some_and(|(class, number)| self.waiting.take(now, class, number, key));
        let was_granted = self.granted.iter().position(|granted| granted == key).map(|at| self.granted.remove(at));
        if was_granted.is_some() {
            self.on_its_way.pop_back();
            self.waiting.returned(now, key);
        }
        self.grant(now);
        was_waiting || was_granted.is_some()
    }

    /// A token that was polled has reached the wire, or will not be used.
    pub fn sent(&mut self, now: Instant) {
        self.arrived(now);
        self.grant(now);
    }

    /// The pool could not keep up: it said 503, or did not answer in time. What is said again within half a second is
    /// about the same congestion and changes nothing.
    pub fn congested(&mut self, now: Instant) {
        self.pace.lower(now);
    }

    /// The pool has accepted this many agents.
    pub fn relieved(&mut self, now: Instant, agents: u32) {
        self.pace.raise(agents);
        self.grant(now);
    }

    /// How many tokens per second are granted at most at present: the configured rate, or less while the pool is congested.
    #[must_use]
    pub const fn rate(&self) -> f64 {
        self.pace.rate()
    }

    /// How many tokens per second are granted at most when the pool keeps up.
    #[must_use]
    pub const fn configured_rate(&self) -> NonZeroU32 {
        self.pace.configured()
    }

    /// True while the rate is lower than the configured one.
    #[must_use]
    pub const fn is_lowered(&self) -> bool {
        self.pace.is_lowered()
    }

    /// Grants what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while self.on_its_way.front().is_some_and(|granted| *granted + PATIENCE <= now) {
            self.arrived(now);
        }
        self.grant(now);
    }

    /// The oldest token that is on its way arrives now, and the others not before.
    fn arrived(&mut self, now: Instant) {
        let together = u32::try_from(self.on_its_way.len()).unwrap_or(u32::MAX);
        if self.on_its_way.pop_front().is_some() {
            let due = now + self.pace.interval().saturating_mul(together);
            self.due = Some(self.due.map_or(due, |earlier| earlier.max(due)));
        }
    }

    /// The next request that has its token.
    pub fn poll_granted(&mut self) -> Option<K> {
        self.granted.pop_front()
    }

    /// When the next token can be granted; `None` while nobody waits.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.waiting.is_empty() {
            None
        } else if self.on_its_way.len() < self.pace.most_on_their_way() {
            self.earliest()
        } else {
            self.on_its_way.front().map(|granted| *granted + PATIENCE)
        }
    }

    /// How many requests wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many requests of this class wait. Takes time in proportion to the answer.
    #[must_use]
    pub fn waiting_in(&self, class: TokenClass) -> usize {
        self.waiting.len_in(class)
    }

    /// How many requests wait that are to put an agent on the wire: all but samples, which ask about agents that are there.
    #[must_use]
    pub fn waiting_agents(&self) -> usize {
        self.waiting.len() - self.waiting.len_in(TokenClass::Sample)
    }

    /// When all of [`Throttle::waiting_agents`] will have been served at the present rate, if nothing more comes; `None` while
    /// there are none. Samples come behind them.
    #[must_use]
    pub fn predicted_end(&self, now: Instant) -> Option<Instant> {
        let waiting = self.waiting_agents();
        if waiting == 0 {
            return None;
        }
        let first = self.earliest().unwrap_or(now).max(now);
        first.checked_add(self.time_for(waiting))
    }

    /// How long this many tokens take from the first to the last at the present rate, nobody else asking.
    #[must_use]
    pub fn time_for(&self, tokens: usize) -> Duration {
        let paces = u32::try_from(tokens.saturating_sub(1)).unwrap_or(u32::MAX);
        self.pace.interval().saturating_mul(paces)
    }

    /// Who waits, and who is next.
    #[must_use]
    pub const fn order(&self) -> &O {
        &self.waiting
    }

    /// The same, to be told what decides who is next.
    pub const fn order_mut(&mut self) -> &mut O {
        &mut self.waiting
    }

    fn enqueue(&mut self, now: Instant, key: K, class: TokenClass) {
        let number = self.next_place;
        self.next_place += 1;
        self.places.insert(key.clone(), (class, number));
        self.waiting.put(now, class, number, key);
    }

    /// The moment from which the pace, the tolerance and the hold after a congestion allow one more token.
    fn earliest(&self) -> Option<Instant> {
        let paced = self.due.map(|due| due.checked_sub(self.pace.tolerance()).unwrap_or(due));
        paced.max(self.pace.held_until())
    }

    fn grant(&mut self, now: Instant) {
        self.pace.calm_down(now);
        while self.on_its_way.len() < self.pace.most_on_their_way()
            && self.earliest().is_none_or(|earliest| earliest <= now)
        {
            let Some(key) = self.waiting.next(now) else { return };
            self.places.remove(&key);
            self.granted.push_back(key);
            self.on_its_way.push_back(now);
            let due = self.due.map_or(now, |due| due.max(now));
            self.due = Some(due + self.pace.interval());
        }
    }
}

//! How the agents live: what each truly is at its source, and since when.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use presence_actors::now;
use presence_simulator::{AgentState, Dice};

use crate::site::Site;

/// What is older than this is forgotten.
const REMEMBERED: Duration = Duration::from_secs(3_000);

/// What each agent was since when, the oldest first.
pub(crate) struct Truth {
    states: Vec<Vec<(Instant, AgentState)>>,
    /// Who has changed since somebody looked.
    pub(crate) changed: Vec<usize>,
    pub(crate) changes: u64,
}

pub(crate) type Shared = Rc<RefCell<Truth>>;

impl Truth {
    pub(crate) fn new(agents: usize) -> Shared {
        let states = (0..=agents).map(|_| vec![(now(), AgentState::default())]).collect();
        Rc::new(RefCell::new(Self { states, changed: Vec::new(), changes: 0 }))
    }

    pub(crate) fn of(&self, agent: usize) -> AgentState {
        self.states[agent].last().unwrap().1
    }

    fn set(&mut self, agent: usize, state: AgentState) {
        let now = now();
        let states = &mut self.states[agent];
        let old = states.iter().rposition(|(at, _)| now - *at > REMEMBERED).unwrap_or(0);
        states.drain(..old);
        states.push((now, state));
        self.changed.push(agent);
        self.changes += 1;
    }

    /// The last states, and how long ago each began.
    pub(crate) fn story(&self, agent: usize, now: Instant) -> String {
        let states = self.states[agent].iter().rev().take(4);
        let states =
            states.map(|(at, state)| format!("{:?} {:?} ago", state.activity, now.saturating_duration_since(*at)));
        states.collect::<Vec<_>>().join(", before ")
    }

    /// Whether the agent was such at some time between these.
    pub(crate) fn was(&self, agent: usize, from: Instant, to: Instant, is: impl Fn(AgentState) -> bool) -> bool {
        let states = &self.states[agent];
        let begins = states.iter().rposition(|(at, _)| *at <= from).unwrap_or(0);
        states[begins..].iter().take_while(|(at, _)| *at <= to).any(|(_, state)| is(*state))
    }
}

/// The agents change by the dice, each once in `mean` on average, for ever.
pub(crate) fn begin(site: Site, truth: Shared, agents: usize, seed: u64, mean: Duration, calm: Rc<Cell<bool>>) {
    let mut dice = Dice::new(seed ^ 0x11fe);
    actix_rt::spawn(async move {
        loop {
            tokio::time::sleep(dice.wait(mean / u32::try_from(agents).unwrap())).await;
            if calm.get() {
                continue;
            }
            let agent = usize::try_from(dice.below(agents as u64)).unwrap() + 1;
            let state = truth.borrow().of(agent).another(&mut dice);
            // Both at one moment: what the pool sends is true.
            truth.borrow_mut().set(agent, state);
            site.set(agent, state);
        }
    });
}

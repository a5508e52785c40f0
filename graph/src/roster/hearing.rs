//! What an answer says of a user, and what of it is news.

use std::cmp::Ordering;
use std::time::Instant;

use presence_core::Status;

use super::{Roster, Standing};
use crate::ObjectId;
use crate::wire::PresenceItem;

/// What seems older than what is held is believed after so many answers in a row: then Microsoft has begun to count anew.
const OLDER_BELIEVED: u8 = 3;
/// PresenceUnknown is believed the third time in a row: two sweeps after the first.
const UNKNOWNS_BELIEVED: u8 = 3;
/// A user who is in no answer so many times in a row is none.
const MISSES_BELIEVED: u8 = 3;

/// So many activities are kept once for all.
const MOST_ACTIVITIES: usize = 64;

/// What came of one presence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hearing {
    /// To be told to the user's agents: the first value, another one, or the first after a doubt.
    pub(crate) tell: Option<Status>,
    /// True when a value was held and this is another.
    pub(crate) changed: bool,
    /// True when it was older than what is held.
    pub(crate) overtaken: bool,
}

impl Roster {
    /// An answer to the request with this number holds a presence. `None` when it is nobody's who is polled.
    pub(crate) fn hear(&mut self, now: Instant, asked: u64, hint: bool, item: &PresenceItem) -> Option<Hearing> {
        let slot = *self.users.get(&item.id)?;
        let member = self.members.get_mut(slot.index())?.as_mut()?;
        let pace = self.batches.pace(member.batch)?;
        member.misses = 0;
        member.heard_at = Some(now);
        member.good_for = self.patience[pace.index()];
        let age = match (&member.sequence, &item.sequence) {
            (Some(held), Some(new)) => new.cmp(held),
            _ if asked < member.asked => Ordering::Less,
            _ => Ordering::Greater,
        };
        let differs = member.status.as_ref() != Some(item.reading.status.as_ref().unwrap_or(&Status::unknown()));
        let is_older = member.status.is_some() && (age == Ordering::Less || age == Ordering::Equal && differs);
        if is_older {
            member.older = if asked > member.asked { member.older.saturating_add(1) } else { member.older };
            if member.older < OLDER_BELIEVED {
                let tell = vouch_again(&mut member.standing, member.status.as_ref());
                return Some(Hearing { tell, changed: false, overtaken: age == Ordering::Less });
            }
        }
        member.older = 0;
        let mut status = match &item.reading.status {
            Some(status) => status.clone(),
            None => {
                let holds = member.status.as_ref().is_some_and(|status| *status != Status::unknown());
                member.unknowns = if hint { member.unknowns } else { member.unknowns.saturating_add(1) };
                if holds && member.unknowns < UNKNOWNS_BELIEVED {
                    return Some(Hearing::default());
                }
                Status::unknown()
            }
        };
        member.unknowns = 0;
        member.asked = member.asked.max(asked);
        member.sequence.clone_from(&item.sequence);
        if !differs {
            return Some(Hearing {
                tell: vouch_again(&mut member.standing, member.status.as_ref()),
                ..Hearing::default()
            });
        }
        let changed = member.status.is_some();
        if let Some(activity) = &mut status.activity {
            match self.activities.get(&**activity) {
                Some(known) => *activity = known.clone(),
                None if self.activities.len() < MOST_ACTIVITIES => _ = self.activities.insert(activity.clone()),
                None => {}
            }
        }
        member.status = Some(status.clone());
        member.standing = Standing::Fresh;
        Some(Hearing { tell: Some(status), changed, overtaken: false })
    }

    /// The user was asked for and is not in the answer. True when that is so for the third time in a row.
    pub(crate) fn miss(&mut self, user: ObjectId) -> bool {
        self.member_mut(user).is_some_and(|member| {
            member.misses = member.misses.saturating_add(1);
            member.misses >= MISSES_BELIEVED
        })
    }
}

/// What is held is vouched for (again); to be told when it was not.
fn vouch_again(standing: &mut Standing, held: Option<&Status>) -> Option<Status> {
    let was = std::mem::replace(standing, Standing::Fresh);
    held.filter(|_| was != Standing::Fresh).cloned()
}

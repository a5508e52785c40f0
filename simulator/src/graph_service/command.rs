//! Commands as text: one line each.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use super::GraphService;
use super::faults::{Fault, Part, Scope};
use super::settings::{RetryAfterForm, ServiceCredential, Strangers};
use super::tokens::Who;
use super::words::{Words, reaction};

/// All commands with their forms.
pub(super) const FORMS: [&str; 32] = [
    "set USER AVAILABILITY [ACTIVITY]",
    "secret expired|renewed ACCOUNT [SECRET]",
    "revoke ACCOUNT [50173|700082]",
    "sign-in ACCOUNT",
    "decline ACCOUNT",
    "rotation strict|lenient",
    "expire-tokens [ACCOUNT]",
    "token-lifetime 1h",
    "outage reset|silence|500|502|503|504 [for 20s] [times N] [account A] [tenant T] [on token|presence|users|subscriptions]",
    "throttle RETRY-AFTER|absent [for 20s] [times N] [account A] [tenant T] [on ..]",
    "refuse STATUS [for 20s] [times N] [account A] [tenant T] [on ..]",
    "answer garbage|too-long|redirect|wrong-content|empty [for 20s] [times N] [account A] [tenant T] [on ..]",
    "delay 200ms",
    "limit REQUESTS TIME",
    "retry-after seconds|fraction|date|absent",
    "strangers drop-out|fail",
    "skew SECONDS",
    "page-size N",
    "leave-out USER [times N]",
    "overtake USER [times N]",
    "nameless [times N]",
    "remove USER",
    "restore USER",
    "ambiguous USER",
    "forget-subscriptions [ACCOUNT]",
    "foreign-subscription ACCOUNT",
    "lifecycle reauthorizationRequired|subscriptionRemoved|missed [ACCOUNT]",
    "silent-push on|off",
    "notices late 2m|duplicate on|off|shuffled on|off|strange",
    "heal",
    "count",
    "help",
];

impl GraphService {
    /// Carries out a command (`help` lists them): a fault, its end, or a change. What it says, if anything.
    ///
    /// # Errors
    /// What is wrong with it, and its form.
    pub fn command(&mut self, now: Instant, line: &str) -> Result<String, String> {
        self.settle(now);
        let mut rest = line.split_whitespace().peekable();
        let word = rest.next().ok_or("there is no command")?;
        let mut forms = FORMS.iter().filter(|form| form.split(' ').next() == Some(word));
        let known = |form: &&str| form.split(' ').next().unwrap_or_default().to_owned();
        let form = forms.next().ok_or_else(|| {
            format!(
                "there is no command `{word}`; write one of {}",
                FORMS.iter().map(known).collect::<Vec<_>>().join(", ")
            )
        })?;
        let wrong = |why: String| format!("`{word}` {why}; write `{form}`");
        let mut words = Words { rest };
        self.carry_out(now, word, &mut words).map_err(wrong)
    }

    fn carry_out(&mut self, now: Instant, word: &str, words: &mut Words<'_>) -> Result<String, String> {
        // Everything is read before anything is done.
        let order = self.read(word, words)?;
        if let Some(more) = words.rest.next() {
            return Err(format!("does not understand `{more}`"));
        }
        order(self, now)
    }

    fn read(&self, word: &str, words: &mut Words<'_>) -> Result<Order, String> {
        Ok(match word {
            "set" => {
                let user = self.person(words)?;
                let availability: Cow<'static, str> = words.next("an availability")?.to_owned().into();
                let activity = words.rest.next().map_or_else(|| availability.clone(), |word| word.to_owned().into());
                order(move |service, now| {
                    service.change(now, user, availability, activity);
                    Ok(String::new())
                })
            }
            "secret" | "revoke" | "sign-in" | "decline" | "rotation" | "expire-tokens" | "token-lifetime" => {
                self.read_login(word, words)?
            }
            "outage" | "throttle" | "refuse" | "answer" => {
                let reaction = reaction(word, words)?;
                let (scope, until, times) = self.scope(words)?;
                order(move |service, now| {
                    let until = until.map(|time| now + time);
                    service.faults.faults.push(Fault { reaction, scope, until, times });
                    Ok(String::new())
                })
            }
            "delay" => {
                let time = words.duration()?;
                order(move |service, _| {
                    service.faults.delay = time;
                    Ok(String::new())
                })
            }
            "limit" => {
                let (limit, window) = (words.number("a number of requests")?, words.duration()?);
                order(move |service, _| {
                    (service.settings.throttle, service.settings.throttle_window) = (limit, window);
                    Ok(String::new())
                })
            }
            "retry-after" => {
                let form = match words.next("a form")? {
                    "seconds" => RetryAfterForm::Seconds,
                    "fraction" => RetryAfterForm::Fraction,
                    "date" => RetryAfterForm::Date,
                    "absent" => RetryAfterForm::Absent,
                    other => return Err(format!("does not know the form `{other}`")),
                };
                order(move |service, _| {
                    service.settings.retry_after = form;
                    Ok(String::new())
                })
            }
            "strangers" => {
                let strangers = match words.next("`drop-out` or `fail`")? {
                    "drop-out" => Strangers::DropOut,
                    "fail" => Strangers::Fail,
                    other => return Err(format!("has `{other}` where `drop-out` or `fail` is expected")),
                };
                order(move |service, _| {
                    service.settings.strangers = strangers;
                    Ok(String::new())
                })
            }
            "skew" => {
                let skew: i32 = words.number("a number of seconds")?;
                order(move |service, _| {
                    service.faults.skew = skew.into();
                    Ok(String::new())
                })
            }
            "page-size" => {
                let size = words.number::<std::num::NonZeroUsize>("a number above 0")?.get();
                order(move |service, _| {
                    service.page_size = size;
                    Ok(String::new())
                })
            }
            "leave-out" | "overtake" => {
                let (user, leaves_out) = (self.person(words)?, word == "leave-out");
                let times = words.times(1)?;
                order(move |service, _| {
                    let faults = &mut service.faults;
                    let counts = if leaves_out { &mut faults.left_out } else { &mut faults.overtaken };
                    counts.insert(user, times);
                    Ok(String::new())
                })
            }
            "nameless" => {
                let times = words.times(1)?;
                order(move |service, _| {
                    service.faults.nameless = times;
                    Ok(String::new())
                })
            }
            "remove" | "restore" | "ambiguous" => self.read_directory(word, words)?,
            "forget-subscriptions" | "foreign-subscription" | "lifecycle" | "silent-push" | "notices" => {
                self.read_push(word, words)?
            }
            "heal" => order(|service, _| {
                service.faults = super::faults::Faults::default();
                Ok(String::new())
            }),
            "help" => order(|_, _| Ok(FORMS.join(" | "))),
            _ => order(|service, _| Ok(service.counters().to_string())),
        })
    }

    fn read_login(&self, word: &str, words: &mut Words<'_>) -> Result<Order, String> {
        Ok(match word {
            "secret" => {
                let expired = match words.next("`expired` or `renewed`")? {
                    "expired" => true,
                    "renewed" => false,
                    other => return Err(format!("has `{other}` where `expired` or `renewed` is expected")),
                };
                let (who, secret) = (self.account(words)?, words.rest.next().map(str::to_owned));
                order(move |service, _| {
                    service.tokens.accounts.entry(who).or_default().expired = expired;
                    let account =
                        service.tenants.get_mut(who.tenant).and_then(|tenant| tenant.accounts.get_mut(who.account));
                    if let (Some(account), Some(secret)) = (account, secret) {
                        account.credential = ServiceCredential::Secret(secret);
                    }
                    Ok(String::new())
                })
            }
            "revoke" => {
                let who = self.account(words)?;
                let number = if words.rest.peek().is_some() { words.number("a number")? } else { 50173 };
                order(move |service, _| {
                    service.tokens.accounts.entry(who).or_default().dead = Some(number);
                    service.tokens.take_back(Some(who));
                    Ok(String::new())
                })
            }
            "sign-in" | "decline" => {
                let (who, accepts) = (self.account(words)?, word == "sign-in");
                order(move |service, _| {
                    if !service.is_delegated(who) {
                        return Err("needs an account of a user".to_owned());
                    }
                    let code = service.sign_in(who, if accepts { Ok(who) } else { Err(()) });
                    Ok(code.map_or_else(String::new, |code| format!("with the code {code}")))
                })
            }
            "rotation" => {
                let lenient = match words.next("`strict` or `lenient`")? {
                    "strict" => false,
                    "lenient" => true,
                    other => return Err(format!("has `{other}` where `strict` or `lenient` is expected")),
                };
                order(move |service, _| {
                    service.tokens.lenient = lenient;
                    Ok(String::new())
                })
            }
            "expire-tokens" => {
                let who = self.account_or_all(words)?;
                order(move |service, _| {
                    service.tokens.take_back(who);
                    Ok(String::new())
                })
            }
            _ => {
                let time = words.duration()?;
                order(move |service, _| {
                    service.settings.token_lifetime = time;
                    Ok(String::new())
                })
            }
        })
    }

    fn read_directory(&self, word: &str, words: &mut Words<'_>) -> Result<Order, String> {
        let (tenant, user) = self.person(words)?;
        Ok(match word {
            "ambiguous" => order(move |service, _| {
                let Some(known) = service.tenants.get_mut(tenant) else { return Ok(String::new()) };
                let Some(mut twin) = known.users.get(user).map(|person| person.user.clone()) else {
                    return Ok(String::new());
                };
                let (first, second) = (format!("first.{}", twin.upn), format!("second.{}", twin.upn));
                twin.upn = second;
                twin.id = format!("{:08x}-0000-4000-9000-{user:012x}", 0xa9e0_0000_usize + tenant);
                known.rename(user, first);
                known.add(twin);
                Ok(String::new())
            }),
            word => {
                let removed = word == "remove";
                order(move |service, _| {
                    let person = service.tenants.get_mut(tenant).and_then(|tenant| tenant.users.get_mut(user));
                    if let Some(person) = person {
                        person.removed = removed;
                    }
                    Ok(String::new())
                })
            }
        })
    }

    fn read_push(&self, word: &str, words: &mut Words<'_>) -> Result<Order, String> {
        Ok(match word {
            "forget-subscriptions" => {
                let who = self.account_or_all(words)?;
                order(move |service, _| {
                    let before = service.subscriptions.len();
                    service.subscriptions.retain(|_, known| who.is_some_and(|who| who != known.who));
                    Ok(format!("{} forgotten", before - service.subscriptions.len()))
                })
            }
            "foreign-subscription" => {
                let who = self.account(words)?;
                order(move |service, now| Ok(service.foreign(now, who)))
            }
            "lifecycle" => {
                let event = words.next("an event")?.to_owned();
                if !["reauthorizationRequired", "subscriptionRemoved", "missed"].contains(&event.as_str()) {
                    return Err(format!("does not know the event `{event}`"));
                }
                let who = self.account_or_all(words)?;
                order(move |service, now| {
                    let told = service.tell_lifecycle(now, &event, who);
                    if event == "subscriptionRemoved" {
                        service.subscriptions.retain(|_, known| who.is_some_and(|who| who != known.who));
                    }
                    Ok(format!("{told} told"))
                })
            }
            "silent-push" => {
                let on = words.on()?;
                order(move |service, _| {
                    service.faults.silent_push = on;
                    Ok(String::new())
                })
            }
            _ => match words.next("what happens")? {
                "late" => {
                    let time = words.duration()?;
                    order(move |service, _| {
                        service.faults.late = time;
                        Ok(String::new())
                    })
                }
                kind @ ("duplicate" | "shuffled") => {
                    let (on, doubles) = (words.on()?, kind == "duplicate");
                    order(move |service, _| {
                        let faults = &mut service.faults;
                        *(if doubles { &mut faults.duplicates } else { &mut faults.shuffled }) = on;
                        Ok(String::new())
                    })
                }
                "strange" => order(|service, now| Ok(format!("{} told", service.tell_strange(now)))),
                other => return Err(format!("does not know `{other}`")),
            },
        })
    }

    fn account(&self, words: &mut Words<'_>) -> Result<Who, String> {
        let name = words.next("an account")?;
        let tenants = self.tenants.iter().enumerate();
        let mut all = tenants.flat_map(|(tenant, of)| {
            of.accounts
                .iter()
                .enumerate()
                .map(move |(account, settings)| (Who { tenant, account }, settings.name.as_str()))
        });
        let found = all.find(|(_, known)| *known == name).map(|(who, _)| who);
        found.ok_or_else(|| format!("knows no account `{name}`"))
    }

    fn account_or_all(&self, words: &mut Words<'_>) -> Result<Option<Who>, String> {
        if words.rest.peek().is_some() { self.account(words).map(Some) } else { Ok(None) }
    }

    fn person(&self, words: &mut Words<'_>) -> Result<(usize, usize), String> {
        let name = words.next("a user")?;
        self.someone(name).ok_or_else(|| format!("knows no user `{name}`"))
    }

    /// `[for 20s] [times N] [account A] [tenant T] [on ..]` in any order.
    fn scope(&self, words: &mut Words<'_>) -> Result<(Scope, Option<Duration>, Option<u32>), String> {
        let (mut scope, mut until, mut times) = (Scope::default(), None, None);
        loop {
            if words.took("for") {
                until = Some(words.duration()?);
            } else if words.rest.peek() == Some(&"times") {
                times = Some(words.times(1)?);
            } else if words.took("account") {
                scope.account = Some(self.account(words)?);
            } else if words.took("tenant") {
                let name = words.next("a tenant")?;
                let found = self.tenants.iter().position(|tenant| tenant.is_called(name));
                scope.tenant = Some(found.ok_or_else(|| format!("knows no tenant `{name}`"))?);
            } else if words.took("on") {
                scope.kind = Some(match words.next("a part")? {
                    "token" => Part::Token,
                    "presence" => Part::Presence,
                    "users" => Part::Users,
                    "subscriptions" => Part::Subscriptions,
                    other => return Err(format!("does not know the part `{other}`")),
                });
            } else {
                return Ok((scope, until, times));
            }
        }
    }
}

type Order = Box<dyn FnOnce(&mut GraphService, Instant) -> Result<String, String>>;

fn order(carried_out: impl FnOnce(&mut GraphService, Instant) -> Result<String, String> + 'static) -> Order {
    Box::new(carried_out)
}

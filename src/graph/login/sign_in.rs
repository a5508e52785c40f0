//! The sign-in of a person with a device code (RFC 8628), as a machine.

use std::time::{Duration, Instant, SystemTime};

use presence_graph::wire::{
    DeviceCode, Grant, Token, TokenError, TokenErrorKind, device_code_request, parse_device_code, parse_token,
    token_request,
};
use presence_graph::{Answer, Request, Trouble};
use secrecy::ExposeSecret;

/// `slow_down`: so much longer between two questions (RFC 8628 section 3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// The longest time between two questions, whatever is asked for.
const SLOWEST: Duration = Duration::from_secs(60);
/// The longest time that a code is waited for.
const LONGEST_LIFE: Duration = Duration::from_secs(3600);

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Next {
    /// Send this to the login host and hand the answer to [`SignIn::answered`].
    Send(Request),
    /// Nothing until then.
    Wait(Instant),
    /// It is over.
    Done,
}

/// Why nobody has signed in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SignInFailure {
    /// The login host cannot be used now.
    #[error("the login host cannot be used: {0}")]
    Unreachable(String),
    /// Microsoft does not let this application begin a sign-in.
    #[error("Microsoft does not begin a sign-in: {0}")]
    Refused(String),
    /// The person or the organisation said no.
    #[error("the sign-in was not granted: {0}")]
    Declined(String),
    /// Nobody came in time.
    #[error("nobody signed in within {} minutes", .0.as_secs() / 60)]
    Expired(Duration),
    /// Without one it would end with the first access token.
    #[error("Microsoft gave no refresh token")]
    NoRefreshToken,
}

#[derive(Debug)]
enum State {
    /// No code yet.
    Beginning,
    /// The person has a code.
    Waiting { code: DeviceCode, interval: Duration, ask_at: Instant, until: Instant },
    /// It is over.
    Over(Result<Token, SignInFailure>),
    /// What came of it has been taken.
    Taken,
}

/// Gets a code, then asks until the person has signed in, declined, or let the code run out.
///
/// ```text
///  Beginning --(code)--> Waiting --(token, refusal, no time left)--> Over
///                          | ^
///                          +-+ authorization_pending, slow_down, no answer
/// ```
#[derive(Debug)]
pub(super) struct SignIn {
    tenant: String,
    graph_host: String,
    client_id: String,
    state: State,
}

impl SignIn {
    /// For an account of this tenant, with the application of this id.
    pub(super) fn new(tenant: &str, graph_host: &str, client_id: &str) -> Self {
        let [tenant, graph_host, client_id] = [tenant, graph_host, client_id].map(str::to_owned);
        Self { tenant, graph_host, client_id, state: State::Beginning }
    }

    /// What the person is to do, when it is known.
    pub(super) const fn code(&self) -> Option<&DeviceCode> {
        match &self.state {
            State::Waiting { code, .. } => Some(code),
            State::Beginning | State::Over(_) | State::Taken => None,
        }
    }

    /// What came of it, once.
    pub(super) fn take(&mut self) -> Option<Result<Token, SignInFailure>> {
        match std::mem::replace(&mut self.state, State::Taken) {
            State::Over(result) => Some(result),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// What is to be done now.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        match &self.state {
            State::Beginning => Next::Send(device_code_request(&self.tenant, &self.graph_host, &self.client_id)),
            State::Waiting { code, until, .. } if now >= *until => {
                let life = code.life.min(LONGEST_LIFE);
                self.state = State::Over(Err(SignInFailure::Expired(life)));
                Next::Done
            }
            State::Waiting { code, ask_at, .. } if now >= *ask_at => {
                let grant = Grant::DeviceCode(&code.device_code);
                Next::Send(token_request(&self.tenant, &self.graph_host, &self.client_id, grant))
            }
            State::Waiting { ask_at, until, .. } => Next::Wait(*ask_at.min(until)),
            State::Over(_) | State::Taken => Next::Done,
        }
    }

    /// What the login host said.
    pub(super) fn answered(&mut self, now: Instant, wall: SystemTime, answer: Result<Answer, Trouble>) {
        match &mut self.state {
            State::Beginning => self.state = begun(now, wall, answer),
            State::Waiting { code, interval, ask_at, .. } => match asked(wall, answer, code) {
                Asked::Over(result) => self.state = State::Over(result),
                Asked::Again => *ask_at = now + *interval,
                Asked::Slower => {
                    *interval = (*interval + SLOWER).min(SLOWEST);
                    *ask_at = now + *interval;
                }
            },
            State::Over(_) | State::Taken => {}
        }
    }
}

fn begun(now: Instant, wall: SystemTime, answer: Result<Answer, Trouble>) -> State {
    let answer = match answer {
        Ok(answer) => answer,
        Err(trouble) => return State::Over(Err(SignInFailure::Unreachable(trouble.to_string()))),
    };
    match parse_device_code(&answer, wall) {
        Ok(code) => {
            let interval = code.interval.min(SLOWEST);
            State::Waiting { ask_at: now + interval, until: now + code.life.min(LONGEST_LIFE), interval, code }
        }
        Err(error) if error.kind == TokenErrorKind::NeedsAPerson => {
            State::Over(Err(SignInFailure::Refused(error.to_string())))
        }
        Err(error) => State::Over(Err(SignInFailure::Unreachable(error.to_string()))),
    }
}

enum Asked {
    Again,
    Slower,
    Over(Result<Token, SignInFailure>),
}

fn asked(wall: SystemTime, answer: Result<Answer, Trouble>, code: &DeviceCode) -> Asked {
    // No answer: as slow_down (RFC 8628 section 3.5 wants less, not more).
    let Ok(answer) = answer else { return Asked::Slower };
    match parse_token(&answer, wall) {
        Ok(Token { refresh: None, .. }) => Asked::Over(Err(SignInFailure::NoRefreshToken)),
        Ok(token) => Asked::Over(Ok(token)),
        Err(TokenError { kind: TokenErrorKind::Pending, .. }) => Asked::Again,
        Err(TokenError { kind: TokenErrorKind::SlowDown | TokenErrorKind::Transient, .. }) => Asked::Slower,
        Err(error) => {
            let error = error.without(code.device_code.expose_secret());
            Asked::Over(Err(SignInFailure::Declined(error.to_string())))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const WALL: SystemTime = SystemTime::UNIX_EPOCH;

    fn answer(status: u16, body: &Value) -> Result<Answer, Trouble> {
        let body = body.to_string().into_bytes().into();
        Ok(Answer { status, retry_after: None, date: None, request_id: None, body })
    }

    fn begun(now: Instant) -> SignIn {
        let mut sign_in = SignIn::new("example.com", "graph.microsoft.com", "app");
        assert!(
            matches!(sign_in.next(now), Next::Send(request) if request.path == "/example.com/oauth2/v2.0/devicecode")
        );
        let code = json!({"device_code": "hunter2", "user_code": "ABCD-EFGH", "verification_uri": "https://microsoft.com/devicelogin",
            "expires_in": 900, "interval": 5});
        sign_in.answered(now, WALL, answer(200, &code));
        sign_in
    }

    fn wait(sign_in: &mut SignIn, now: Instant) -> Duration {
        match sign_in.next(now) {
            Next::Wait(until) => until - now,
            other => panic!("{other:?}"),
        }
    }

    fn ask(sign_in: &mut SignIn, now: Instant, said: Result<Answer, Trouble>) {
        assert!(matches!(sign_in.next(now), Next::Send(request) if request.path == "/example.com/oauth2/v2.0/token"));
        sign_in.answered(now, WALL, said);
    }

    #[test]
    fn it_asks_at_the_interval_until_the_person_has_signed_in() {
        let mut now = presence_actors::now();
        let mut sign_in = begun(now);
        assert_eq!(sign_in.code().expect("a code").user_code, "ABCD-EFGH");
        for _ in 0..3 {
            assert_eq!(wait(&mut sign_in, now), Duration::from_secs(5));
            now += Duration::from_secs(5);
            ask(&mut sign_in, now, answer(400, &json!({"error": "authorization_pending"})));
        }
        now += Duration::from_secs(5);
        ask(
            &mut sign_in,
            now,
            answer(
                200,
                &json!({"token_type": "Bearer", "access_token": "a", "refresh_token": "r", "expires_in": 3600}),
            ),
        );
        assert!(matches!(sign_in.next(now), Next::Done));
        let token = sign_in.take().expect("over").expect("a token");
        assert_eq!(token.refresh.expect("a refresh token").expose_secret(), "r");
        assert!(sign_in.take().is_none());
    }

    #[test]
    fn it_slows_down_when_it_is_told_to_and_when_nobody_answers() {
        let mut now = presence_actors::now();
        let mut sign_in = begun(now);
        for (said, expected) in [
            (answer(400, &json!({"error": "slow_down"})), 10),
            (Err(Trouble::Connect("refused".to_owned())), 15),
            (answer(503, &Value::Null), 20),
            (answer(400, &json!({"error": "authorization_pending"})), 20),
        ] {
            let pause = wait(&mut sign_in, now);
            now += pause;
            ask(&mut sign_in, now, said);
            assert_eq!(wait(&mut sign_in, now), Duration::from_secs(expected));
        }
        for _ in 0..12 {
            let pause = wait(&mut sign_in, now);
            now += pause;
            ask(&mut sign_in, now, answer(400, &json!({"error": "slow_down"})));
        }
        assert_eq!(wait(&mut sign_in, now), Duration::from_secs(60));
    }

    #[test]
    fn it_ends_when_the_person_says_no_or_does_not_come() {
        let now = presence_actors::now();
        let mut sign_in = begun(now);
        ask(&mut sign_in, now + Duration::from_secs(5), answer(400, &json!({"error": "authorization_declined"})));
        assert!(matches!(sign_in.take(), Some(Err(SignInFailure::Declined(why))) if why.contains("declined")));
        let mut sign_in = begun(now);
        let later = now + Duration::from_secs(900);
        assert!(matches!(sign_in.next(later), Next::Done));
        let why = sign_in.take().expect("over").expect_err("nobody came");
        assert_eq!(why.to_string(), "nobody signed in within 15 minutes");
    }

    #[test]
    fn it_does_not_begin_where_the_application_may_not() {
        let now = presence_actors::now();
        for (said, unreachable) in [
            (answer(400, &json!({"error": "unauthorized_client", "error_description": "AADSTS700016: hm"})), false),
            (answer(503, &Value::Null), true),
            (Err(Trouble::Name("no such host".to_owned())), true),
            (answer(200, &json!([])), true),
        ] {
            let mut sign_in = SignIn::new("example.com", "graph.microsoft.com", "app");
            assert!(matches!(sign_in.next(now), Next::Send(_)));
            sign_in.answered(now, WALL, said);
            let failure = sign_in.take().expect("over").expect_err("refused");
            assert_eq!(matches!(failure, SignInFailure::Unreachable(_)), unreachable, "{failure}");
        }
    }

    #[test]
    fn a_token_that_cannot_be_renewed_is_none_and_no_code_is_in_the_debug_output() {
        let now = presence_actors::now();
        let mut sign_in = begun(now);
        assert!(!format!("{sign_in:?}").contains("hunter2"));
        ask(
            &mut sign_in,
            now + Duration::from_secs(5),
            answer(200, &json!({"access_token": "a", "token_type": "Bearer"})),
        );
        assert_eq!(sign_in.take().expect("over").expect_err("no refresh token"), SignInFailure::NoRefreshToken);
    }
}

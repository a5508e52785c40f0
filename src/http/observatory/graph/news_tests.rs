use std::time::Duration;

use presence_core::FailureKind;

use super::*;

fn failure() -> Failure {
    Failure::answered(FailureKind::Endpoint, 503, "ServiceUnavailable\u{1b}[2J")
}

#[test]
fn every_report_is_a_sentence_that_cannot_harm_a_terminal() {
    let at = presence_actors::now();
    let retry_at = at + Duration::from_secs(4);
    let (tenant, account): (std::sync::Arc<str>, std::sync::Arc<str>) = ("contoso".into(), "contoso-1".into());
    let push = |state, failure| Report::Push { account: account.clone(), state, failure };
    let cases = [
        (
            Report::TenantUp { tenant: tenant.clone(), agents: 8 },
            (true, "Microsoft Graph answers for tenant contoso (8 agents)."),
        ),
        (
            Report::TenantDown { tenant: tenant.clone(), agents: 1, failure: failure(), retry_at },
            (
                false,
                "Tenant contoso cannot be asked: 503 ServiceUnavailable\\u{1b}[2J; its agent keeps its last presence as \
                 stale; next attempt in 4 s at 14:05:49.",
            ),
        ),
        (Report::AccountUp { account: account.clone() }, (true, "Account contoso-1 works.")),
        (
            Report::AccountFailed { account: account.clone(), failure: failure(), needs_a_person: true, retry_at },
            (
                false,
                "Account contoso-1 cannot be used: 503 ServiceUnavailable\\u{1b}[2J; only a person can mend that; next \
                 attempt in 4 s at 14:05:49.",
            ),
        ),
        (
            Report::Throttled { account: account.clone(), until: at + Duration::from_millis(2_128) },
            (false, "Microsoft asks for fewer requests: account contoso-1 pauses for 3 s."),
        ),
        (
            Report::UnknownValue { property: "activity", value: "Gar\u{7}dening".into() },
            (false, "Microsoft uses a word for activity that is not known: `Gar\\u{7}dening`."),
        ),
        (
            push(PushState::Deaf, None),
            (false, "The change notifications of account contoso-1 are deaf: changes are found that they do not tell."),
        ),
        (push(PushState::Listening, None), (true, "The change notifications of account contoso-1 are listened to.")),
        (
            push(PushState::BackingOff, Some(failure())),
            (
                false,
                "The change notifications of account contoso-1 cannot be had for now: 503 ServiceUnavailable\\u{1b}[2J.",
            ),
        ),
        (
            Report::PushTooSmall { tenant, polled_only: 600, accounts_wanted: 1 },
            (
                false,
                "600 agents of tenant contoso are only asked for: 1 account more would carry their change notifications.",
            ),
        ),
        (
            Report::ClockSkew { seconds: -400 },
            (false, "Microsoft's clock is 7 min behind ours: one of them is wrong, perhaps this computer's."),
        ),
    ];
    for (report, expected) in cases {
        let Event::Graph { good, text, .. } = event(&report, at, &|_| "14:05:49".to_owned()) else {
            panic!("{report:?}")
        };
        assert_eq!((good, text.as_str()), expected);
    }
}

#[test]
fn programs_are_told_by_name_whom_it_concerns_and_when_it_goes_on() {
    let at = presence_actors::now();
    let report = Report::AccountFailed {
        account: "contoso-1".into(),
        failure: failure(),
        needs_a_person: false,
        retry_at: at + Duration::from_secs(60),
    };
    let json = serde_json::to_value(event(&report, at, &|_| String::new())).expect("JSON");
    assert_eq!((&json["type"], &json["news"]), (&"graph".into(), &"account_failed".into()));
    assert_eq!(
        (&json["account"], &json["tenant"], &json["good"]),
        (&"contoso-1".into(), &serde_json::Value::Null, &false.into())
    );
    assert_eq!(json["retry_at"], moment(at + Duration::from_secs(60)));
    assert_eq!(json["at"], moment(at));
}

//! Scripts and what they mean; mistakes and what is said about them.

use super::*;

fn plan(text: &str) -> Plan {
    Plan::read(text, Path::new("/etc/simulation"), &Overrides::default())
        .unwrap_or_else(|mistake| panic!("{}", mistake.shown("script.toml", text)))
}

#[track_caller]
fn refused(text: &str) -> String {
    match Plan::read(text, Path::new(""), &Overrides::default()) {
        Ok(plan) => panic!("accepted: {plan:?}"),
        Err(mistake) => mistake.shown("script.toml", text),
    }
}

#[test]
fn an_empty_script_is_a_hundred_agents_in_one_pool_over_tcp() {
    let plan = plan("");
    let settings = &plan.server.settings;
    assert_eq!((settings.agents.len(), settings.pools.len(), settings.seed), (100, 1, 1));
    assert_eq!(settings.agents[99].uri.as_str(), "sip:agent100@demo.example");
    assert_eq!(settings.pools[0].fqdn, "pool01.demo.example");
    assert_eq!((settings.wire, plan.server.listen[0]), (TransportKind::Tcp, loopback(5060)));
    assert_eq!((plan.any_port, plan.any_control_port), (vec![true], true));
    assert_eq!(plan.server.control, Some(loopback(5066)));
}

#[test]
fn everything_that_a_script_says_is_meant() {
    let plan = plan(
        r#"
seed = 7
domain = "example.com"
transport = "tls"
change_every = "never"
control = "none"

[tls]
certificate = "pool.pem"
private_key = "/keys/pool.key"
trusted_certificates = "authority.pem"
client_certificate = false
application_name = "app.example.com"

[[pool]]
fqdn = "one.example.com"
listen = "127.0.0.1:0"

[[pool]]
fqdn = "two.example.com"

[[agents]]
count = 2
pattern = "sip:user{}@example.com"
first = 9
pool = "TWO.example.com"

[[agents]]
uris = ["sip:old@example.com"]
legacy = true
quota_full = true
state = "busy idle"
strange = "deferred"

[[endpoint]]
uri = "sip:app@example.com"
pool = "two.example.com"

[switches]
benotify = false
longest_list = 20
expires = "20m"
shortest_expires = "1m"

[[at]]
time = "30s"
do = "kill-connections for 20s"
every = "10m"
"#,
    );
    let settings = &plan.server.settings;
    let agents: Vec<_> = settings.agents.iter().map(|agent| (agent.uri.as_str(), agent.pool)).collect();
    assert_eq!(agents, [("sip:user9@example.com", 1), ("sip:user10@example.com", 1), ("sip:old@example.com", 0)]);
    assert_eq!((settings.seed, settings.change_interval, plan.server.control), (7, None, None));
    assert_eq!(settings.endpoints[0].pool, 1);
    assert_eq!(plan.server.listen, [loopback(0), loopback(5071)]);
    let tls = plan.server.tls.expect("certificates");
    assert_eq!(tls.certificate, Pem::File("/etc/simulation/pool.pem".into()));
    assert_eq!(tls.key, Pem::File("/keys/pool.key".into()));
    assert_eq!((tls.client_auth, tls.application_name.as_deref()), (false, Some("app.example.com")));
    let old: AgentUri = "sip:old@example.com".parse().expect("a URI");
    let expected = Switches {
        benotify: false,
        longest_list: 20,
        expires: Duration::from_secs(1_200),
        shortest_expires: Some(Duration::from_secs(60)),
        contacts_by_address: true,
        legacy: vec![old.clone()],
        strange: vec![(old, "deferred".into())],
        ..Switches::default()
    };
    assert_eq!(settings.switches, expected);
    let first: Vec<_> = plan.first.iter().map(ToString::to_string).collect();
    assert_eq!(first, ["set sip:old@example.com busy idle", "quota sip:old@example.com full"]);
    let step = &plan.steps[0];
    assert_eq!((step.after, step.every), (Duration::from_secs(30), Some(Duration::from_secs(600))));
    assert_eq!(step.command.to_string(), "kill-connections for 20s");
}

#[test]
fn the_command_line_stands_over_the_script() {
    let overrides = Overrides {
        listen: Some(loopback(7000)),
        control: Some(loopback(7001)),
        seed: Some(3),
        agents: Some(5),
        tls: None,
    };
    let script = "seed = 1\ncontrol = \"none\"\n[[agents]]\ncount = 9\n[[pool]]\nfqdn = \"a.example\"\n";
    let plan = Plan::read(script, Path::new(""), &overrides).expect("a plan");
    assert_eq!(plan.server.listen, [loopback(7000)]);
    assert_eq!((plan.any_port, plan.any_control_port), (vec![false], false), "what was asked for is not replaced");
    assert_eq!(plan.server.control, Some(loopback(7001)));
    assert_eq!((plan.server.settings.seed, plan.server.settings.agents.len()), (3, 5));
}

#[test]
fn a_mistake_is_shown_at_its_place_with_what_to_write() {
    let shown = refused("seed = 1\nchange_evry = \"8s\"\n");
    assert!(shown.contains("unknown field `change_evry`, expected one of `seed`, `domain`"), "{shown}");
    assert!(shown.contains("--> script.toml:2:1\n"), "{shown}");
    assert!(shown.contains("2 | change_evry = \"8s\"\n  | ^^^^^^^^^^^\n"), "{shown}");
    let cases = [
        ("change_every = \"soon\"", "script.toml:1:16", "write \"8s\", \"1m\" or \"never\""),
        ("[[at]]\ntime = \"1s\"\ndo = \"explode\"", "script.toml:3:6", "`explode` is no command; there are: kill-"),
        ("[[at]]\ntime = \"1s\"\ndo = \"outage 0\"", "script.toml:3:6", "write `outage POOL 20s [forget]`"),
        ("[[at]]\ntime = \"1s\"\nevery = \"1ms\"\ndo = \"heal\"", "script.toml:3:9", "after 100ms at the earliest"),
        ("[[at]]\ntime = \"9000y\"\ndo = \"heal\"", "script.toml:2:8", "at most a year"),
        ("[[agents]]\ncount = 1\npool = \"x.example\"", "script.toml:3:8", "write \"pool01.demo.example\""),
        ("[[agents]]\ncount = 1\nuris = [\"sip:a@b.c\"]", "script.toml:1:1", "write either `count = 100`"),
        ("[[agents]]\ncount = 1\npattern = \"sip:a@b.c\"", "script.toml:1:1", "write {} where it belongs"),
        ("[[agents]]\ncount = 2000000", "script.toml:1:1", "make the count smaller"),
        ("[[agents]]\nuris = [\"nobody\"]", "script.toml:2:8", "write \"sip:user@domain\""),
        ("[[agents]]\ncount = 1\nstate = \"asleep\"", "script.toml:1:1", "does not know the state `asleep`"),
        ("[[agents]]\ncount = 2\n[[agents]]\ncount = 1", "script.toml:3:1", "sip:agent1@demo.example is there already"),
        ("[[at]]\ntime = \"1s\"\ndo = \"move all 1\"", "script.toml:3:6", "there is no pool 1; "),
        ("[switches]\nunregistered_status = 999", "script.toml:2:23", "write 200, or a number from 300 to 699"),
        ("seed = \"x\"", "script.toml:1:8", "expected a whole number"),
        ("[[pool]]\nfqdn = \"a b\"", "script.toml:2:8", "is no host name"),
        ("[[pool]]\nfqdn = \"a\"\n[[pool]]\nfqdn = \"A\"", "script.toml:4:8", "give it another name"),
        ("control = \"192.0.2.1:1\"", "script.toml:1:11", "loopback only; write \"127.0.0.1:5066\""),
        ("transport = \"udp\"", "script.toml:1:13", "expected `tcp` or `tls`"),
        ("transport = \"tls\"", "script.toml: ", "--make-certificates DIR"),
        ("[switches]\nstrikt = true", "script.toml:2:1", "expected one of `strict`"),
        ("seed = \n", "script.toml:1:", "error: "),
    ];
    for (script, place, help) in cases {
        let shown = refused(script);
        assert!(shown.contains(place) && shown.contains(help), "{script}\n{shown}");
    }
}

#[test]
fn the_example_that_is_shipped_is_a_good_script() {
    let text = include_str!("../../config/simulation.toml");
    let plan = plan(text);
    assert!(plan.steps.len() >= 3, "{:?}", plan.steps);
    // Everything that the comments propose is good as well.
    let proposed: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest)
                if rest.starts_with('[')
                    || rest
                        .split_once(" = ")
                        .is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_')) =>
            {
                rest
            }
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n");
    self::plan(&proposed);
}

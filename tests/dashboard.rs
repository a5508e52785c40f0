//! The dashboard in a real Chromium, against the real program and a simulated pool.
#![allow(clippy::unwrap_used, missing_docs, clippy::print_stderr, reason = "tests")]

mod browser;
mod process;

use std::time::Duration;

use fantoccini::key::Key;
use presence_core::AgentUri;
use presence_simulator::{Activity, AgentState, Faults, Refusal, Scope};
use serde_json::{Value, json};

use browser::{Browser, Screen};
use process::http::{ATTENDANT, House, Plan};
use process::{queue, wait_for};

/// A queue whose name and agents no page should trust.
const HOSTILE: &str = "&lt;img src=x onerror=&quot;window.harmed=1&quot;&gt;";

/// The queue of agents 1 to 8, and one with an agent of the attendant source.
fn queues() -> String {
    let agents: Vec<_> = (1..=8).collect();
    format!(
        "{}    <UnifiedContactCenter Name=\"{HOSTILE}\">\n      <Agent Uri=\"sip:desk1@{ATTENDANT}\" />\n    </UnifiedContactCenter>\n",
        queue("ucc_helpdesk", &agents)
    )
}

/// A page that is open and has its agents.
fn opened(house: &House, screen: Screen, agents: &str) -> Option<Browser> {
    let browser = Browser::start(screen)?;
    browser.open(&format!("{}/", house.url));
    browser.shows("#verdict-word", "All well");
    browser.shows("#agents-count", agents);
    browser.shows("#link-word", "Live");
    browser.run("window.same = true");
    Some(browser)
}

#[test]
fn a_change_in_the_pool_and_a_push_appear_without_a_reload_and_hostile_text_stays_text() {
    let queues = queues();
    let house = House::with(Plan { queues: &queues, ..Plan::default() });
    let Some(page) = opened(&house, Screen::DESK, "9 agents") else { return };
    let agent = House::agent(3);
    house.server.set_presence(&agent, AgentState::of(Activity::OnThePhone));
    page.row_shows("agent3@demo.example", "Busy on the phone now");
    page.shows("#feed", "agent3@demo.example Busy on the phone");
    house.server.set_presence(&agent, AgentState::of(Activity::Available));
    page.row_shows("agent3@demo.example", "Online");

    let hostile = "<img src=x onerror=\"window.harmed=2\">";
    let push = json!({ "state": "Away", "activity": hostile, "location": hostile, "time_to_live": 60 });
    let pushed = house.client().put(&format!("/api/v1/attendant/presence/sip:desk1@{ATTENDANT}"), &push);
    assert!(pushed.status < 300, "{pushed:?}");
    page.row_shows("desk1@attendant.example", &format!("Away {hostile}"));
    page.shows("#queues", "<img src=x onerror=\"window.harmed=1\">");
    page.run_with(
        "location.hash = new URLSearchParams({ agent: arguments[0] })",
        &[json!(format!("sip:desk1@{ATTENDANT}"))],
    );
    page.shows(".drawer-body", hostile);
    page.shows(".timeline", "Away");
    assert_eq!(page.run("return document.querySelectorAll('img').length"), json!(0));
    assert_eq!(page.run("return window.same"), json!(true), "the page was loaded again");
    page.behaved(&house.url, false);
}

#[test]
fn the_keyboard_alone_leads_to_an_agent_and_back() {
    let queues = queues();
    let house = House::with(Plan { queues: &queues, ..Plan::default() });
    let Some(page) = opened(&house, Screen::DESK, "9 agents") else { return };
    let [tab, enter, down, end, escape] = [Key::Tab, Key::Enter, Key::Down, Key::End, Key::Escape].map(char::from);
    page.keys([tab, enter]);
    assert_eq!(
        page.run("return document.activeElement.id"),
        json!("agents-grid"),
        "the first stop leads to the agents"
    );
    page.keys([down, down, enter]);
    page.shows("#drawer-title", "sip:agent3@demo.example");
    page.shows(".why", ".");
    page.shows(".rules", "Ucma serves it");
    assert!(page.run("return location.hash").as_str().unwrap().contains("agent3"));
    page.keys([escape]);
    page.until("!document.getElementById('drawer').open && document.activeElement.id === 'agents-grid'");
    assert_eq!(page.run("return location.hash"), json!(""));
    page.keys([end, enter]);
    page.shows("#drawer-title", "sip:desk1@attendant.example");
    page.keys([escape]);
    page.keys("/agent7".chars());
    page.shows("#agents-count", "1 agent matches");
    assert_eq!(page.run("return document.activeElement.id"), json!("search"));
    page.keys([down, enter]);
    page.shows("#drawer-title", "sip:agent7@demo.example");
    page.keys([escape]);
    page.until("document.activeElement.id === 'agents-grid'");
    page.behaved(&house.url, false);
}

#[test]
fn a_page_without_its_provider_says_since_when_and_comes_back_by_itself() {
    let queues = queues();
    let house = House::with(Plan { queues: &queues, ..Plan::default() });
    let Some(page) = opened(&house, Screen::DESK, "9 agents") else { return };
    house.service.signal("STOP");
    page.shows("#banner", "No connection to the provider since ");
    page.shows("#banner", ", last data ");
    page.shows("#verdict-word", "No connection");
    page.shows("#link-word", "Not live");
    page.picture("lost");
    house.service.signal("CONT");
    page.shows("#verdict-word", "All well");
    page.until("document.getElementById('banner').hidden && !document.body.classList.contains('old')");
    page.shows("#link-word", "Live");
    house.server.set_presence(&House::agent(1), AgentState::of(Activity::Meeting));
    page.row_shows("agent1@demo.example", "Busy in a meeting");
    assert_eq!(page.run("return window.same"), json!(true), "the page was loaded again");
    page.behaved(&house.url, true);
}

#[test]
fn a_token_signs_in_and_one_that_may_only_read_is_told_what_it_may_not() {
    let queues = queues();
    let tokens: [(&str, &[&str]); 2] = [("desk", &["read"]), ("sales", &["ucc:sales"])];
    let house = House::with(Plan { queues: &queues, tokens: &tokens, ..Plan::default() });
    let Some(page) = Browser::start(Screen::DESK) else { return };
    page.open(&format!("{}/", house.url));
    page.shows("#sign-in", "This provider asks for a token.");
    let enter = char::from(Key::Enter);
    page.keys("wrong".chars().chain([enter]));
    page.shows("#sign-in-error", "This token is not accepted.");
    page.keys(house.token("desk").chars().chain([enter]));
    page.shows("#agents-count", "9 agents");
    page.shows("#caller-name", "desk");
    page.shows("#link-word", "Live");
    assert_eq!(page.run("return localStorage.length"), json!(0), "the token is kept in the tab only");
    assert_eq!(page.run("return document.cookie"), json!(""));
    house.server.set_presence(&House::agent(2), AgentState::of(Activity::Away));
    page.row_shows("agent2@demo.example", "Away");
    page.click("#sign-out");
    page.shows("#sign-in", "This provider asks for a token.");
    page.until("document.activeElement?.id === 'token'");
    page.keys(house.token("sales").chars().chain([enter]));
    // The stream of a queue's token would be that queue: the page must not open it.
    page.shows("#sign-in-error", "The token sales may not see this page: that needs the scope read.");
    assert_eq!(house.client_as("desk").get("/api/v1/uccs/sales").status, 404);
    page.behaved(&house.url, true);
}

#[test]
fn the_policy_lets_nothing_foreign_and_no_markup_in_and_these_tests_would_see_it() {
    let house = House::new();
    let Some(page) = Browser::start(Screen::DESK) else { return };
    page.open(&format!("{}/", house.url));
    page.shows("#verdict-word", "All well");
    page.behaved(&house.url, false);
    let markup = "try { document.body.innerHTML = '<p>'; return ''; } catch (error) { return error.name }";
    assert_eq!(page.run(markup), json!("TypeError"));
    page.run(
        "fetch('http://127.0.0.2:9/').catch(() => { window.refused = true });
         const script = document.createElement('a');
         script.setAttribute('style', 'color: red');
         document.body.append(script);",
    );
    page.until("window.refused");
    let errors = Value::Array(page.errors(false)).to_string();
    for part in ["connect-src", "style-src", "TrustedHTML"] {
        assert!(errors.contains(part), "{part}: {errors}");
    }
}

#[test]
fn abandoned_agents_are_revived_after_a_question() {
    let house = House::new();
    let client = house.client();
    for agent in 3..=4 {
        let agent = House::agent(agent);
        let scope = Scope::Agent(AgentUri::parse(&agent).unwrap());
        house.server.faults(&scope, Faults::refusing(Refusal::with(403)));
        assert_eq!(client.put(&format!("/api/v1/uccs/sales/agents/{agent}"), &Value::Null).status, 200);
    }
    let Some(page) = Browser::start(Screen::DESK) else { return };
    page.open(&format!("{}/", house.url));
    page.shows("#verdict-word", "Needs a look");
    page.shows(".tile[data-key=abandoned] .tile-value", "2");
    page.click(".tile[data-key=abandoned]");
    page.shows("#agents-count", "2 agents match");
    page.row_shows("agent3@demo.example", "Abandoned");
    page.picture("abandoned");
    page.click(".row.agent");
    page.shows(".drawer-body", "SIP code 403");
    page.shows(".call", "It has been given up");
    page.keys([char::from(Key::Escape)]);
    house.server.heal();
    page.click("#revive-all-button");
    page.shows("#confirm-text", "2 agents will be subscribed again");
    page.click("#confirm-yes");
    page.shows("#toast", "2 agents are tried again.");
    page.shows("#agents-count", "0 agents match");
    page.shows("#verdict-word", "All well");
    page.behaved(&house.url, false);
}

#[test]
fn on_a_phone_everything_fits() {
    let queues = queues();
    let house = House::with(Plan { queues: &queues, ..Plan::default() });
    let Some(page) = opened(&house, Screen::PHONE, "9 agents") else { return };
    let fits = "document.documentElement.scrollWidth <= innerWidth";
    page.until(fits);
    for (part, shown) in [("live", "#feed"), ("queues", "#queues"), ("charts", "#charts"), ("agents", "#agents-grid")] {
        page.click(&format!(".tabs [data-tab={part}]"));
        page.until(&format!("document.querySelector('{shown}').checkVisibility()"));
        page.until(fits);
    }
    page.run("document.querySelector('.row.agent').scrollIntoView({ block: 'center' })");
    page.click(".row.agent");
    page.shows("#drawer-title", "sip:agent1@demo.example");
    page.until("document.getElementById('drawer').getBoundingClientRect().width === innerWidth");
    page.picture("phone-detail");
    page.behaved(&house.url, false);
}

#[test]
fn what_is_being_typed_is_left_alone_when_the_queues_change() {
    let queues = queues();
    let house = House::with(Plan { queues: &queues, ..Plan::default() });
    let Some(page) = opened(&house, Screen::DESK, "9 agents") else { return };
    page.run("const search = document.getElementById('search'); search.focus(); search.value = 'half'");
    house.client().put("/api/v1/uccs/later", &Value::Null);
    page.until("[...document.querySelectorAll('#filters option')].some((option) => option.value === 'later')");
    assert_eq!(page.run("return document.getElementById('search').value"), json!("half"));
}

#[test]
fn ten_thousand_agents_scroll_and_a_recovery_shows() {
    let all: Vec<_> = (1..=10_000).collect();
    let queues = [
        queue("ucc_helpdesk", &all[..10_000]),
        queue("ucc_sales", &all[..4_200]),
        queue("ucc_reception", &all[1_000..2_500]),
        queue("ucc_night", &all[9_000..]),
    ]
    .concat();
    let house = House::with(Plan { agents: 10_000, queues: &queues, ..Plan::default() });
    let Some(page) = opened(&house, Screen::DESK, "10,000 agents") else { return };
    let phone = Browser::start(Screen::PHONE).unwrap();
    phone.open(&format!("{}/", house.url));
    phone.shows("#agents-count", "10,000 agents");
    for agent in 1000..1040 {
        let activity = Activity::ALL[(agent * 7) % Activity::ALL.len()];
        house.server.set_presence(&House::agent(agent), AgentState::of(activity));
    }
    page.row_shows("agent1001@demo.example", "Away");
    page.picture("healthy");

    assert_eq!(page.run("return document.getElementById('agents-grid').ariaRowCount"), json!("10001"));
    page.click("#agents-title");
    page.run("document.getElementById('agents-grid').focus()");
    page.keys([char::from(Key::End)]);
    page.row_shows("agent9@demo.example", "Fresh");
    page.until("document.querySelector('.row.active').getAttribute('aria-rowindex') === '10001'");
    assert!(page.run("return document.querySelectorAll('.row.agent').length").as_u64().unwrap() < 80);
    page.run(
        "document.getElementById('grid-scroll').scrollTop = 0.5 * document.getElementById('grid-body').clientHeight",
    );
    let middle = house.client().get("/api/v1/agents?sort=uri&offset=5002&limit=1").json;
    page.row_shows(middle["agents"][0]["uri"].as_str().unwrap().trim_start_matches("sip:"), "Fresh");
    let frames = scrolled(&page);
    assert!(frames < 100.0, "a frame takes {frames} ms while the list scrolls");

    page.run("document.getElementById('search').focus()");
    page.keys("agent123".chars());
    page.shows("#agents-count", "11 agents match");
    page.row_shows("agent1239@demo.example", "Fresh");
    page.keys([char::from(Key::Escape)]);
    page.shows("#agents-count", "10,000 agents");

    wait_for(house.server.pause_listening(Duration::from_secs(12)));
    house.server.forget_dialogs();
    house.server.drop_connections();
    page.until("!document.querySelector('.tile[data-key=stale]').classList.contains('none')");
    page.until("!document.getElementById('recovery').hidden");
    page.picture("down");
    page.shows("#verdict-word", "Recovering");
    page.shows("#recovery", " of ");
    page.picture("recovery");
    phone.picture("phone");
    page.shows("#verdict-word", "All well");
    page.until("document.getElementById('recovery').hidden");
    page.row_shows("agent1001@demo.example", "Away");
    page.row_shows("agent1001@demo.example", "Fresh");
    assert_eq!(page.run("return window.same"), json!(true), "the page was loaded again");
    page.behaved(&house.url, false);
}

/// Scrolls through the whole list, and says how long a frame took in the middle of all frames, in ms.
fn scrolled(page: &Browser) -> f64 {
    page.run(
        "const scroll = document.getElementById('grid-scroll');
         window.frames_taken = null;
         const times = [];
         let [step, last] = [0, performance.now()];
         const next = (now) => {
           times.push(now - last);
           last = now;
           scroll.scrollTop = (step / 90) * scroll.scrollHeight;
           if (step++ < 90) requestAnimationFrame(next);
           else window.frames_taken = times.slice(1).sort((a, b) => a - b);
         };
         requestAnimationFrame(next);",
    );
    page.until("window.frames_taken");
    let [middle, most] = ["45", "times.length - 1"]
        .map(|index| page.run(&format!("const times = window.frames_taken; return times[{index}]")).as_f64().unwrap());
    eprintln!("10,000 agents in 90 steps: a frame takes {middle:.1} ms, the longest {most:.1} ms");
    middle
}

//! A real Chromium without a window, driven over WebDriver, and what the tests look for on the page.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::process::eventually;

/// What the driver says when it can be used; its port follows.
const STARTED: &str = "started successfully on port ";
/// So long the driver may take for that.
const PATIENCE: Duration = Duration::from_secs(30);

/// How large the window is, and whether it is a phone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// Pixels of CSS.
    pub(crate) width: u32,
    /// Pixels of CSS.
    pub(crate) height: u32,
    /// A touch screen with two pixels for each pixel of CSS.
    pub(crate) phone: bool,
}

impl Screen {
    /// A desk.
    pub(crate) const DESK: Self = Self { width: 1440, height: 900, phone: false };
    /// A phone.
    pub(crate) const PHONE: Self = Self { width: 390, height: 844, phone: true };
}

/// A browser with one page. Dropping it ends the browser and its driver.
pub(crate) struct Browser {
    runtime: Runtime,
    client: Client,
    agent: ureq::Agent,
    session: String,
    driver: Child,
}

/// Where a program is.
fn found(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

impl Browser {
    /// A browser with an empty page; none where this computer has no Chromium, which on the build machine is a failure.
    pub(crate) fn start(screen: Screen) -> Option<Self> {
        let (Some(chromium), Some(chromedriver)) = (found("chromium"), found("chromedriver")) else {
            assert!(env::var_os("CI").is_none(), "chromium and chromium-driver are needed where CI is set");
            eprintln!("skipped: chromium and chromedriver (Debian: chromium, chromium-driver) are not installed");
            return None;
        };
        let mut driver = Command::new(chromedriver);
        driver.arg("--port=0").env("TZ", "UTC").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = driver.spawn().unwrap();
        let url = format!("http://127.0.0.1:{}", port(&mut driver));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let Value::Object(capabilities) = capabilities(&chromium, screen) else { unreachable!("an object is written") };
        let connected =
            runtime.block_on(ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&url));
        let client = connected.unwrap_or_else(|error| {
            let _ = driver.kill();
            panic!("no session with Chromium: {error}")
        });
        let id = runtime.block_on(client.session_id()).unwrap().expect("a session has an id");
        let agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().new_agent();
        Some(Self { runtime, client, agent, session: format!("{url}/session/{id}"), driver })
    }

    /// Opens a page.
    pub(crate) fn open(&self, url: &str) {
        self.runtime.block_on(self.client.goto(url)).unwrap();
    }

    /// What a function body gives on the page.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.run_with(script, &[])
    }

    /// What a function body gives on the page, with arguments.
    pub(crate) fn run_with(&self, script: &str, arguments: &[Value]) -> Value {
        self.runtime.block_on(self.client.execute(script, arguments.to_vec())).unwrap()
    }

    /// The text of the first element, with one blank between words; empty without one.
    pub(crate) fn text(&self, selector: &str) -> String {
        let script = "return document.querySelector(arguments[0])?.innerText ?? ''";
        let text = self.run_with(script, &[json!(selector)]);
        text.as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Waits until the text of an element holds this.
    #[track_caller]
    pub(crate) fn shows(&self, selector: &str, part: &str) {
        let so = eventually(|| self.text(selector).contains(part));
        assert!(so, "{selector} never shows {part:?} but {:?}", self.text(selector));
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(crate) fn until(&self, expression: &str) {
        let script = format!("return Boolean({expression})");
        assert!(eventually(|| self.run(&script) == json!(true)), "never true: {expression}");
    }

    /// The text of the row of an agent; empty while it is not on the page.
    pub(crate) fn row(&self, address: &str) -> String {
        let script = "return [...document.querySelectorAll('.row.agent:not([hidden])')]
            .find((row) => row.querySelector('.address').textContent === arguments[0])?.innerText ?? ''";
        let text = self.run_with(script, &[json!(address)]);
        text.as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Waits until the row of an agent holds this.
    #[track_caller]
    pub(crate) fn row_shows(&self, address: &str, part: &str) {
        let so = eventually(|| self.row(address).contains(part));
        assert!(so, "the row of {address} never shows {part:?} but {:?}", self.row(address));
    }

    /// Clicks an element as a person does.
    pub(crate) fn click(&self, selector: &str) {
        self.runtime.block_on(async {
            let element = self.client.wait().for_element(Locator::Css(selector)).await.unwrap();
            element.click().await.unwrap();
        });
    }

    /// Presses and lets go of keys, one after the other, wherever the keyboard is.
    pub(crate) fn keys(&self, keys: impl IntoIterator<Item = char>) {
        let mut actions = KeyActions::new("keyboard".to_owned());
        for value in keys {
            actions = actions.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        }
        self.runtime.block_on(self.client.perform_actions(actions)).unwrap();
    }

    /// A picture of the page, for people; it is left beside what the build made.
    pub(crate) fn picture(&self, name: &str) {
        let picture = self.runtime.block_on(self.client.screenshot()).unwrap();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dashboard-{name}.png"));
        fs::write(&path, picture).unwrap();
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        let url = format!("{}/se/log", self.session);
        let mut answer = self.agent.post(url).send_json(json!({ "type": kind })).unwrap();
        let mut answer: Value = answer.body_mut().with_config().limit(256 << 20).read_json().unwrap();
        serde_json::from_value(answer["value"].take()).unwrap()
    }

    /// What the console calls errors: refusals by the policy, exceptions; `network`: but for requests that failed.
    pub(crate) fn errors(&self, network: bool) -> Vec<Value> {
        let is_one = |entry: &Value| entry["level"] == "SEVERE" && !(network && entry["source"] == "network");
        self.log("browser").into_iter().filter(is_one).collect()
    }

    /// Fails when the page asked anybody but this host for anything, or the console has an error: a refusal by the
    /// policy, an exception. Answers that are errors are the page's business: `network` says whether there may be some.
    #[track_caller]
    pub(crate) fn behaved(&self, url: &str, network: bool) {
        let errors = self.errors(network);
        assert!(errors.is_empty(), "the console says {errors:#?}");
        let mut asked = 0;
        for entry in self.log("performance") {
            let message: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            if message["message"]["method"] != "Network.requestWillBeSent" {
                continue;
            }
            let target = message["message"]["params"]["request"]["url"].as_str().unwrap();
            asked += 1;
            assert!(target.starts_with(url) || target.starts_with("data:"), "the page asked {target}");
        }
        assert!(asked > 20, "the requests were seen: {asked}");
        assert_eq!(self.run("return window.harmed ?? null"), Value::Null, "a text ran");
    }
}

/// The port that a driver chose.
fn port(driver: &mut Child) -> u16 {
    let output = driver.stdout.take().unwrap();
    let (sender, ports) = channel();
    // Reads to the end, so that the driver never waits for a reader.
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let port = line.split_once(STARTED).map(|(_, port)| port.trim_end_matches('.').trim().parse());
            if let Some(Ok(port)) = port {
                let _ = sender.send(port);
            }
        }
    });
    ports.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        let _ = driver.kill();
        panic!("chromedriver does not start")
    })
}

fn capabilities(chromium: &Path, screen: Screen) -> Value {
    let Screen { width, height, phone } = screen;
    let metrics = json!({
        "width": width, "height": height, "pixelRatio": if phone { 2.0 } else { 1.0 }, "mobile": phone, "touch": phone,
    });
    let options = json!({
        "binary": chromium,
        "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
            "--force-color-profile=srgb", "--lang=en-GB", format!("--window-size={width},{height}"),
        ],
        "mobileEmulation": { "deviceMetrics": metrics },
    });
    json!({
        "browserName": "chrome",
        "goog:chromeOptions": options,
        "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
    })
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser with the session, and has no children left when it is killed.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

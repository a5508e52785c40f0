//! Microsoft, in a process of its own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU32;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use presence_actors::{GraphNetwork, GraphSetup, SecretStore, Setup};
use presence_core::{GraphRules, SourceRules};
use presence_graph::{AccountKind, AccountSettings, GraphSettings, Secret, TenantSettings};
use presence_simulator::{GraphServer, GraphServiceSettings};

use crate::{DOMAIN, Failure, Plan, say};

/// The process; it is killed when this is dropped.
pub(crate) struct Microsoft {
    child: Child,
    url: String,
    control: SocketAddr,
}

impl Drop for Microsoft {
    fn drop(&mut self) {
        let _it_may_have_ended = self.child.kill();
        let _so = self.child.wait();
    }
}

/// Where it is told what to do.
pub(crate) struct Control(BufReader<TcpStream>);

impl Control {
    /// Carries out a command of the simulator and gives back what it says.
    pub(crate) fn command(&mut self, line: &str) -> Result<String, Failure> {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes())?;
        let mut said = String::new();
        self.0.read_line(&mut said)?;
        let said = said.trim();
        said.strip_prefix("ok").map(|rest| rest.trim().to_owned()).ok_or_else(|| format!("{line}: {said}").into())
    }
}

/// The same for many commands: nobody waits for what it says.
pub(crate) struct Dictation(TcpStream);

impl Dictation {
    pub(crate) fn command(&mut self, line: &str) -> Result<(), Failure> {
        Ok(self.0.write_all(format!("{line}\n").as_bytes())?)
    }
}

impl Microsoft {
    pub(crate) fn start(plan: &Plan) -> Result<Self, Failure> {
        let mut child = plan.as_another("microsoft")?.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("it has no voice")?).read_line(&mut line)?;
        let (url, control) = line.trim().split_once(' ').ok_or("it does not say where it is")?;
        Ok(Self { url: url.to_owned(), control: control.parse()?, child })
    }

    fn control(&self) -> Result<Control, Failure> {
        let stream = TcpStream::connect(self.control)?;
        stream.set_nodelay(true)?;
        Ok(Control(BufReader::new(stream)))
    }

    /// For many commands. One that is not understood is shown.
    pub(crate) fn dictation(&self) -> Result<Dictation, Failure> {
        let stream = TcpStream::connect(self.control)?;
        stream.set_nodelay(true)?;
        let answers = BufReader::new(stream.try_clone()?);
        std::thread::spawn(move || {
            answers.lines().map_while(Result::ok).filter(|line| !line.starts_with("ok")).for_each(|line| say(&line));
        });
        Ok(Dictation(stream))
    }

    /// What it has counted, in one line.
    pub(crate) fn count(&self) -> Result<String, Failure> {
        self.control()?.command("count")
    }

    /// How many requests for presence it has had.
    pub(crate) fn presence_requests(&self) -> Result<u64, Failure> {
        let count = self.count()?;
        let found = count.split(' ').find_map(|pair| pair.strip_prefix("presences="));
        Ok(found.map_or(Ok(0), str::parse)?)
    }

    /// A provider whose agents are users there.
    pub(crate) fn setup(&self, sweep: Duration) -> Setup {
        let account = AccountSettings { name: "account1".into(), kind: AccountKind::Application };
        let id = GraphServiceSettings::TENANT.into();
        let settings = GraphSettings {
            tenants: vec![TenantSettings { id, domains: [].into(), accounts: vec![account] }],
            users: BTreeMap::new(),
            sweep,
            slow_sweep: sweep,
            requests_per_second: NonZeroU32::new(30).expect("30 is not zero"),
            forget_unknown_after: Duration::from_secs(900),
            declines: false,
            notifications: None,
        };
        let graph = Some(GraphRules::default());
        let mut setup = Setup::new(SourceRules { attendant: None, pstn: false, graph, ucma: false }, Vec::new());
        setup.graph = Some(GraphSetup {
            settings,
            agents_per_second: NonZeroU32::new(650).expect("650 is not zero"),
            login_url: self.url.clone(),
            graph_url: self.url.clone(),
            secrets: Arc::new(Known),
            network: GraphNetwork::Http { proxy: None, trusted_certificates: None },
            seed: None,
        });
        setup
    }
}

/// The one secret that there is.
#[derive(Debug)]
struct Known;

impl SecretStore for Known {
    fn load(&self, _: &str) -> Result<Secret, String> {
        let secret = GraphServiceSettings::SECRET.to_owned().into();
        Ok(Secret::ClientSecret { client_id: GraphServiceSettings::CLIENT.to_owned(), secret })
    }

    fn store(&self, _: &str, _: &secrecy::SecretString) -> Result<(), String> {
        Ok(())
    }
}

/// Is Microsoft until it is killed.
pub(crate) async fn serve(users: usize) -> Result<(), Failure> {
    let settings = GraphServiceSettings::with_users(u32::try_from(users)?, DOMAIN);
    let any: SocketAddr = "127.0.0.1:0".parse()?;
    let server = GraphServer::start_with_control(settings, any, Some(any)).await?;
    let control = server.control().ok_or("there is no control port")?;
    say(&format!("{} {control}", server.url()));
    std::future::pending().await
}

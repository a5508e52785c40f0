//! Whether the pool could open connections to us.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use presence_actors::transport::Server;
use presence_config::{PoolSettings, Transport};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::report::{Outcome, Step};

const STEP: &str = "listener";
const PATIENCE: Duration = Duration::from_secs(3);

/// What was found about our port.
pub(super) struct Listening {
    pub(super) step: Step,
    /// Something listens there already: perhaps the provider.
    pub(super) in_use: bool,
}

/// Listens on the configured address and connects to it by an address that others know this computer by.
pub(super) async fn listener(pool: &PoolSettings, servers: &[Server]) -> Listening {
    let free = |step| Listening { step, in_use: false };
    let Some(listen) = pool.listen else {
        return free(Step::skipped(STEP, "no Listen in <Pool>: the pool answers on the connection that we open"));
    };
    if pool.transport == Transport::Udp {
        return match UdpSocket::bind(listen).await {
            Ok(_) => free(Step::ok(STEP, format!("{listen} (UDP) can be bound"))),
            Err(error) if error.kind() == ErrorKind::AddrInUse => occupied(listen),
            Err(error) => free(cannot(listen, &error)),
        };
    }
    match TcpListener::bind(listen).await {
        Ok(socket) => free(reached(&socket, listen, servers).await),
        Err(error) if error.kind() == ErrorKind::AddrInUse => occupied(listen),
        Err(error) => free(cannot(listen, &error)),
    }
}

fn occupied(listen: SocketAddr) -> Listening {
    let port = listen.port();
    let step = Step::warn(
        STEP,
        format!("{listen} is listened on already: by a running presence-provider, or by another program"),
        format!("`ss -ltnp sport = :{port}` says by whom, on Windows `Get-NetTCPConnection -LocalPort {port}`"),
    );
    let step = step.advise("when it is the provider, all is well here; another program must go, or Listen of <Pool> and the port of the trusted application must change");
    Listening { step, in_use: true }
}

fn cannot(listen: SocketAddr, error: &std::io::Error) -> Step {
    let advice = match error.kind() {
        ErrorKind::PermissionDenied => {
            "the system does not let this user listen on the port; take one above 1023, or grant the right to the service"
        }
        ErrorKind::AddrNotAvailable => {
            "this computer does not have the address; correct Listen of <Pool>, 0.0.0.0 stands for all addresses"
        }
        _ => "correct Listen of <Pool>",
    };
    Step::fail(STEP, format!("{listen} cannot be listened on: {error}"), advice)
}

async fn reached(socket: &TcpListener, listen: SocketAddr, servers: &[Server]) -> Step {
    let pool_is_here = !servers.is_empty() && servers.iter().all(|server| server.address.ip().is_loopback());
    if listen.ip().is_loopback() && !pool_is_here {
        return Step::warn(
            STEP,
            format!("{listen} can be listened on, and only programs of this computer can connect to it"),
            "write 0.0.0.0 or an address of this computer into Listen of <Pool>",
        );
    }
    let own = if listen.ip().is_unspecified() { own_address(listen.ip(), servers).await } else { Some(listen.ip()) };
    let Some(own) = own else {
        return Step::warn(
            STEP,
            format!("{listen} can be listened on, but this computer has no address that others could connect to"),
            "check the network of this computer",
        );
    };
    let port = socket.local_addr().map_or(listen.port(), |local| local.port());
    let target = SocketAddr::new(own, port);
    let meeting = async {
        let (connected, accepted) = tokio::join!(TcpStream::connect(target), socket.accept());
        connected.and(accepted)
    };
    match tokio::time::timeout(PATIENCE, meeting).await {
        Ok(Ok(_)) => {
            let step =
                Step::ok(STEP, format!("{listen} can be listened on, and {target} is reached from this computer"));
            if own.is_loopback() {
                return step;
            }
            step.detail(format!(
                "only a front end can tell whether it gets through; there: Test-NetConnection {own} -Port {port}"
            ))
        }
        Ok(Err(error)) => unreached(target, &error.to_string()),
        Err(_) => unreached(target, "no answer in time"),
    }
}

fn unreached(target: SocketAddr, why: &str) -> Step {
    let advice =
        format!("let port {} in: `presence-provider provision` prints the rule of the firewall", target.port());
    Step::new(STEP, Outcome::Fail, format!("{target} is not reached even from this computer: {why}")).advise(advice)
}

/// The address by which this computer would speak to the pool, or to anybody. Nothing is sent.
async fn own_address(listen: IpAddr, servers: &[Server]) -> Option<IpAddr> {
    /// A documentation address: it stands for whatever lies beyond this computer.
    const ELSEWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), 9);
    let targets = servers.iter().map(|server| server.address).chain([ELSEWHERE]);
    for target in targets.filter(|target| listen.is_ipv6() || target.is_ipv4()) {
        let from = SocketAddr::new(if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { listen }, 0);
        let Ok(socket) = UdpSocket::bind(from).await else { continue };
        if socket.connect(target).await.is_ok()
            && let Ok(local) = socket.local_addr()
            && !local.ip().is_loopback()
            && !local.ip().is_unspecified()
        {
            return Some(local.ip());
        }
    }
    None
}

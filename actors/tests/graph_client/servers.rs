//! Small servers that say what they are told to say, whatever they are asked.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What a server does once it has read a head.
#[derive(Clone)]
pub(crate) enum Says {
    /// This, and then it waits for the next request.
    This(Vec<u8>),
    /// This, and then zeros without end.
    Endless(Vec<u8>),
    /// Nothing.
    Nothing,
}

/// A server: where it is, and the heads that it was sent, each with the number of its connection.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    heads: UnboundedReceiver<(usize, String)>,
}

impl Server {
    pub(crate) async fn start(says: Says) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, heads) = unbounded_channel();
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, number, says.clone(), sender.clone()));
            }
        });
        Self { address, heads }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads so far, in lower case.
    pub(crate) fn heads(&mut self) -> Vec<(usize, String)> {
        std::iter::from_fn(|| self.heads.try_recv().ok()).collect()
    }
}

/// Reads heads (and the body, when the length is told) and says what it is told to say.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    number: usize,
    says: Says,
    heads: UnboundedSender<(usize, String)>,
) {
    let mut read = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&read[..at]).to_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                if read.len() >= at + 4 + length.unwrap_or(0) {
                    let _the_test_is_over = heads.send((number, head));
                    break at + 4 + length.unwrap_or(0);
                }
            }
            match stream.read_buf(&mut read).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        read.drain(..end);
        match &says {
            Says::This(bytes) => stream.write_all(bytes).await.unwrap(),
            Says::Endless(bytes) => {
                stream.write_all(bytes).await.unwrap();
                while stream.write_all(&[0; 65_536]).await.is_ok() {}
                return;
            }
            Says::Nothing => std::future::pending().await,
        }
    }
}

/// An answer of HTTP/1.1 with these fields and this body.
pub(crate) fn answer(status: &str, fields: &str, body: &[u8]) -> Says {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{fields}\r\n", body.len());
    Says::This([head.as_bytes(), body].concat())
}

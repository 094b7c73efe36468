//! The listening socket, and how much of anybody's time and memory a client gets.
//!
//! Rule: a client may be silent, slow, or many; it is cut off, or waits in the kernel's queue, and the others are served.

use std::convert::Infallible;
use std::io;
use std::net;
use std::os::fd::OwnedFd;
use std::os::unix::net as unix;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fpm_conf::OperatorAddress;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_io_timeout::TimeoutStream;

use crate::answers;
use crate::desk::Desk;
use crate::request::Reach;

/// Connections at a time; more wait in the kernel's queue.
const MOST: usize = 64;

/// How long a client may take for the head of a request, and may be silent between two.
const HEAD: Duration = Duration::from_secs(10);

/// How long a client may let an answer wait.
const WRITE: Duration = Duration::from_secs(10);

/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;

/// When to try again after the kernel would not accept.
const AGAIN: Duration = Duration::from_millis(100);

/// The listening socket.
#[derive(Debug)]
pub(crate) enum Door {
    /// Of a loopback address.
    Tcp(TcpListener),
    /// A file.
    Unix(UnixListener),
}

/// A connection of any kind.
trait Stream: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

impl Door {
    /// Takes the socket, which listens at `address` and does not block.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub(crate) fn adopt(socket: OwnedFd, address: &OperatorAddress) -> io::Result<Door> {
        Ok(match address {
            OperatorAddress::Loopback(_) => {
                Door::Tcp(TcpListener::from_std(net::TcpListener::from(socket))?)
            }
            OperatorAddress::Unix(_) => {
                Door::Unix(UnixListener::from_std(unix::UnixListener::from(socket))?)
            }
        })
    }

    /// Serves whoever comes.
    pub(crate) async fn attend(&self, desk: Arc<Desk>) -> Infallible {
        let room = Arc::new(Semaphore::new(MOST));
        let viewers = Arc::new(Semaphore::new(answers::MOST_VIEWERS));
        loop {
            let place = Arc::clone(&room).acquire_owned().await;
            match self.accept().await {
                Ok((stream, reach)) => {
                    let (desk, viewers) = (Arc::clone(&desk), Arc::clone(&viewers));
                    tokio::spawn(async move {
                        converse(stream, reach, desk, viewers).await;
                        drop(place);
                    });
                }
                Err(_) => sleep(AGAIN).await,
            }
        }
    }

    async fn accept(&self) -> io::Result<(Pin<Box<dyn Stream>>, Reach)> {
        Ok(match self {
            Door::Tcp(listener) => (Box::pin(listener.accept().await?.0), Reach::Loopback),
            Door::Unix(listener) => (Box::pin(listener.accept().await?.0), Reach::Local),
        })
    }
}

/// Answers the requests of one client until it hangs up or takes too long.
async fn converse(
    stream: Pin<Box<dyn Stream>>,
    reach: Reach,
    desk: Arc<Desk>,
    viewers: Arc<Semaphore>,
) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE));
    let service = service_fn(|request| {
        let (desk, viewers) = (Arc::clone(&desk), Arc::clone(&viewers));
        async move { Ok::<_, Infallible>(answers::answer(&request, reach, desk, &viewers).await) }
    });
    let conversation = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    // However it ends, it is the client's affair.
    let _ = conversation.await;
}

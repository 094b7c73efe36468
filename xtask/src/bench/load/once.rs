//! One request that waits for its answer, whatever it is: for warming up, for pages that change, for the time of one answer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context as _, bail};
use fcgi_proto::Limits;
use fcgi_proto::client::{Decoder, Event};

use super::socket::Address;

/// How long a daemon may be silent.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks over FastCGI and returns the body.
///
/// # Errors
/// When there is no complete answer.
pub(in crate::bench) fn ask(address: &Address, request: &[u8]) -> anyhow::Result<Vec<u8>> {
    let output = match address {
        Address::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            exchange(stream, request)
        }
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            exchange(stream, request)
        }
    };
    let output = output.with_context(|| format!("no answer from {address}"))?;
    let head = output.windows(4).position(|four| four == b"\r\n\r\n");
    let Some(head) = head else {
        bail!(
            "an answer without a head: {}",
            String::from_utf8_lossy(&output)
        );
    };
    Ok(output[head + 4..].to_vec())
}

fn exchange(mut stream: impl Read + Write, request: &[u8]) -> anyhow::Result<Vec<u8>> {
    stream.write_all(request)?;
    let mut decoder = Decoder::new(Limits::default());
    let mut output = Vec::new();
    loop {
        match decoder.poll()? {
            Event::Stdout { bytes, .. } => output.extend_from_slice(bytes),
            Event::End { .. } => return Ok(output),
            Event::NeedInput => {
                let count = stream.read(decoder.space())?;
                if count == 0 {
                    bail!("the connection is closed before the answer is complete");
                }
                decoder.filled(count);
            }
            Event::Stderr { .. } | Event::Values(_) | Event::UnknownType(_) => {}
        }
    }
}

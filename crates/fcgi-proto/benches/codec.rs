//! What the codec costs per request: a typical request of nginx in, answers of usual sizes out, no system calls.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fcgi_proto::Limits;
use fcgi_proto::client::{Decoder, Encoder, Event};
use fcgi_proto::record::{AfterRequest, ProtocolStatus, RequestId, Role};
use fcgi_proto::response::{Response, Stream, frames};
use fcgi_proto::server::{Connection, Progress};

/// nginx's `fastcgi_params` and five header fields.
const PARAMS: [(&str, &str); 25] = [
    ("SCRIPT_FILENAME", "/var/www/html/index.php"),
    ("QUERY_STRING", "page=2&sort=name&order=desc"),
    ("REQUEST_METHOD", "GET"),
    ("CONTENT_TYPE", ""),
    ("CONTENT_LENGTH", ""),
    ("SCRIPT_NAME", "/index.php"),
    ("REQUEST_URI", "/index.php?page=2&sort=name&order=desc"),
    ("DOCUMENT_URI", "/index.php"),
    ("DOCUMENT_ROOT", "/var/www/html"),
    ("SERVER_PROTOCOL", "HTTP/1.1"),
    ("REQUEST_SCHEME", "https"),
    ("HTTPS", "on"),
    ("GATEWAY_INTERFACE", "CGI/1.1"),
    ("SERVER_SOFTWARE", "nginx/1.26.3"),
    ("REMOTE_ADDR", "203.0.113.77"),
    ("REMOTE_PORT", "54321"),
    ("SERVER_ADDR", "198.51.100.10"),
    ("SERVER_PORT", "443"),
    ("SERVER_NAME", "www.example.org"),
    ("REDIRECT_STATUS", "200"),
    ("HTTP_HOST", "www.example.org"),
    (
        "HTTP_USER_AGENT",
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    ),
    (
        "HTTP_ACCEPT",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    ),
    ("HTTP_ACCEPT_ENCODING", "gzip, deflate, br, zstd"),
    (
        "HTTP_COOKIE",
        "PHPSESSID=4e1h0qk7n5h1v3s2m8d6c9b0a7; theme=dark; consent=1",
    ),
];

const HEAD: &[u8] = b"X-Powered-By: PHP/8.2.32\r\nContent-type: text/html; charset=UTF-8\r\n\r\n";

fn request() -> Vec<u8> {
    let mut encoder = Encoder::new(RequestId(1));
    encoder
        .begin(Role::Responder, AfterRequest::Keep)
        .params(PARAMS.map(|(name, value)| (name.as_bytes(), value.as_bytes())))
        .end_params()
        .end_stdin();
    encoder.into_bytes()
}

/// Small answers are framed in the buffer, large ones go around it, as a worker does it. Returns how many bytes go over the wire.
fn answer(response: &mut Response, body: &[u8]) -> usize {
    response.start(RequestId(1));
    let _taken = response.write(Stream::Stdout, HEAD);
    let mut sent = 0;
    if body.len() <= response.room(Stream::Stdout) {
        let _taken = response.write(Stream::Stdout, body);
    } else {
        sent += black_box(response.buffered()).len();
        response.discard();
        for frame in frames(RequestId(1), Stream::Stdout, body) {
            sent += black_box(frame)
                .pieces()
                .iter()
                .map(|piece| piece.len())
                .sum::<usize>();
        }
    }
    response.end(0, ProtocolStatus::RequestComplete);
    sent + black_box(response.buffered()).len()
}

fn server(c: &mut Criterion) {
    let wire = request();
    let mut connection = Connection::new(Limits::default());
    let mut group = c.benchmark_group("server");
    group.throughput(Throughput::Bytes(wire.len() as u64));
    group.bench_function("request of nginx, 25 params", |b| {
        b.iter(|| {
            connection.space()[..wire.len()].copy_from_slice(&wire);
            connection.filled(wire.len());
            assert_eq!(connection.poll(), Ok(Progress::Request));
            black_box(connection.request().params().get(b"SCRIPT_FILENAME"));
            connection.finish_request();
        });
    });
    let mut response = Response::default();
    for (name, size) in [
        ("answer of 100 bytes", 100),
        ("answer of 18 kB", 18_000),
        ("answer of 1 MB", 1_000_000),
    ] {
        let body = vec![b'x'; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(name, |b| b.iter(|| answer(&mut response, black_box(&body))));
    }
    group.finish();
}

fn client(c: &mut Criterion) {
    let mut group = c.benchmark_group("client");
    group.bench_function("encode the request", |b| b.iter(request));
    for (name, size) in [("decode 18 kB", 18_000), ("decode 1 MB", 1_000_000)] {
        let body = vec![b'x'; size];
        let wire: Vec<u8> = frames(RequestId(1), Stream::Stdout, &body)
            .flat_map(|frame| frame.pieces().concat())
            .collect();
        let mut decoder = Decoder::new(Limits {
            input_bytes: 64 << 10,
            ..Limits::default()
        });
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut rest = &wire[..];
                let mut decoded = 0;
                while decoded < size {
                    match decoder.poll() {
                        Ok(Event::Stdout { bytes, .. }) => decoded += black_box(bytes).len(),
                        _ => {
                            let space = decoder.space();
                            let n = rest.len().min(space.len());
                            space[..n].copy_from_slice(&rest[..n]);
                            rest = &rest[n..];
                            decoder.filled(n);
                        }
                    }
                }
                decoder.reset();
            });
        });
    }
    group.finish();
}

criterion_group!(codec, server, client);
criterion_main!(codec);

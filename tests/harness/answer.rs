//! What came back for one FastCGI request.

use std::fmt;

use fcgi_proto::record::{EndRequest, RecordType};

use crate::record::Record;

/// A complete answer: status, headers, body, and what the daemon said about it.
#[derive(Clone)]
pub struct Answer {
    /// The HTTP status a web server would send: that of the `Status:` line, else 200.
    pub status: u16,
    /// The header block as it was sent, without the empty line that ends it.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
    /// All of the STDERR stream.
    pub stderr: String,
    /// END_REQUEST's application and protocol status.
    pub end: Option<(u32, u8)>,
    /// The records that carried all this.
    pub records: Vec<Record>,
}

impl Answer {
    /// Puts the records of one request together.
    #[must_use]
    pub fn of(records: Vec<Record>) -> Self {
        let stream = |kind| -> Vec<u8> {
            records
                .iter()
                .filter(|record| record.kind == kind)
                .flat_map(|record| record.content.clone())
                .collect()
        };
        let (stdout, stderr) = (stream(RecordType::Stdout), stream(RecordType::Stderr));
        let (head, body) = match stdout.windows(4).position(|four| four == b"\r\n\r\n") {
            Some(end) => (
                String::from_utf8_lossy(&stdout[..end]).into_owned(),
                stdout[end + 4..].to_vec(),
            ),
            None => (String::new(), stdout),
        };
        let end = records
            .iter()
            .find(|record| record.kind == RecordType::EndRequest)
            .and_then(|record| EndRequest::parse(&record.content).ok())
            .map(|(_, end)| (end.app_status, end.protocol_status.code()));
        let mut answer = Self {
            status: 200,
            head,
            body,
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            end,
            records,
        };
        if let Some(code) = answer
            .header("Status")
            .and_then(|line| line.get(..3)?.parse().ok())
        {
            answer.status = code;
        }
        answer
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The header lines in order.
    #[must_use]
    pub fn header_lines(&self) -> Vec<&str> {
        self.head.split("\r\n").collect()
    }

    /// The first header of that name (in any case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).first().copied()
    }

    /// All headers of that name (in any case).
    #[must_use]
    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.head
            .split("\r\n")
            .filter_map(|line| line.split_once(':'))
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim_start())
            .collect()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.text();
        if text.len() > 2000 {
            text = format!("{} octets", text.len());
        }
        out.debug_struct("Answer")
            .field("head", &self.head)
            .field("body", &text)
            .field("stderr", &self.stderr)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

//! What is printed of an answer, and what its header block says.

use std::io::Write;

use bstr::ByteSlice;

use super::failure::Failure;

/// What of the answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// Headers and body, as they come.
    All,
    /// The body only.
    Body,
}

/// Longest header block in bytes.
const LONGEST_HEAD: usize = 1 << 20;

/// An answer on its way to the terminal.
#[derive(Debug)]
pub(super) struct Answer<O, E> {
    show: Show,
    stdout: O,
    stderr: E,
    /// The header block as far as it has come.
    head: Vec<u8>,
    /// The HTTP status, once the header block is complete.
    status: Option<u16>,
    /// The last byte of the application's messages.
    last_of_stderr: Option<u8>,
}

impl<O: Write, E: Write> Answer<O, E> {
    pub(super) fn new(show: Show, stdout: O, stderr: E) -> Self {
        Self {
            show,
            stdout,
            stderr,
            head: Vec::new(),
            status: None,
            last_of_stderr: None,
        }
    }

    /// Takes the next piece of the answer.
    ///
    /// # Errors
    /// If it cannot be printed, or cannot be an answer.
    pub(super) fn output(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.show == Show::All {
            self.print(bytes)?;
        }
        if self.status.is_some() {
            return if self.show == Show::Body {
                self.print(bytes)
            } else {
                Ok(())
            };
        }
        // The blank line may begin in what has come before.
        let from = self.head.len().saturating_sub(3);
        self.head.extend_from_slice(bytes);
        let Some(end) = end_of_head(&self.head, from) else {
            return if self.head.len() > LONGEST_HEAD {
                Err(Failure::NoHeaders)
            } else {
                Ok(())
            };
        };
        let body = self.head.split_off(end);
        self.status = Some(status(&self.head));
        if self.show == Show::Body {
            self.print(&body)
        } else {
            Ok(())
        }
    }

    /// Takes the next piece of the application's error messages.
    pub(super) fn message(&mut self, bytes: &[u8]) {
        self.last_of_stderr = bytes.last().copied().or(self.last_of_stderr);
        // There is nowhere to say that it cannot be said.
        let _ = self.stderr.write_all(bytes);
    }

    /// Ends the printing and returns the HTTP status.
    ///
    /// # Errors
    /// If the answer has no header block or could not be printed.
    pub(super) fn finish(mut self) -> Result<u16, Failure> {
        if self.last_of_stderr.is_some_and(|last| last != b'\n') {
            self.message(b"\n");
        }
        self.stdout.flush().map_err(Failure::Output)?;
        self.status.ok_or(Failure::NoHeaders)
    }

    fn print(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stdout.write_all(bytes).map_err(Failure::Output)
    }
}

/// Returns where the body begins, if the blank line is there. The search starts at `from`.
fn end_of_head(head: &[u8], from: usize) -> Option<usize> {
    if let Some(end) = head.strip_prefix(b"\r\n").or(head.strip_prefix(b"\n")) {
        return Some(head.len() - end.len());
    }
    let ends =
        [&b"\n\r\n"[..], b"\n\n"].map(|end| head[from..].find(end).map(|at| from + at + end.len()));
    ends.into_iter().flatten().min()
}

/// Returns the status of a header block: that of its `Status` line, else 302 if there is a `Location`, else 200 (RFC 3875, 6.2).
fn status(head: &[u8]) -> u16 {
    let value = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once_str(":"))
            .find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
    };
    match value("Status") {
        // What is no number is an error of the application.
        Some((_, text)) => text
            .trim()
            .fields()
            .next()
            .and_then(|code| code.to_str().ok()?.parse().ok())
            .unwrap_or(500),
        None if value("Location").is_some() => 302,
        None => 200,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what is printed of an answer that comes in pieces of `cut` bytes, and how it ends.
    fn printed(show: Show, answer: &[u8], cut: usize) -> (String, Result<u16, String>) {
        let mut stdout = Vec::new();
        let mut state = Answer::new(show, &mut stdout, Vec::new());
        answer
            .chunks(cut)
            .for_each(|piece| state.output(piece).expect("a vector takes everything"));
        let end = state.finish().map_err(|failure| failure.to_string());
        (stdout.to_str_lossy().into_owned(), end)
    }

    #[test]
    fn heads_and_bodies() {
        for (head, status) in [
            ("Content-type: text/html\r\n\r\n", 200),
            ("X: y\nStatus: 404 Not Found\n\n", 404),
            ("status:503\r\n\r\n", 503),
            ("Location: /x\r\n\r\n", 302),
            ("Location: /x\r\nStatus: 201 Created\r\n\r\n", 201),
            ("Status: none\r\n\r\n", 500),
            ("\r\n", 200),
        ] {
            let answer = format!("{head}body\n\nmore");
            for cut in [1, 2, 3, 1000] {
                assert_eq!(
                    printed(Show::Body, answer.as_bytes(), cut),
                    ("body\n\nmore".to_owned(), Ok(status)),
                    "{head}"
                );
                assert_eq!(
                    printed(Show::All, answer.as_bytes(), cut),
                    (answer.clone(), Ok(status))
                );
            }
        }
    }

    #[test]
    fn no_head() {
        let (printed, end) = printed(Show::All, b"oops", 4);
        assert_eq!(
            (printed.as_str(), end),
            ("oops", Err("the answer has no header block".to_owned()))
        );
    }

    #[test]
    fn messages_end_with_a_line() {
        for (pieces, expected) in [
            (&["PHP message: x"][..], "PHP message: x\n"),
            (&["x", "\n", ""], "x\n"),
            (&[], ""),
        ] {
            let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
            let mut state = Answer::new(Show::All, &mut stdout, &mut stderr);
            pieces
                .iter()
                .for_each(|piece| state.message(piece.as_bytes()));
            assert!(state.finish().is_err());
            assert_eq!(stderr.to_str_lossy(), expected);
        }
    }
}

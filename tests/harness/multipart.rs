//! A `multipart/form-data` body as a browser makes it.

/// A form with files.
#[derive(Clone, Debug, Default)]
pub struct Multipart {
    body: Vec<u8>,
}

const BOUNDARY: &str = "----fpmd-form-boundary-7MA4YWxkTrZu0gW";

impl Multipart {
    /// An empty form.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an ordinary field.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.part(
            &format!("Content-Disposition: form-data; name=\"{name}\"\r\n"),
            value.as_bytes(),
        );
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn file(mut self, name: &str, file_name: &str, content_type: &str, content: &[u8]) -> Self {
        let head = format!(
            "Content-Disposition: form-data; name=\"{name}\"; filename=\"{file_name}\"\r\nContent-Type: {content_type}\r\n"
        );
        self.part(&head, content);
        self
    }

    /// The `Content-Type` of the request.
    #[must_use]
    pub fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={BOUNDARY}")
    }

    /// The body of the request.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.body.clone();
        bytes.extend(format!("--{BOUNDARY}--\r\n").bytes());
        bytes
    }

    fn part(&mut self, head: &str, content: &[u8]) {
        self.body
            .extend(format!("--{BOUNDARY}\r\n{head}\r\n").bytes());
        self.body.extend(content);
        self.body.extend(b"\r\n");
    }
}

//! A visitor: HTTP with cookies and redirects.

use std::fmt::Write;
use std::time::Duration;

use anyhow::Context;
use ureq::http::{Request, Response};
use ureq::{Agent, Body, ResponseExt};

use crate::{Multipart, Page, Result};

/// A browser with a cookie jar of its own.
#[derive(Debug)]
pub struct Browser {
    agent: Agent,
    site: String,
}

/// How long a page may take; applications install themselves in one request.
const PAGE_PATIENCE: Duration = Duration::from_secs(120);

impl Browser {
    /// A browser on a site such as `http://127.0.0.1:8080`.
    #[must_use]
    pub fn new(site: &str) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(PAGE_PATIENCE))
            .http_status_as_error(false)
            .max_redirects(10)
            .build()
            .new_agent();
        Self {
            agent,
            site: site.to_owned(),
        }
    }

    /// Loads a page, following redirects.
    ///
    /// # Errors
    /// Fails when there is no complete answer; an error page is a page.
    pub fn get(&self, address: &str) -> Result<Page> {
        self.send(address, Request::get(self.url(address)), &[])
    }

    /// Loads a page with additional headers.
    ///
    /// # Errors
    /// Fails when there is no complete answer.
    pub fn get_with(&self, address: &str, headers: &[(&str, &str)]) -> Result<Page> {
        let request = headers
            .iter()
            .fold(Request::get(self.url(address)), |request, (name, value)| {
                request.header(*name, *value)
            });
        self.send(address, request, &[])
    }

    /// Submits a form.
    ///
    /// # Errors
    /// Fails when there is no complete answer.
    pub fn post<N: AsRef<str>, V: AsRef<str>>(
        &self,
        address: &str,
        form: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Page> {
        let pairs: Vec<String> = form
            .into_iter()
            .map(|(name, value)| format!("{}={}", encode(name.as_ref()), encode(value.as_ref())))
            .collect();
        self.post_body(
            address,
            &[("Content-Type", "application/x-www-form-urlencoded")],
            pairs.join("&").as_bytes(),
        )
    }

    /// Submits a form with files.
    ///
    /// # Errors
    /// Fails when there is no complete answer.
    pub fn upload(
        &self,
        address: &str,
        headers: &[(&str, &str)],
        form: &Multipart,
    ) -> Result<Page> {
        let content_type = form.content_type();
        let headers = [headers, &[("Content-Type", &*content_type)]].concat();
        self.post_body(address, &headers, &form.bytes())
    }

    /// Posts a body of any kind.
    ///
    /// # Errors
    /// Fails when there is no complete answer.
    pub fn post_body(&self, address: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Page> {
        let request = headers.iter().fold(
            Request::post(self.url(address)),
            |request, (name, value)| request.header(*name, *value),
        );
        self.send(address, request, body)
    }

    fn send(
        &self,
        address: &str,
        request: ureq::http::request::Builder,
        body: &[u8],
    ) -> Result<Page> {
        let answer = self
            .agent
            .run(request.body(body)?)
            .with_context(|| format!("no answer from {address}"))?;
        page(answer).with_context(|| format!("no complete answer from {address}"))
    }

    fn url(&self, address: &str) -> String {
        if address.starts_with("http://") {
            address.to_owned()
        } else {
            format!("{}{address}", self.site)
        }
    }
}

fn page(mut answer: Response<Body>) -> Result<Page> {
    let address = answer
        .get_uri()
        .path_and_query()
        .map(ToString::to_string)
        .unwrap_or_default();
    let headers = answer
        .headers()
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let body = answer
        .body_mut()
        .with_config()
        .limit(64 << 20)
        .read_to_vec()?;
    Ok(Page {
        status: answer.status().as_u16(),
        address,
        headers,
        body,
    })
}

/// Percent-encodes a form's name or value.
fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, octet| {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            encoded.push(char::from(octet));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{octet:02X}");
        }
        encoded
    })
}

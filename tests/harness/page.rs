//! A page that a browser has loaded, with just enough reading of HTML to fill in forms.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, ensure};

use crate::Result;

/// One loaded page.
#[derive(Clone)]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    /// Path and query of the page's address, after redirects.
    pub address: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Page {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first header of that (lower case) name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Makes sure that the page is a 200 with this text on it.
    ///
    /// # Errors
    /// Fails with the page otherwise.
    pub fn shows(&self, text: &str) -> Result<&Self> {
        ensure!(
            self.status == 200,
            "{} is a {}:\n{}",
            self.address,
            self.status,
            self.text()
        );
        ensure!(
            self.text().contains(text),
            "{} does not show {text:?}:\n{}",
            self.address,
            self.text()
        );
        Ok(self)
    }

    /// The fields of the first form whose opening tag contains `mark`, with the values that a browser would send.
    ///
    /// # Errors
    /// Fails when there is no such form.
    pub fn form(&self, mark: &str) -> Result<BTreeMap<String, String>> {
        let text = self.text();
        let form = text
            .split("<form")
            .skip(1)
            .find(|form| form.split('>').next().is_some_and(|tag| tag.contains(mark)))
            .with_context(|| format!("no form {mark:?} in {}:\n{text}", self.address))?;
        let form = form.split("</form").next().unwrap_or(form);
        let mut fields = BTreeMap::new();
        for tag in form
            .split("<input")
            .skip(1)
            .filter_map(|rest| rest.split('>').next())
        {
            let kind = attribute(tag, "type").unwrap_or_default();
            let is_chosen = !matches!(&*kind, "checkbox" | "radio") || tag.contains("checked");
            if let Some(name) = attribute(tag, "name")
                && is_chosen
                && !matches!(&*kind, "submit" | "file" | "button")
            {
                fields.insert(name, attribute(tag, "value").unwrap_or_default());
            }
        }
        for area in form.split("<textarea").skip(1) {
            let (tag, rest) = area.split_once('>').unwrap_or((area, ""));
            if let Some(name) = attribute(tag, "name") {
                let value = rest.split("</textarea").next().unwrap_or_default();
                fields.insert(name, plain(value.strip_prefix('\n').unwrap_or(value)));
            }
        }
        Ok(fields)
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} {} {:?}\n{}",
            self.status,
            self.address,
            self.headers,
            self.text()
        )
    }
}

/// The value of an attribute in an opening tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut rest = tag;
    while let Some(at) = rest.find(name) {
        let before = rest[..at].chars().next_back();
        let after = &rest[at + name.len()..];
        if before.is_none_or(char::is_whitespace)
            && let Some(value) = after.strip_prefix('=')
        {
            let quote = value
                .chars()
                .next()
                .filter(|quote| matches!(quote, '"' | '\''));
            return Some(plain(match quote {
                Some(quote) => value[1..].split(quote).next().unwrap_or_default(),
                None => value.split([' ', '/']).next().unwrap_or_default(),
            }));
        }
        rest = after;
    }
    None
}

/// Text without HTML's escapes.
fn plain(text: &str) -> String {
    text.replace("&quot;", "\"")
        .replace("&#039;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_fields_are_what_a_browser_sends() {
        let html = "<form id='other'><input name=x value=1></form><form method=\"post\" id=\"f\"><input type=\"hidden\" name=\"a\" value=\"1 &amp; 2\">\
            <input type='checkbox' name='no' value='1'><input type='checkbox' name='yes' value='1' checked><input type=submit name=s value=Go>\
            <textarea name=\"t\">\nline &lt;b&gt;</textarea></form>";
        let page = Page {
            status: 200,
            address: "/".to_owned(),
            headers: Vec::new(),
            body: html.into(),
        };
        let fields: Vec<_> = page.form("id=\"f\"").unwrap().into_iter().collect();
        let expected = [("a", "1 & 2"), ("t", "line <b>"), ("yes", "1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(fields, expected);
    }
}

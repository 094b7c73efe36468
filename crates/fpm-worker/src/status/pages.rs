//! The status page in its formats for people and programs: text, HTML, XML and JSON.

use std::fmt::Write;

use fpm_conf::PhpVersion;
use fpm_os::clock::LocalTime;
use sapi::PoolStatus;

use super::fields::{Field, Value, of_pool, of_process};
use super::query::{Format, Wanted};
use super::{Detail, escape, openmetrics};
use crate::timestamp::timestamp;

/// Column of the values in the text format.
const COLUMN: usize = 22;

const HTML_BEGINNING: &str = concat!(
    "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\" ",
    "\"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd\">\n",
    "<html xmlns=\"http://www.w3.org/1999/xhtml\" xml:lang=\"en\" lang=\"en\">\n",
    "<head><title>PHP-FPM Status Page</title></head>\n<body>\n<table>\n",
);

/// What is to be shown, and how.
struct Sheet<'a> {
    pool: Vec<Field<'a>>,
    processes: Vec<[Field<'a>; 13]>,
    detail: Detail,
    /// Tells what a clock on the wall showed so many seconds after 1970.
    local: fn(u64) -> LocalTime,
}

/// Writes a page; `local` is local time so many seconds after 1970.
pub(super) fn render(
    status: &PoolStatus,
    wanted: Wanted,
    php: PhpVersion,
    local: fn(u64) -> LocalTime,
) -> Vec<u8> {
    let sheet = Sheet {
        pool: of_pool(status, php),
        processes: status.processes.iter().map(of_process).collect(),
        detail: wanted.detail,
        local,
    };
    match wanted.format {
        Format::Text => sheet.text(),
        Format::Html => sheet.html().into_bytes(),
        Format::Xml => sheet.xml().into_bytes(),
        Format::Json => sheet.json().into_bytes(),
        Format::OpenMetrics => openmetrics::page(status, php).into_bytes(),
    }
}

impl Sheet<'_> {
    /// Lines of names and values. Texts of clients stand there as they came.
    fn text(&self) -> Vec<u8> {
        let mut page = Vec::new();
        for field in &self.pool {
            self.text_line(field, &mut page);
        }
        for process in &self.processes {
            page.extend_from_slice(b"\n************************\n");
            for field in process {
                self.text_line(field, &mut page);
            }
        }
        page
    }

    fn text_line(&self, field: &Field<'_>, page: &mut Vec<u8>) {
        let name = match field.name {
            "request uri" => "request URI",
            name => name,
        };
        page.extend_from_slice(format!("{:COLUMN$}", format!("{name}:")).as_bytes());
        match &field.value {
            Value::Text(text) => page.extend_from_slice(text),
            Value::Uri { uri, query } => {
                page.extend_from_slice(uri);
                page.extend_from_slice(question_mark(query).as_bytes());
                page.extend_from_slice(query);
            }
            value => page.extend_from_slice(self.number(value, Times::ForPeople).as_bytes()),
        }
        page.push(b'\n');
    }

    fn html(&self) -> String {
        let mut page = HTML_BEGINNING.to_owned();
        for field in &self.pool {
            let value = self.marked_up(&field.value, Times::ForPeople);
            put(
                &mut page,
                format_args!("<tr><th>{}</th><td>{value}</td></tr>\n", field.name),
            );
        }
        page.push_str("</table>\n");
        if self.detail == Detail::Processes {
            page.push_str("<table border=\"1\">\n<tr>");
            for field in of_process(&sapi::ProcessStatus::default()) {
                put(&mut page, format_args!("<th>{}</th>", field.name));
            }
            page.push_str("</tr>\n");
            for process in &self.processes {
                page.push_str("<tr>");
                for field in process {
                    let value = self.marked_up(&field.value, Times::ForPeople);
                    put(&mut page, format_args!("<td>{value}</td>"));
                }
                page.push_str("</tr>\n");
            }
            page.push_str("</table>");
        }
        page.push_str("</body></html>");
        page
    }

    fn xml(&self) -> String {
        let mut page = "<?xml version=\"1.0\" ?>\n<status>\n".to_owned();
        for field in &self.pool {
            self.element(field, &mut page);
            page.push('\n');
        }
        if self.detail == Detail::Processes {
            page.push_str("<processes>\n");
            for process in &self.processes {
                page.push_str("<process>");
                for field in process {
                    self.element(field, &mut page);
                }
                page.push_str("</process>\n");
            }
            page.push_str("</processes>\n");
        }
        page.push_str("</status>");
        page
    }

    fn element(&self, field: &Field<'_>, page: &mut String) {
        let name = field.name.replace(' ', "-");
        let value = self.marked_up(&field.value, Times::ForPrograms);
        put(page, format_args!("<{name}>{value}</{name}>"));
    }

    fn json(&self) -> String {
        let mut page = "{".to_owned();
        self.members(&self.pool, &mut page);
        if self.detail == Detail::Processes {
            page.push_str(", \"processes\":[");
            for (index, process) in self.processes.iter().enumerate() {
                page.push_str(if index == 0 { "{" } else { ",{" });
                self.members(process, &mut page);
                page.push('}');
            }
            page.push(']');
        }
        page.push('}');
        page
    }

    fn members(&self, fields: &[Field<'_>], page: &mut String) {
        for (index, field) in fields.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            put(page, format_args!("{comma}\"{}\":", field.name));
            match &field.value {
                Value::Text(text) => {
                    page.push('"');
                    escape::json(text, page);
                    page.push('"');
                }
                Value::Uri { uri, query } => {
                    page.push('"');
                    escape::json_in_ascii(uri, page);
                    page.push_str(question_mark(query));
                    escape::json_in_ascii(query, page);
                    page.push('"');
                }
                value => page.push_str(&self.number(value, Times::ForPrograms)),
            }
        }
    }

    fn marked_up(&self, value: &Value<'_>, times: Times) -> String {
        let mut text = String::new();
        match value {
            Value::Text(bytes) => escape::markup(bytes, &mut text),
            Value::Uri { uri, query } => {
                escape::markup(uri, &mut text);
                text.push_str(question_mark(query));
                escape::markup(query, &mut text);
            }
            value => text = self.number(value, times),
        }
        text
    }

    /// Writes a value that needs no escaping.
    fn number(&self, value: &Value<'_>, times: Times) -> String {
        match (value, times) {
            (Value::Number(number), _) => number.to_string(),
            (Value::Signed(number), _) => number.to_string(),
            (Value::Percent(percent), _) => format!("{percent:.2}"),
            (Value::Time(seconds), Times::ForPeople) => timestamp(&(self.local)(*seconds)),
            (Value::Time(seconds), Times::ForPrograms) => seconds.to_string(),
            (Value::Text(_) | Value::Uri { .. }, _) => String::new(),
        }
    }
}

/// How moments are written.
#[derive(Clone, Copy)]
enum Times {
    /// As local time.
    ForPeople,
    /// As seconds since 1970.
    ForPrograms,
}

fn question_mark(query: &[u8]) -> &'static str {
    if query.is_empty() { "" } else { "?" }
}

fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a String takes everything");
}

#[cfg(test)]
mod tests;

//! What the query string of a status page asks for.
//!
//! php-fpm looks into `$_GET`, so names are read as PHP reads them; their values do not matter. Unlike `$_GET` this does not
//! depend on `variables_order`.

use fpm_conf::PhpVersion;

use super::Detail;

/// The formats of the status page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Html,
    Xml,
    Json,
    OpenMetrics,
}

/// A format and how much is to be told in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) format: Format,
    pub(crate) detail: Detail,
}

/// In the order in which they are looked for.
const NAMES: [(&[u8], Format); 4] = [
    (b"html", Format::Html),
    (b"xml", Format::Xml),
    (b"json", Format::Json),
    (b"openmetrics", Format::OpenMetrics),
];

impl Format {
    /// Returns the header line; PHP adds its default_charset to the types of text.
    pub(crate) fn content_type(self) -> &'static [u8] {
        match self {
            Format::Text => b"Content-Type: text/plain",
            Format::Html => b"Content-Type: text/html",
            Format::Xml => b"Content-Type: text/xml",
            Format::Json => b"Content-Type: application/json",
            Format::OpenMetrics => {
                b"Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
        }
    }
}

impl Wanted {
    /// Reads a query string.
    pub(crate) fn of(query: &[u8], php: PhpVersion) -> Wanted {
        let names: Vec<_> = query.split(|&byte| byte == b'&').map(name).collect();
        let has = |wanted: &[u8]| names.iter().any(|name| means(name, wanted, php));
        Wanted {
            format: NAMES
                .into_iter()
                .find_map(|(name, format)| has(name).then_some(format))
                .unwrap_or(Format::Text),
            detail: if has(b"full") {
                Detail::Processes
            } else {
                Detail::Pool
            },
        }
    }
}

/// Tells whether a name asks for `wanted`. To PHP 8.2 the beginning of a word is enough.
fn means(name: &[u8], wanted: &[u8], php: PhpVersion) -> bool {
    match php {
        PhpVersion::Php82 => !name.is_empty() && wanted.starts_with(name),
        PhpVersion::Php84 => name == wanted,
    }
}

/// Returns the name in `name=value` or `name[index]=value` as PHP registers it.
fn name(pair: &[u8]) -> Vec<u8> {
    let name = pair.split(|&byte| byte == b'=').next().unwrap_or(pair);
    let mut name = decoded(name);
    // To PHP it is a C string.
    if let Some(end) = name.iter().position(|&byte| byte == 0) {
        name.truncate(end);
    }
    let blanks = name.iter().take_while(|&&byte| byte == b' ').count();
    name.drain(..blanks);
    if let Some(bracket) = name.iter().position(|&byte| byte == b'[')
        && name[bracket..].contains(&b']')
    {
        name.truncate(bracket);
    }
    name
}

/// Undoes the percent encoding.
fn decoded(text: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| {
        let digit = char::from(*byte?).to_digit(16)?;
        u8::try_from(digit).ok()
    };
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        let ahead = rest.as_slice();
        match (byte, digit(ahead.first()), digit(ahead.get(1))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high << 4 | low);
                rest = ahead[2..].iter();
            }
            (b'+', ..) => decoded.push(b' '),
            _ => decoded.push(byte),
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, php: PhpVersion, format: Format, detail: Detail) {
        assert_eq!(
            Wanted::of(query.as_bytes(), php),
            Wanted { format, detail },
            "{query}"
        );
    }

    #[test]
    fn names_and_their_order() {
        for (query, format, detail) in [
            ("", Format::Text, Detail::Pool),
            ("full", Format::Text, Detail::Processes),
            ("html", Format::Html, Detail::Pool),
            ("full&html=0", Format::Html, Detail::Processes),
            ("xml&full=", Format::Xml, Detail::Processes),
            ("json&xml", Format::Xml, Detail::Pool),
            ("openmetrics&json&full", Format::Json, Detail::Processes),
            ("openmetrics", Format::OpenMetrics, Detail::Pool),
            ("a=full&b=json", Format::Text, Detail::Pool),
            ("jso%6E", Format::Json, Detail::Pool),
            ("+json", Format::Json, Detail::Pool),
            ("json[a]=1&full[=1", Format::Json, Detail::Pool),
            ("JSON&%6&%zz&&=", Format::Text, Detail::Pool),
            ("jsonx", Format::Text, Detail::Pool),
            ("json%00x&full%00[", Format::Json, Detail::Processes),
            ("%00json", Format::Text, Detail::Pool),
        ] {
            check(query, PhpVersion::Php84, format, detail);
            check(query, PhpVersion::Php82, format, detail);
        }
    }

    #[test]
    fn beginnings_are_enough_for_php_8_2() {
        for (query, format, detail) in [
            ("f", Format::Text, Detail::Processes),
            ("j&fu", Format::Json, Detail::Processes),
            ("h&j", Format::Html, Detail::Pool),
            ("o", Format::OpenMetrics, Detail::Pool),
        ] {
            check(query, PhpVersion::Php82, format, detail);
            check(query, PhpVersion::Php84, Format::Text, Detail::Pool);
        }
    }
}

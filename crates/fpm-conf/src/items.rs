//! The only place that knows `serde_ini`: statements go through its `Deserializer` to whoever keeps the sections.
//!
//! A changer must know two things. The deserializer asks for one item at a time and for the next one only when that is
//! dealt with, so the position of the source is that of the item at hand. And its items are `String`s: bytes travel in
//! them as the characters U+0000 to U+00FF, so that text in any encoding comes out as it went in.

use std::fmt;

use bstr::{BStr, BString, ByteSlice};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde_ini::de::Error;
use serde_ini::parse::Item;

use crate::ini::Statement;

/// Says that loading cannot go on; why has been reported already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stopped;

/// Keeps what the statements say.
pub(crate) trait Sections {
    /// Opens the section `[name]`.
    fn open(&mut self, name: &BStr) -> Result<(), Stopped>;
    /// Takes `name = value`.
    fn entry(&mut self, name: &BStr, value: &BStr) -> Result<(), Stopped>;
    /// Takes `name[key] = value`.
    fn element(&mut self, name: &BStr, key: &BStr, value: &BStr) -> Result<(), Stopped>;
}

/// Hands all statements to `sections`, until the end or until one side stops.
pub(crate) fn feed(
    statements: impl Iterator<Item = Result<Statement, Stopped>>,
    sections: &mut dyn Sections,
) -> Result<(), Stopped> {
    let items = statements.map(|statement| match statement {
        Ok(statement) => Ok(item(statement)),
        Err(Stopped) => Err(stopped()),
    });
    Document(sections)
        .deserialize(&mut serde_ini::Deserializer::new(items))
        .map_err(|_| Stopped)
}

fn stopped() -> Error {
    Error::custom("reported already")
}

fn item(statement: Statement) -> Item {
    match statement {
        Statement::Section(name) => Item::Section {
            name: characters(&name),
        },
        Statement::Entry { name, value } => Item::Value {
            key: characters(&name),
            value: characters(&value.unwrap_or_default()),
        },
        Statement::Element { name, key, value } => {
            // A name never contains a bracket, so the first one is the border.
            let key = format!("{}[{}", characters(&name), characters(&key));
            Item::Value {
                key,
                value: characters(&value),
            }
        }
    }
}

fn characters(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn bytes(characters: &str) -> BString {
    // Nothing but `characters` makes these strings, so every character fits a byte.
    characters
        .chars()
        .map(|c| u8::try_from(c).unwrap_or(b'?'))
        .collect::<Vec<u8>>()
        .into()
}

fn take_value(sections: &mut dyn Sections, key: &str, value: &str) -> Result<(), Error> {
    let (key, value) = (bytes(key), bytes(value));
    let taken = match key.split_once_str("[") {
        Some((name, key)) => sections.element(name.as_bstr(), key.as_bstr(), value.as_bstr()),
        None => sections.entry(key.as_bstr(), value.as_bstr()),
    };
    taken.map_err(|Stopped| stopped())
}

/// The whole stream: entries without a section, then sections.
struct Document<'s>(&'s mut dyn Sections);

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("entries and sections")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            map.next_value_seed(Member {
                key: &key,
                sections: &mut *self.0,
            })?;
        }
        Ok(())
    }
}

/// One entry or one section.
struct Member<'s> {
    key: &'s str,
    sections: &'s mut dyn Sections,
}

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Member<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or a section")
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        take_value(self.sections, self.key, value).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.sections
            .open(bytes(self.key).as_bstr())
            .map_err(|Stopped| A::Error::custom("reported already"))?;
        while let Some(key) = map.next_key::<String>()? {
            map.next_value_seed(Member {
                key: &key,
                sections: &mut *self.sections,
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Seen(Vec<String>);

    impl Sections for Seen {
        fn open(&mut self, name: &BStr) -> Result<(), Stopped> {
            self.0.push(format!("[{name:?}]"));
            Ok(())
        }

        fn entry(&mut self, name: &BStr, value: &BStr) -> Result<(), Stopped> {
            self.0.push(format!("{name:?}={value:?}"));
            if name == "stop" { Err(Stopped) } else { Ok(()) }
        }

        fn element(&mut self, name: &BStr, key: &BStr, value: &BStr) -> Result<(), Stopped> {
            self.0.push(format!("{name:?}[{key:?}]={value:?}"));
            Ok(())
        }
    }

    fn entry(name: &str, value: &[u8]) -> Result<Statement, Stopped> {
        Ok(Statement::Entry {
            name: name.into(),
            value: Some(value.into()),
        })
    }

    #[test]
    fn everything_arrives_in_order_and_byte_for_byte() {
        let mut seen = Seen::default();
        let element = Statement::Element {
            name: "env".into(),
            key: "a[b".into(),
            value: b"\xff\xc3\xa9".into(),
        };
        let statements = [
            entry("a", b"1"),
            Ok(Statement::Section("www".into())),
            Ok(element),
            entry("a", b"2"),
        ];
        assert_eq!(feed(statements.into_iter(), &mut seen), Ok(()));
        assert_eq!(
            seen.0,
            [
                r#""a"="1""#,
                r#"["www"]"#,
                r#""env"["a[b"]="\xffé""#,
                r#""a"="2""#
            ]
        );
    }

    #[test]
    fn either_side_can_stop() {
        let mut seen = Seen::default();
        assert_eq!(
            feed([entry("stop", b""), entry("a", b"")].into_iter(), &mut seen),
            Err(Stopped)
        );
        assert_eq!(
            feed([Err(Stopped), entry("a", b"")].into_iter(), &mut seen),
            Err(Stopped)
        );
        assert_eq!(seen.0, [r#""stop"="""#]);
    }
}

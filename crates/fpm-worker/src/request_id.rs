//! The name of a request, by which lines of different logs are brought together.
//!
//! Pure. The web server's name for it goes first; whatever it is, it is one printable word.

use std::time::Duration;

use fcgi_proto::params::Params;
use nix::unistd::Pid;

use crate::script::value;

/// Where web servers put it: a header (nginx's `$request_id`, proxies), Apache's mod_unique_id.
const NAMES: [&[u8]; 2] = [b"HTTP_X_REQUEST_ID", b"UNIQUE_ID"];

/// The longest that is believed, in bytes.
const LONGEST: usize = 128;

/// Returns the name of a request, or makes one for the `number`th request of this process, which began at `now` (since 1970).
pub(crate) fn of(params: &Params, now: Duration, process: Pid, number: u32) -> Vec<u8> {
    let given = NAMES
        .iter()
        .filter_map(|name| value(params, name))
        .map(std::ffi::CStr::to_bytes)
        .find(|name| is_word(name));
    match given {
        Some(name) => name.to_vec(),
        None => format!(
            "{:x}-{process:x}-{number:x}",
            now.as_micros(),
            process = process.as_raw()
        )
        .into_bytes(),
    }
}

fn is_word(name: &[u8]) -> bool {
    (1..=LONGEST).contains(&name.len()) && name.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(given: &[(&str, &str)]) -> String {
        let mut params = Params::new();
        for (name, value) in given {
            params.set(name.as_bytes(), value.as_bytes());
        }
        let name = of(&params, Duration::from_micros(0xabc), Pid::from_raw(16), 3);
        String::from_utf8(name).unwrap()
    }

    #[test]
    fn the_web_servers_name_goes_first_if_it_is_one() {
        let made = "abc-10-3";
        for (given, expected) in [
            (&[][..], made),
            (&[("HTTP_X_REQUEST_ID", "a1"), ("UNIQUE_ID", "b2")], "a1"),
            (&[("UNIQUE_ID", "b2")], "b2"),
            (&[("HTTP_X_REQUEST_ID", ""), ("UNIQUE_ID", "b2")], "b2"),
            (&[("HTTP_X_REQUEST_ID", "a b")], made),
            (&[("HTTP_X_REQUEST_ID", "a\nb")], made),
            (&[("HTTP_X_REQUEST_ID", "é")], made),
            (&[("HTTP_X_REQUEST_ID", &"x".repeat(129))], made),
        ] {
            assert_eq!(name(given), expected, "{given:?}");
        }
        let longest = "x".repeat(128);
        assert_eq!(name(&[("HTTP_X_REQUEST_ID", &longest)]), longest);
    }
}

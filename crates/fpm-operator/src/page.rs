//! `/`: the page for people.
//!
//! A changer must know: the page is one file without anything from elsewhere, and no data is ever put into it here: it comes as
//! events, and the page treats it as text. So the only scripts and styles that a browser is allowed are those with the page's nonce.

use std::hash::{BuildHasher, RandomState};

/// The page, with [`PLACE`] where the nonce belongs.
const TEMPLATE: &str = include_str!("page.html");

/// What stands for the nonce.
const PLACE: &str = "{{nonce}}";

/// The page and what a browser may do with it.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) html: String,
    /// For `Content-Security-Policy`.
    pub(crate) policy: String,
}

/// Makes the page for one client.
pub(crate) fn page() -> Page {
    let nonce = nonce();
    Page {
        html: TEMPLATE.replace(PLACE, &nonce),
        policy: format!(
            "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
             connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    }
}

/// Makes a number that nobody can guess: the standard library's hashers have random keys.
fn nonce() -> String {
    let half = || RandomState::new().hash_one(0);
    format!("{:016x}{:016x}", half(), half())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_styles_have_the_nonce_and_nothing_is_from_elsewhere() {
        let page = page();
        assert!(!page.html.contains(PLACE));
        for tag in ["<script", "<style"] {
            let tags: Vec<_> = page.html.match_indices(tag).collect();
            assert!(!tags.is_empty());
            for (at, _) in tags {
                assert!(page.html[at..].starts_with(&format!("{tag} nonce=\"")));
            }
        }
        for elsewhere in [
            "http://",
            "https://",
            "//cdn",
            "@import",
            " style=\"",
            "innerHTML",
        ] {
            let found = page.html.replace("http://www.w3.org/2000/svg", "");
            assert!(!found.contains(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn no_two_pages_have_the_same_nonce() {
        assert_ne!(page().policy, page().policy);
    }
}

//! What a worker does with a request: run the script, answer by itself, or refuse.
//!
//! Pure. The order of the checks is the original's.
//!
//! Original: the accept loop of main() in sapi/fpm/fpm/fpm_main.c.

use bstr::BString;
use fpm_conf::LogLevel;

use crate::limit_extensions;
use crate::overdue::Late;
use crate::status::Page;

/// What is done with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// The script is opened and run.
    Run,
    /// Only the default headers: a request without a method is no HTTP.
    HeadersOnly,
    /// A page of the worker's own.
    Page(Page),
    /// A short answer instead of the script.
    Refuse(Refusal),
    /// The same because the request has waited too long.
    TurnAway(Refusal),
}

/// Why and how a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) headers: Vec<BString>,
    pub(crate) body: &'static [u8],
    pub(crate) level: LogLevel,
    pub(crate) text: BString,
}

/// Decides about a request by its method, the page that its address means, whether it comes too late, its script and the pool's
/// `security.limit_extensions`.
pub(crate) fn reaction(
    method: Option<&[u8]>,
    page: Option<Page>,
    late: Option<Late>,
    script: Option<&[u8]>,
    extensions: &[BString],
) -> Reaction {
    if method.is_none() {
        return Reaction::HeadersOnly;
    }
    if let Some(page) = page {
        // Late or not: whoever watches the pool wants to see this.
        return Reaction::Page(page);
    }
    if let Some(late) = late {
        return Reaction::TurnAway(Refusal {
            status: 503,
            headers: vec![late.retry_after()],
            body: b"Too many requests are waiting.\n",
            level: LogLevel::Debug,
            text: late.to_string().into(),
        });
    }
    let Some(script) = script else {
        return Reaction::Refuse(Refusal {
            status: 404,
            headers: Vec::new(),
            body: b"File not found.\n",
            level: LogLevel::Debug,
            text: "Primary script unknown".into(),
        });
    };
    if !limit_extensions::allows(extensions, script) {
        return Reaction::Refuse(Refusal {
            status: 403,
            headers: Vec::new(),
            body: b"Access denied.\n",
            level: LogLevel::Notice,
            text: limit_extensions::denied(script),
        });
    }
    Reaction::Run
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::overdue;

    fn decided(method: Option<&str>, script: Option<&str>) -> Reaction {
        let extensions = [".php".into()];
        reaction(
            method.map(str::as_bytes),
            None,
            None,
            script.map(str::as_bytes),
            &extensions,
        )
    }

    fn refused(method: Option<&str>, script: Option<&str>) -> (u16, String) {
        match decided(method, script) {
            Reaction::Refuse(refusal) => (refusal.status, refusal.text.to_string()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_method_comes_first_then_the_script_then_its_extension() {
        assert_eq!(decided(Some("GET"), Some("/w/x.php")), Reaction::Run);
        for script in [None, Some("/w/x.txt"), Some("/w/x.php")] {
            assert_eq!(decided(None, script), Reaction::HeadersOnly);
        }
        assert_eq!(
            refused(Some("GET"), None),
            (404, "Primary script unknown".to_owned())
        );
        assert_eq!(
            refused(Some("GET"), Some("/w/x.txt")),
            (
                403,
                "Access to the script '/w/x.txt' has been denied (see security.limit_extensions)"
                    .to_owned()
            )
        );
    }

    #[test]
    fn pages_come_before_scripts() {
        let page = Some(Page::Status);
        let late = overdue::late(Duration::from_secs(9), Duration::from_secs(2));
        for script in [None, Some(&b"/w/x.txt"[..])] {
            let decided = reaction(Some(b"POST"), page, late, script, &[".php".into()]);
            assert_eq!(decided, Reaction::Page(Page::Status));
        }
        assert_eq!(reaction(None, page, late, None, &[]), Reaction::HeadersOnly);
    }

    #[test]
    fn who_comes_too_late_is_told_when_to_come_again() {
        let late = overdue::late(Duration::from_secs(9), Duration::from_secs(2));
        let expected = Refusal {
            status: 503,
            headers: vec!["Retry-After: 2".into()],
            body: b"Too many requests are waiting.\n",
            level: LogLevel::Debug,
            text: "request waited 9.000 seconds for a worker, request_queue_timeout is 2".into(),
        };
        for script in [None, Some(&b"/w/x.php"[..])] {
            let decided = reaction(Some(b"GET"), None, late, script, &[".php".into()]);
            assert_eq!(decided, Reaction::TurnAway(expected.clone()));
        }
    }
}

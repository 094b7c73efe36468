//! One request: from its variables to its end.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use fcgi_proto::params::Params;
use fcgi_proto::record::AfterRequest;
use fpm_conf::LogLevel;
use fpm_os::{clock, process};
use fpm_scoreboard::{Description, Finished, Served};
use sapi::{Action, Completion, Engine, IniAccess, IniFault, Outcome, Param, RequestInfo};

use super::{Kept, Then, Worker};
use crate::client::{Client, Wait};
use crate::host::{Exchange, Request, Tools};
use crate::log::FlushMarks;
use crate::overdue::{self, Late};
use crate::reaction::{Reaction, reaction};
use crate::request_id;
use crate::script::{self, Files, Named, Target, value};
use crate::settings::Settings;
use crate::soft_timeout;
use crate::status;
use crate::watch::Course;

/// A request as it came.
struct Arrived {
    /// When it began to arrive (monotonic).
    begun: Duration,
    /// How long it had waited by then, if that is known.
    waited: Option<Duration>,
    /// Whether that was too long.
    late: Option<Late>,
    /// Its name; empty unless somebody asks for it.
    id: Vec<u8>,
}

/// A request that PHP is done with.
struct Ran {
    outcome: Outcome,
    /// The status of the answer and what the request has cost, if PHP got so far.
    result: Option<(u16, Finished)>,
    /// What becomes of its connection.
    after: AfterRequest,
}

/// The file system as PHP sees it.
struct PhpFiles<'a>(&'a Engine);

impl Files for PhpFiles<'_> {
    fn exists(&self, path: &CStr) -> bool {
        // PHP remembers what it has found: a script that is requested often costs no system call.
        self.0.path_exists(path)
    }

    fn is_regular(&self, path: &[u8]) -> bool {
        Path::new(OsStr::from_bytes(path)).is_file()
    }
}

impl Worker {
    /// Answers the request that has arrived on `client`.
    ///
    /// It has begun to arrive at `begun` (monotonic).
    pub(super) fn answer(
        &mut self,
        client: &mut Option<Client>,
        kept: &mut Kept,
        begun: Duration,
    ) -> Then {
        let waited = client.as_ref().map_or(Wait::None, Client::wait_in_queue);
        if client.as_ref().is_none_or(Client::has_given_up) {
            self.slot.abandoned();
            self.log.message(
                LogLevel::Debug,
                b"request is not run: its client gave up waiting",
            );
            return Then::NextClient;
        }
        kept.protocol.swap_params(&mut kept.params);
        if value(&kept.params, b"SCRIPT_FILENAME").is_some_and(is_relative) {
            // The script before may have left the process in its own directory.
            self.engine.return_home();
        }
        let rules = kept.settings.rules();
        let target = script::locate(&mut kept.params, &rules, &PhpFiles(&self.engine));
        let faults = self.apply_settings(&kept.params);
        if faults.is_some() {
            kept.settings = Settings::of(&self.engine);
        }
        let waited = self.wait(waited, &kept.params);
        let arrived = Arrived {
            begun,
            waited,
            late: self.late(waited),
            id: self.request_id(kept),
        };
        self.flush_marks.name(&arrived.id);
        let ran = self.run(client, kept, &target, &arrived, faults.unwrap_or_default());
        self.flush_marks.mark();
        self.watch.after_request();
        let work = kept.meter.lap(self.watch.take_slept());
        self.slot.worked(work.cpu, work.time);
        if let Some((status, cost)) = ran.result {
            self.ledger.record(&Served {
                status,
                duration: cost.duration,
                cpu: work.cpu,
                memory: cost.memory,
                waited,
            });
        }
        kept.served += 1;
        match ran.outcome.completion {
            Completion::Finished => {}
            Completion::StartupFailed | Completion::ShutdownFailed => return Then::Fail,
        }
        let is_spent = self.share.is_over(kept.served, work.cpu);
        let ends = is_spent || self.watch.course(&self.slot) == Course::Ending;
        match ran.after {
            AfterRequest::Keep => {
                kept.protocol.finish_request();
                // Right behind an answer is the best moment to close a kept connection: seldom is a request on the way.
                if ends {
                    Then::LastCall
                } else {
                    Then::SameClient
                }
            }
            AfterRequest::Close if is_spent => Then::End,
            AfterRequest::Close => Then::NextClient,
        }
    }

    /// Applies PHP_VALUE and PHP_ADMIN_VALUE; `None` when there is neither.
    fn apply_settings(&mut self, params: &Params) -> Option<Vec<IniFault>> {
        let mut faults = None;
        for (name, access) in [
            (&b"PHP_VALUE"[..], IniAccess::User),
            (b"PHP_ADMIN_VALUE", IniAccess::System),
        ] {
            if let Some(text) = value(params, name) {
                let found = self.engine.apply_ini_text(text.to_bytes(), access);
                faults.get_or_insert_with(Vec::new).extend(found);
            }
        }
        faults
    }

    /// Returns how long a request has waited for a worker, as far as it is known.
    fn wait(&self, waited: Wait, params: &Params) -> Option<Duration> {
        match waited {
            Wait::None => Some(Duration::ZERO),
            Wait::Measured(waited) => Some(waited),
            Wait::Unknown => Some(overdue::claimed(
                value(params, b"REQUEST_START")?.to_bytes(),
                clock::realtime(),
                self.own.board.longest_wait(clock::monotonic()),
            )),
        }
    }

    /// Tells whether a request that waited so long has waited too long (`request_queue_timeout`).
    fn late(&self, waited: Option<Duration>) -> Option<Late> {
        overdue::late(waited?, self.queue_limit()?)
    }

    /// Returns the name of a request if anybody wants to know it.
    fn request_id(&self, kept: &Kept) -> Vec<u8> {
        if self.flush_marks != FlushMarks::Named && !self.logs_names() {
            return Vec::new();
        }
        request_id::of(&kept.params, clock::realtime(), process::id(), kept.served)
    }

    /// Lets PHP answer.
    fn run(
        &mut self,
        client: &mut Option<Client>,
        kept: &mut Kept,
        target: &Target,
        arrived: &Arrived,
        faults: Vec<IniFault>,
    ) -> Ran {
        let params = &kept.params;
        script::php_self(
            params,
            target.uri(params),
            kept.settings.rules().path_info,
            &mut kept.php_self,
        );
        let mut pairs = emptied(std::mem::take(&mut kept.pairs));
        pairs.extend(
            params
                .iter()
                .map(|param| Param::new(param.name(), param.value())),
        );
        let info = RequestInfo {
            limit: soft_timeout::limit(&self.pool, arrived.begun),
            ..request_info(params, &pairs, target, &kept.php_self)
        };
        let reaction = reaction(
            info.method.map(CStr::to_bytes),
            status::page(&self.pool, info.request_uri.map(CStr::to_bytes)),
            arrived.late,
            target.script(params).map(CStr::to_bytes),
            &self.pool.security_limit_extensions,
        );
        if let Reaction::TurnAway(_) = reaction {
            self.slot.overdue();
        }
        let tools = Tools {
            protocol: &mut kept.protocol,
            output: &mut kept.output,
            head: &mut kept.head,
            slot: &mut self.slot,
            log: self.log,
            own: &self.own,
            access_log: self.watch.access_log.as_mut(),
        };
        let request = Request {
            params,
            description: description(&info),
            begun: arrived.begun,
            id: &arrived.id,
            waited: arrived.waited,
            mirror: kept.settings.mirror,
        };
        let mut exchange = Exchange::new(client, tools, request);
        for fault in faults {
            exchange.message(LogLevel::Error, fault.to_string().as_bytes());
        }
        let answer;
        let action = match &reaction {
            Reaction::Page(page) => {
                // The page shows its own worker at work.
                exchange.making_answer();
                answer = status::answer_page(*page, &self.pool, &self.reported, &info);
                Action::Answer {
                    status: 200,
                    headers: &answer.headers,
                    body: &answer.body,
                }
            }
            Reaction::Run => Action::Script,
            Reaction::HeadersOnly => Action::HeadersOnly,
            Reaction::Refuse(refusal) | Reaction::TurnAway(refusal) => {
                exchange.log_when_started(refusal.level, refusal.text.clone());
                Action::Answer {
                    status: refusal.status,
                    headers: &refusal
                        .headers
                        .iter()
                        .map(|line| line.as_slice())
                        .collect::<Vec<_>>(),
                    body: refusal.body,
                }
            }
        };
        let outcome = self.engine.run(&info, action, &mut exchange);
        exchange.complete();
        let ran = Ran {
            outcome,
            result: exchange.result(),
            after: exchange.after(),
        };
        kept.pairs = emptied(pairs);
        ran
    }
}

/// The memory of a list for another one, of parameters that live longer or less long. (An iterator over a vector is collected
/// into the same memory; `tests/allocations.rs` holds that.)
fn emptied<'a>(mut pairs: Vec<Param<'_>>) -> Vec<Param<'a>> {
    pairs.clear();
    pairs.into_iter().map(|_| Param::new(b"", b"")).collect()
}

fn is_relative(path: &CStr) -> bool {
    !path.to_bytes().starts_with(b"/")
}

/// Gathers what PHP is told of a request. One that names no script has neither query string nor body nor user.
fn request_info<'a>(
    params: &'a Params,
    pairs: &'a [Param<'a>],
    target: &'a Target,
    php_self: &'a [u8],
) -> RequestInfo<'a> {
    let named = |name: &[u8]| match target.named {
        Named::Script => value(params, name),
        Named::Nothing => None,
    };
    RequestInfo {
        params: pairs,
        method: value(params, b"REQUEST_METHOD"),
        query_string: named(b"QUERY_STRING"),
        request_uri: target.uri(params),
        path_translated: target.script(params),
        content_type: match target.named {
            Named::Script => Some(named(b"CONTENT_TYPE").unwrap_or_default()),
            Named::Nothing => None,
        },
        content_length: named(b"CONTENT_LENGTH").map_or(0, |text| leading_number(text.to_bytes())),
        authorization: named(b"HTTP_AUTHORIZATION"),
        php_self,
        status: target.status,
        limit: None,
    }
}

/// Says what the scoreboard shows of a request. The user is added when PHP has read it.
fn description<'a>(info: &RequestInfo<'a>) -> Description<'a> {
    let text = |text: Option<&'a CStr>| text.map(CStr::to_bytes).unwrap_or_default();
    Description {
        method: text(info.method),
        uri: text(info.request_uri),
        query: text(info.query_string),
        script: text(info.path_translated),
        user: b"",
        content_length: info.content_length,
    }
}

/// Reads the number at the start of `text` as C's `atol` does: blanks and a sign before it, anything after it.
fn leading_number(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    digits
        .iter()
        .map_while(|&byte| char::from(byte).to_digit(10))
        .fold(0i64, |number, digit| {
            let digit = if negative {
                -i64::from(digit)
            } else {
                i64::from(digit)
            };
            number.saturating_mul(10).saturating_add(digit)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_lengths() {
        for (text, number) in [
            ("", 0),
            ("42", 42),
            (" \t+7x", 7),
            ("-5", -5),
            ("x1", 0),
            ("99999999999999999999", i64::MAX),
            ("-99999999999999999999", i64::MIN),
        ] {
            assert_eq!(leading_number(text.as_bytes()), number, "{text}");
        }
    }
}

//! The life of a worker: take a client, answer its requests, take the next one.
//!
//! Whatever a client does, and whatever a script leaves behind, ends here as a closed connection; only PHP itself can end the
//! worker early.
//!
//! Original: the accept loop of main() in sapi/fpm/fpm/fpm_main.c, fcgi_accept_request in main/fastcgi.c.

mod answer;
mod incoming;
mod patience;

use std::time::Duration;

use fcgi_proto::Limits;
use fcgi_proto::params::Params;
use fcgi_proto::server::Connection as Protocol;
use fpm_conf::{LogLevel, Pool};
use fpm_os::clock;
use fpm_scoreboard::{PoolLedger, SlotWriter};
use sapi::{Engine, Param};

use self::incoming::Incoming;
use self::patience::Patience;
use crate::access_log::AccessLog;
use crate::allowed_clients::{self, AllowedClients};
use crate::client::{Arrival, Client};
use crate::exit::{SOFTWARE, SUCCESS};
use crate::log::{FlushMarks, Log};
use crate::meter::Meter;
use crate::output::Output;
use crate::settings::Settings;
use crate::share::Share;
use crate::status::Reported;
use crate::watch::Watch;

/// For so long a worker that is to end goes on with a client that is ready with another request after each answer.
const LAST_CALLS: Duration = Duration::from_millis(500);

/// A worker that is ready to serve.
pub(crate) struct Worker {
    pub(crate) pool: Pool,
    pub(crate) engine: Engine,
    pub(crate) watch: Watch,
    pub(crate) slot: SlotWriter,
    /// What requests cost is added up there.
    pub(crate) ledger: PoolLedger,
    /// The pool itself, for `fpm_get_status()`.
    pub(crate) own: Reported,
    /// The pool that the status page shows: `pm.status_listen` makes it another one.
    pub(crate) reported: Reported,
    pub(crate) allowed: AllowedClients,
    pub(crate) log: Log,
    pub(crate) flush_marks: FlushMarks,
    /// How long it serves.
    pub(crate) share: Share,
}

/// What is kept from request to request: memory, counters, and what PHP's settings say.
struct Kept {
    protocol: Protocol,
    output: Output,
    params: Params,
    /// Empty between requests.
    pairs: Vec<Param<'static>>,
    php_self: Vec<u8>,
    head: Vec<u8>,
    settings: Settings,
    /// Requests served.
    served: u32,
    meter: Meter,
}

/// What follows a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Another request on the same connection.
    SameClient,
    /// Another request on the same connection, if nobody else can answer it and it is there already; then the end of the worker.
    LastCall,
    /// Another client.
    NextClient,
    /// The end of the worker: `pm.max_requests` is reached.
    End,
    /// The end of the worker: PHP cannot serve any more.
    Fail,
}

impl Worker {
    /// Serves until the worker is to end; returns its exit code.
    pub(crate) fn serve(mut self: Box<Self>) -> u8 {
        let mut kept = Box::new(Kept {
            protocol: Protocol::new(Limits::default()),
            output: Output::default(),
            params: Params::new(),
            pairs: Vec::new(),
            php_self: Vec::new(),
            head: Vec::new(),
            settings: Settings::of(&self.engine),
            served: 0,
            meter: Meter::start(),
        });
        self.own.board.note_first_look(clock::monotonic());
        let code = loop {
            self.slot.accepting(clock::monotonic());
            let Some(mut client) = self.watch.next_client(&self.slot, &self.log) else {
                break SUCCESS;
            };
            self.look_at_queue(&mut client);
            let address = client.address();
            if let (false, Some(address)) = (self.allowed.allows(address), address) {
                self.log
                    .message(LogLevel::Error, &allowed_clients::refused(address));
                continue;
            }
            match self.converse(client, &mut kept) {
                Then::SameClient | Then::NextClient => {}
                Then::LastCall | Then::End => break SUCCESS,
                Then::Fail => break SOFTWARE,
            }
        };
        self.watch.report_lost_lines();
        self.engine.shutdown();
        code
    }

    /// Notes what the arrival of `client` tells about the queue.
    fn look_at_queue(&self, client: &mut Client) {
        match client.arrival() {
            Arrival::Queued => {
                // It is a system call.
                if self.watches_queue() {
                    client.measure_wait();
                }
                self.measure_queue_in_time();
            }
            Arrival::TakenOver => {
                client.measure_wait();
                self.measure_queue_in_time();
            }
            Arrival::Met => self.own.board.note_empty_queue(clock::monotonic()),
        }
    }

    /// Notes how many others wait, if nobody has for a while.
    fn measure_queue_in_time(&self) {
        if self.own.board.is_time_to_measure(clock::monotonic()) {
            self.own.measure_queue();
        }
    }

    /// Tells whether anybody wants to know how long each request waits.
    fn watches_queue(&self) -> bool {
        self.queue_limit().is_some() || self.logs_names()
    }

    /// Tells whether the access log names requests.
    fn logs_names(&self) -> bool {
        let log = self.watch.access_log.as_ref();
        log.is_some_and(AccessLog::names_requests)
    }

    /// Returns `request_queue_timeout`, if there is one.
    fn queue_limit(&self) -> Option<Duration> {
        let seconds = self.pool.request_queue_timeout;
        (seconds > 0).then(|| Duration::from_secs(seconds.into()))
    }

    /// Answers all requests of one client.
    fn converse(&mut self, client: Client, kept: &mut Kept) -> Then {
        kept.protocol.reset();
        let mut client = Some(client);
        let mut patience = Patience::FirstByte;
        let mut last_call = None;
        let then = loop {
            let none = last_call.map_or(Then::NextClient, |_| Then::End);
            let Some(connected) = &client else {
                break none;
            };
            let begun = match self.next_request(connected, &mut kept.protocol, patience) {
                Incoming::Request(begun) => begun,
                Incoming::Nothing => break none,
                Incoming::HandedOver => {
                    client = None;
                    break none;
                }
            };
            match self.answer(&mut client, kept, begun) {
                Then::SameClient => patience = Patience::Rest,
                // The client cannot know that its connection is about to be closed, and would lose what it has sent.
                Then::LastCall if *last_call.get_or_insert(begun) + LAST_CALLS > begun => {
                    patience = Patience::LastCall;
                }
                Then::LastCall => break Then::End,
                then => break then,
            }
            self.slot.resting(clock::monotonic());
        };
        if then == Then::End {
            // It still has to let its client go and to end PHP; somebody else can serve meanwhile.
            self.slot.resting(clock::monotonic());
            self.watch.report_spent();
        }
        if let Some(client) = client {
            client.hang_up(&mut kept.protocol);
        }
        then
    }
}

//! The conversation with the master.
//!
//! Rule: the master is asked when somebody asks, at most a few times a second, whoever asks and however many they are. When it
//! does not answer, what it said last is still there, and that it does not answer is known.

use std::sync::Arc;
use std::time::Duration;

use fpm_channel::Next;
use fpm_channel::operator::{OperatorEnd, ToOperator};
use fpm_conf::Operator;
use fpm_control::Status;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout};

use crate::areas::Areas;
use crate::error::OperatorError;

/// An answer is as good as new for so long.
const FRESH: Duration = Duration::from_millis(200);

/// How long the master may take. It waits for nobody, so it usually takes far less than a millisecond.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the master has said.
#[derive(Debug)]
pub(crate) struct Told {
    /// Nothing of workers is in it.
    pub(crate) status: Status,
    pub(crate) areas: Arc<Areas>,
}

/// The newest that is known.
#[derive(Clone, Debug)]
pub(crate) struct News {
    pub(crate) told: Arc<Told>,
    pub(crate) master: Master,
}

/// Whether the master answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Master {
    /// It has answered.
    Answers,
    /// It has not, and what there is is old.
    Silent,
}

/// The operator's end of the conversation.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) settings: Operator,
    channel: OperatorEnd,
    newest: watch::Sender<Option<Arc<Told>>>,
    /// When the master was asked last, and whether it answered.
    asked: Mutex<Option<(Instant, Master)>>,
}

impl Desk {
    /// Begins a conversation.
    pub(crate) fn new(channel: OperatorEnd, settings: Operator) -> Desk {
        Desk {
            settings,
            channel,
            newest: watch::Sender::new(None),
            asked: Mutex::new(None),
        }
    }

    /// Takes all that the master says, until it says no more. This is for a thread of its own: it waits.
    ///
    /// # Errors
    /// When the master makes no sense.
    pub(crate) fn hear(&self) -> Result<(), OperatorError> {
        loop {
            match self.channel.wait()? {
                Next::Message(ToOperator::Answer(answer)) => {
                    let areas = match answer.scoreboards {
                        Some(shown) => Arc::new(Areas::map(shown)?),
                        None => self.areas(),
                    };
                    let status = answer.status;
                    let told = Told { status, areas };
                    self.newest.send_replace(Some(Arc::new(told)));
                }
                Next::Message(ToOperator::Start(_)) => return Err(OperatorError::NotStarted),
                Next::Nothing => {}
                Next::Closed => return Ok(()),
            }
        }
    }

    /// Returns how the daemon is; `None` when the master has never said anything, and does not now.
    pub(crate) async fn ask(&self) -> Option<News> {
        // Whoever comes meanwhile gets the same answer.
        let mut asked = self.asked.lock().await;
        let master = match *asked {
            Some((when, master)) if when.elapsed() < FRESH => master,
            _ => {
                let master = self.ask_now().await;
                *asked = Some((Instant::now(), master));
                master
            }
        };
        let told = self.newest.borrow().clone()?;
        Some(News { told, master })
    }

    async fn ask_now(&self) -> Master {
        let mut newest = self.newest.subscribe();
        let answer = async {
            // One that is gone ends the process in a moment.
            self.channel.ask().ok()?;
            newest.changed().await.ok()
        };
        match timeout(PATIENCE, answer).await {
            Ok(Some(())) => Master::Answers,
            Ok(None) | Err(_) => Master::Silent,
        }
    }

    fn areas(&self) -> Arc<Areas> {
        let newest = self.newest.borrow();
        newest
            .as_ref()
            .map(|told| Arc::clone(&told.areas))
            .unwrap_or_default()
    }
}

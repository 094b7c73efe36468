//! `fpmd top`: pools and workers on a terminal, as they are now.
//!
//! Rule: what is shown follows from [`model`] alone; here are the terminal, the clock and the daemon. The daemon is asked by a thread of
//! its own, so that keys work while it takes its time.

use std::io::{self, IsTerminal};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use fpm_control::{Answer, Detail, Request, Status, WorkerStack};
use fpm_os::clock;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};

use self::model::{Effect, Key, Mode, Model};
use self::screen::Palette;
use super::arguments::TopOptions;
use super::conversation::Conversation;
use super::failure::Failure;
use super::status;
use super::{place, print};

mod columns;
mod model;
mod screen;

/// How often it is looked whether the daemon has answered.
const LOOK: Duration = Duration::from_millis(50);

/// What the daemon has answered.
enum News {
    Status(Result<Box<Status>, Failure>),
    /// Of this pool or process.
    Stacks(String, Result<Vec<WorkerStack>, Failure>),
}

/// Shows the daemon until somebody has seen enough; on what is no terminal, once.
///
/// # Errors
/// When the daemon does not answer at first, or the terminal does not do its part.
pub(super) fn run(options: &TopOptions) -> Result<(), Failure> {
    let (path, limit) = (place::find(&options.place)?, options.place.limit());
    let call = move || Conversation::begin(&path, limit);
    let first = ask_status(&call)?;
    if !(io::stdout().is_terminal() && io::stdin().is_terminal()) {
        return print(&status::text(&first, clock::realtime()));
    }
    let model = Model::new(*first, clock::monotonic(), options.interval);
    let palette = match std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty()) {
        true => Palette::Colours,
        false => Palette::Plain,
    };
    let (asked, questions) = mpsc::channel();
    let (told, news) = mpsc::channel();
    // Nobody waits for its end: it may itself be waiting for the daemon.
    thread::spawn(move || answer_all(&call, &questions, &told));
    let terminal = ratatui::try_init().map_err(Failure::Output)?;
    let ended = show(model, terminal, palette, &asked, &news);
    ratatui::try_restore().map_err(Failure::Output)?;
    ended
}

/// Asks the daemon what is wanted, one thing after the other.
fn answer_all(
    call: &impl Fn() -> Result<Conversation, Failure>,
    questions: &Receiver<Request>,
    told: &Sender<News>,
) {
    for question in questions {
        let news = match question {
            Request::Stack { of } => {
                let stacks = ask_stacks(call, of.clone());
                News::Stacks(of, stacks)
            }
            _ => News::Status(ask_status(call)),
        };
        if told.send(news).is_err() {
            return;
        }
    }
}

fn ask_status(call: &impl Fn() -> Result<Conversation, Failure>) -> Result<Box<Status>, Failure> {
    match call()?.ask(&Request::Status(Detail::Workers))? {
        Answer::Status(status) => Ok(status),
        other => Err(Failure::unexpected(other)),
    }
}

fn ask_stacks(
    call: &impl Fn() -> Result<Conversation, Failure>,
    of: String,
) -> Result<Vec<WorkerStack>, Failure> {
    match call()?.ask(&Request::Stack { of })? {
        Answer::Stacks(stacks) => Ok(stacks),
        other => Err(Failure::unexpected(other)),
    }
}

/// Draws, and follows keys and news, until it is over.
fn show(
    mut model: Model,
    mut terminal: ratatui::DefaultTerminal,
    palette: Palette,
    asked: &Sender<Request>,
    news: &Receiver<News>,
) -> Result<(), Failure> {
    // When the daemon is to be asked again; never while its answer is still to come.
    let mut due = Some(clock::monotonic() + interval(&model));
    let mut changed = true;
    loop {
        if std::mem::take(&mut changed) {
            let now = clock::realtime().as_secs();
            terminal
                .draw(|frame| screen::draw(frame, &model, palette, now))
                .map_err(Failure::Output)?;
        }
        if event::poll(LOOK).map_err(Failure::Output)? {
            // Whatever it is: the size of the screen may be another.
            changed = true;
            if let Some(key) = key(&event::read().map_err(Failure::Output)?) {
                match model.press(key) {
                    Effect::Show => {}
                    Effect::Refresh => due = due.map(|_| Duration::ZERO),
                    Effect::AskStack(of) => ask(asked, Request::Stack { of }),
                    Effect::Quit => return Ok(()),
                }
            }
        }
        for news in news.try_iter() {
            changed = true;
            let now = clock::monotonic();
            match news {
                News::Status(status) => {
                    due = Some(now + interval(&model));
                    match status {
                        Ok(status) => model.update(*status, now),
                        Err(failure) => model.failure = Some(failure.to_string()),
                    }
                }
                News::Stacks(of, stacks) => {
                    model.show_stacks(&of, stacks.map_err(|failure| failure.to_string()));
                }
            }
        }
        if due.is_some_and(|due| due <= clock::monotonic()) {
            due = None;
            ask(asked, Request::Status(Detail::Workers));
            if let Mode::Stack { of, .. } = &model.mode {
                ask(asked, Request::Stack { of: of.clone() });
            }
        }
    }
}

fn interval(model: &Model) -> Duration {
    Duration::from_secs(model.interval.into())
}

fn ask(asked: &Sender<Request>, question: Request) {
    // The thread lives as long as there is somebody to ask.
    let _ = asked.send(question);
}

/// Returns the key that was pressed, if it means something.
fn key(event: &Event) -> Option<Key> {
    let pressed = event.as_key_press_event()?;
    Some(match pressed.code {
        KeyCode::Char('c') if pressed.modifiers.contains(KeyModifiers::CONTROL) => Key::Interrupt,
        KeyCode::Char(letter) => Key::Char(letter),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Tab => Key::Tab,
        _ => return None,
    })
}

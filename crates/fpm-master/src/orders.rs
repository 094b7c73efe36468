//! The commands that wait for the outcome of a reload.
//!
//! Rule: a command hears of a reload that has read the configuration after it asked.

use crate::event::CallerId;

/// Commands that wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders {
    /// For a reload that is still to begin.
    next: Vec<CallerId>,
    /// For the one that is under way.
    current: Vec<CallerId>,
    /// Why the last reload failed; `None` when it did not.
    failure: Option<String>,
}

impl Orders {
    /// A command asks for a reload, which will begin at once or later.
    pub(crate) fn await_reload(&mut self, caller: CallerId) {
        self.next.push(caller);
    }

    /// A reload reads the configuration now.
    pub(crate) fn reload_begins(&mut self) {
        self.current.append(&mut self.next);
    }

    /// The reload under way is given up for another one, which reads the configuration again.
    pub(crate) fn reload_begins_anew(&mut self) {
        self.next.append(&mut self.current);
    }

    /// The reload under way is over; returns who waits for that.
    pub(crate) fn reload_over(&mut self, failure: Option<String>) -> Vec<CallerId> {
        self.failure = failure;
        std::mem::take(&mut self.current)
    }

    /// There will be no reload; returns who waits for one.
    pub(crate) fn no_reload(&mut self) -> Vec<CallerId> {
        self.reload_begins();
        std::mem::take(&mut self.current)
    }

    /// Returns why the last reload failed, if it did.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// A command has hung up.
    pub(crate) fn forget(&mut self, caller: CallerId) {
        for waiting in [&mut self.next, &mut self.current] {
            waiting.retain(|known| *known != caller);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: CallerId = CallerId(1);
    const TWO: CallerId = CallerId(2);

    #[test]
    fn who_asks_during_a_reload_waits_for_the_next_one() {
        let mut orders = Orders::default();
        orders.await_reload(ONE);
        orders.reload_begins();
        orders.await_reload(TWO);
        assert_eq!(orders.reload_over(Some("no".to_owned())), [ONE]);
        assert_eq!(orders.failure(), Some("no"));
        orders.reload_begins();
        assert_eq!(orders.reload_over(None), [TWO]);
        assert_eq!(orders.failure(), None);
    }

    #[test]
    fn a_reload_that_begins_anew_is_the_same_to_who_waits() {
        let mut orders = Orders::default();
        orders.await_reload(ONE);
        orders.reload_begins();
        orders.await_reload(TWO);
        orders.reload_begins_anew();
        assert!(orders.reload_over(Some("slow".to_owned())).is_empty());
        orders.reload_begins();
        assert_eq!(orders.reload_over(None), [TWO, ONE]);
    }

    #[test]
    fn nobody_is_left_waiting() {
        let mut orders = Orders::default();
        orders.await_reload(ONE);
        orders.reload_begins();
        orders.await_reload(TWO);
        assert_eq!(orders.no_reload(), [ONE, TWO]);
        orders.await_reload(ONE);
        orders.forget(ONE);
        assert!(orders.no_reload().is_empty());
    }
}

//! The commands that wait for the outcome of what they have ordered: a reload, the end of a pool's workers, the end.
//!
//! Rule: a command hears of a reload that has read the configuration after it asked.

use bstr::{BStr, BString};
use fpm_control::Scope;

use crate::event::CallerId;

/// Commands that wait.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    /// For a reload that is still to begin.
    next: Vec<CallerId>,
    /// For the one that is under way.
    current: Vec<CallerId>,
    /// What the reload is about that is still to begin; `None` when nobody has said.
    next_scope: Option<Scope>,
    /// What the one under way is about.
    scope: Scope,
    /// Why the last reload failed; `None` when it did not.
    failure: Option<String>,
    /// For the last worker of a pool to leave.
    drains: Vec<(CallerId, BString)>,
    /// For the end of the daemon.
    ends: Vec<CallerId>,
    /// For another master beside this one to serve.
    beside: Option<CallerId>,
}

impl Default for Orders {
    fn default() -> Orders {
        Orders {
            next: Vec::new(),
            current: Vec::new(),
            next_scope: None,
            scope: Scope::All,
            failure: None,
            drains: Vec::new(),
            ends: Vec::new(),
            beside: None,
        }
    }
}

impl Orders {
    /// Somebody asks for a reload of this.
    pub(crate) fn want(&mut self, scope: Scope) {
        self.next_scope = Some(match self.next_scope.take() {
            Some(known) => known.and(scope),
            None => scope,
        });
    }

    /// A command asks for a reload, which will begin at once or later.
    pub(crate) fn await_reload(&mut self, caller: CallerId) {
        self.next.push(caller);
    }

    /// Returns who waits for a reload.
    pub(crate) fn waiting(&self) -> Vec<CallerId> {
        [&self.current[..], &self.next].concat()
    }

    /// A reload reads the configuration now; returns what it is about.
    pub(crate) fn reload_begins(&mut self) -> Scope {
        self.current.append(&mut self.next);
        self.scope = self.next_scope.take().unwrap_or(Scope::All);
        self.scope.clone()
    }

    /// The reload under way is given up for another one, which reads the configuration again.
    pub(crate) fn reload_begins_anew(&mut self) {
        self.next.append(&mut self.current);
        self.want(self.scope.clone());
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

    /// A command waits for the last worker of a pool to leave.
    pub(crate) fn await_drain(&mut self, caller: CallerId, pool: &BStr) {
        self.drains.push((caller, pool.to_owned()));
    }

    /// Tells whether somebody waits for the last worker of a pool to leave.
    pub(crate) fn is_drain_awaited(&self, pool: &BStr) -> bool {
        self.drains.iter().any(|(_, name)| name == pool)
    }

    /// The last worker of a pool has left, or none will; returns who waits for that.
    pub(crate) fn drain_over(&mut self, pool: &BStr) -> Vec<CallerId> {
        self.drains_over(|name| name == pool)
    }

    /// As [`Orders::drain_over`], of all pools whose names are `such`.
    pub(crate) fn drains_over(&mut self, such: impl Fn(&BStr) -> bool) -> Vec<CallerId> {
        let over = self
            .drains
            .extract_if(.., |(_, name)| such((*name).as_ref()));
        over.map(|(caller, _)| caller).collect()
    }

    /// The reload that was asked for last is refused; returns who waits for it.
    pub(crate) fn next_refused(&mut self) -> Vec<CallerId> {
        self.next_scope = None;
        std::mem::take(&mut self.next)
    }

    /// A command waits for another master to serve beside this one.
    pub(crate) fn await_beside(&mut self, caller: CallerId) {
        self.beside = Some(caller);
    }

    /// The other master serves, or never will; returns who waits for that.
    pub(crate) fn beside_over(&mut self) -> Option<CallerId> {
        self.beside.take()
    }

    /// A command waits for the end of the daemon.
    pub(crate) fn await_end(&mut self, caller: CallerId) {
        self.ends.push(caller);
    }

    /// The daemon ends now; returns who waits for that.
    pub(crate) fn end(&mut self) -> Vec<CallerId> {
        std::mem::take(&mut self.ends)
    }

    /// Returns why the last reload failed, if it did.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// A command has hung up.
    pub(crate) fn forget(&mut self, caller: CallerId) {
        for waiting in [&mut self.next, &mut self.current, &mut self.ends] {
            waiting.retain(|known| *known != caller);
        }
        self.drains.retain(|(known, _)| *known != caller);
        self.beside.take_if(|known| *known == caller);
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
    fn reloads_that_become_one_are_about_all_that_was_asked_for() {
        let pools =
            |names: &[&str]| Scope::Pools(names.iter().map(|name| (*name).to_owned()).collect());
        let mut orders = Orders::default();
        assert_eq!(orders.reload_begins(), Scope::All);
        orders.want(pools(&["a"]));
        assert_eq!(orders.reload_begins(), pools(&["a"]));
        orders.want(pools(&["b"]));
        orders.reload_begins_anew();
        assert_eq!(orders.reload_begins(), pools(&["a", "b"]));
        orders.want(pools(&["a"]));
        orders.want(Scope::All);
        orders.want(pools(&["b"]));
        assert_eq!(orders.reload_begins(), Scope::All);
    }

    #[test]
    fn who_waits_for_a_pool_hears_of_that_pool() {
        let (www, api) = (BStr::new("www"), BStr::new("api"));
        let mut orders = Orders::default();
        orders.await_drain(ONE, www);
        orders.await_drain(TWO, api);
        assert!(orders.is_drain_awaited(www));
        assert_eq!(orders.drain_over(www), [ONE]);
        assert!(!orders.is_drain_awaited(www) && orders.is_drain_awaited(api));
        assert_eq!(orders.drains_over(|_| true), [TWO]);
        orders.await_drain(ONE, www);
        orders.await_end(ONE);
        orders.forget(ONE);
        assert!(orders.drains_over(|_| true).is_empty() && orders.end().is_empty());
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

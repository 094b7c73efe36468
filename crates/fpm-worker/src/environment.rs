//! The process environment of a worker.
//!
//! Pure: [`plan`] says what is to be done, in order. The order matters: it is the one in which `$_SERVER` shows the variables.
//!
//! Original: sapi/fpm/fpm/fpm_env.c.

use bstr::BString;
use fpm_conf::Pool;
use fpm_os::environment::Inherited;

/// What becomes of the environment that was inherited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// `clear_env`.
    pub inherited: Inherited,
    /// Variables to set, in order; a later one of the same name wins.
    pub set: Vec<(BString, BString)>,
}

/// Who the worker is, as far as the system's user database knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// For USER.
    pub user: Option<BString>,
    /// For HOME.
    pub home: Option<BString>,
}

/// Says how the environment of a worker of `pool` comes about; `master` looks a name up in the master's environment.
pub fn plan(pool: &Pool, account: &Account, master: impl Fn(&[u8]) -> Option<BString>) -> Plan {
    let mut set: Vec<(BString, BString)> = Vec::new();
    for (name, value) in &pool.env {
        let value = match value.strip_prefix(b"$") {
            Some(of) => master(of).unwrap_or_default(),
            None => value.clone(),
        };
        set.push((name.clone(), value));
    }
    for (name, value) in [("USER", &account.user), ("HOME", &account.home)] {
        // What the pool says about them goes before what we have found out.
        let given = pool.env.iter().any(|(given, _)| given == name);
        if let (false, Some(value)) = (given, value) {
            set.push((name.into(), value.clone()));
        }
    }
    Plan {
        inherited: if pool.clear_env {
            Inherited::Clear
        } else {
            Inherited::Keep
        },
        set,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account {
            user: Some("www".into()),
            home: Some("/var/www".into()),
        }
    }

    fn planned(env: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut pool = Pool::new("www", "/run/x.sock");
        pool.env = env
            .iter()
            .map(|&(name, value)| (name.into(), value.into()))
            .collect();
        let master = |name: &[u8]| (name == b"PATH").then(|| "/bin".into());
        plan(&pool, &account(), master)
            .set
            .into_iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn user_and_home_come_last() {
        assert_eq!(
            planned(&[("A", "1")]),
            pairs(&[("A", "1"), ("USER", "www"), ("HOME", "/var/www")])
        );
    }

    #[test]
    fn the_pool_may_set_user_and_home() {
        assert_eq!(
            planned(&[("HOME", "/tmp")]),
            pairs(&[("HOME", "/tmp"), ("USER", "www")])
        );
    }

    #[test]
    fn the_masters_environment() {
        assert_eq!(
            planned(&[
                ("P", "$PATH"),
                ("N", "$NONE"),
                ("USER", "x$PATH"),
                ("HOME", "$")
            ]),
            pairs(&[("P", "/bin"), ("N", ""), ("USER", "x$PATH"), ("HOME", "")])
        );
    }

    #[test]
    fn clear_env() {
        let mut pool = Pool::new("www", "/run/x.sock");
        let inherited = |pool: &Pool| plan(pool, &Account::default(), |_| None).inherited;
        assert_eq!(inherited(&pool), Inherited::Clear);
        pool.clear_env = false;
        assert_eq!(inherited(&pool), Inherited::Keep);
    }
}

//! The tables of tidy: who may use whom, where unsafe code is, what the tree looks like.
//!
//! They are crates/README.md's in another form; a change of one is a change of both.

/// How much unsafe code a member may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsafe {
    /// `#![forbid(unsafe_code)]`.
    Forbidden,
    /// It is what the crate is for.
    Allowed,
}

/// One member of the workspace.
pub(super) struct Member {
    pub(super) name: &'static str,
    /// Where it lives, with a slash at the end.
    pub(super) directory: &'static str,
    /// The members it may depend on.
    pub(super) may_use: &'static [&'static str],
    pub(super) unsafe_code: Unsafe,
}

const fn member(
    name: &'static str,
    directory: &'static str,
    unsafe_code: Unsafe,
    may_use: &'static [&'static str],
) -> Member {
    Member {
        name,
        directory,
        may_use,
        unsafe_code,
    }
}

use Unsafe::{Allowed, Forbidden};

pub(super) const MEMBERS: &[Member] = &[
    member("php-sys", "php-sys/", Allowed, &[]),
    member("sapi", "crates/sapi/", Allowed, &["php-sys"]),
    member("fcgi-proto", "crates/fcgi-proto/", Forbidden, &[]),
    member("fpm-conf", "crates/fpm-conf/", Forbidden, &[]),
    member(
        "fpm-control",
        "crates/fpm-control/",
        Forbidden,
        &["fpm-conf", "fpm-scoreboard"],
    ),
    member("fpm-os", "crates/fpm-os/", Allowed, &[]),
    member("fpm-events", "crates/fpm-events/", Forbidden, &["fpm-os"]),
    member(
        "fpm-scoreboard",
        "crates/fpm-scoreboard/",
        Forbidden,
        &["fpm-os"],
    ),
    member(
        "fpm-channel",
        "crates/fpm-channel/",
        Forbidden,
        &["fpm-os", "fpm-conf", "fpm-control"],
    ),
    member(
        "fpm-worker",
        "crates/fpm-worker/",
        Forbidden,
        &[
            "fcgi-proto",
            "sapi",
            "fpm-channel",
            "fpm-conf",
            "fpm-scoreboard",
            "fpm-os",
        ],
    ),
    member(
        "fpm-zygote",
        "crates/fpm-zygote/",
        Forbidden,
        &[
            "sapi",
            "fpm-worker",
            "fpm-channel",
            "fpm-events",
            "fpm-scoreboard",
            "fpm-conf",
            "fpm-os",
        ],
    ),
    member(
        "fpm-operator",
        "crates/fpm-operator/",
        Forbidden,
        &[
            "fpm-channel",
            "fpm-conf",
            "fpm-control",
            "fpm-scoreboard",
            "fpm-os",
        ],
    ),
    member(
        "fpm-master",
        "crates/fpm-master/",
        Forbidden,
        &[
            "fpm-conf",
            "fpm-control",
            "fpm-events",
            "fpm-scoreboard",
            "fpm-channel",
            "fpm-os",
        ],
    ),
    member(
        "fpmd",
        "crates/fpmd/",
        Forbidden,
        &[
            "fcgi-proto",
            "fpm-channel",
            "fpm-conf",
            "fpm-control",
            "fpm-events",
            "fpm-master",
            "fpm-operator",
            "fpm-os",
            "fpm-scoreboard",
            "fpm-worker",
            "fpm-zygote",
            "sapi",
        ],
    ),
    member(
        "xtask",
        "xtask/",
        Forbidden,
        &["fcgi-proto", "fpm-conf", "fpmd-tests"],
    ),
    member("fpmd-tests", "tests/", Forbidden, &["fcgi-proto"]),
];

/// Members that the tests of every member may use: a client to talk to what is tested.
pub(super) const FOR_TESTS: &[&str] = &["fcgi-proto"];

/// Crates of others that only some members may use.
pub(super) const RESTRICTED: &[(&str, &[&str])] = &[
    ("anyhow", &["fpmd", "fpmd-tests", "xtask"]),
    ("bindgen", &["php-sys"]),
    ("cc", &["php-sys"]),
    ("clap", &["fpmd"]),
    ("clap_complete", &["fpmd"]),
    ("clap_mangen", &["fpmd"]),
    ("hyper", &["fpm-operator"]),
    ("libc", &["fpm-os", "php-sys", "sapi"]),
    ("mio", &["fpm-events"]),
    ("serde_ini", &["fpm-conf"]),
    ("tokio", &["fpm-operator"]),
    ("tracing-subscriber", &["fpmd"]),
];

/// What may stand at the top of the tree, beside hidden tool files.
pub(super) const TOP_LEVEL: &[&str] = &[
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "ci",
    "conf",
    "crates",
    "php-sys",
    "tests",
    "xtask",
];

/// File and folder names that say nothing about what is inside.
pub(super) const EMPTY_NAMES: &[&str] = &[
    "common", "helper", "helpers", "misc", "types", "util", "utils",
];

/// The longest a source file may be, in lines.
pub(super) const MAX_LINES: usize = 600;

//! Reloads that cannot be: whatever is wrong is logged with its cause, and everything goes on as it was.
//!
//! The original would end with the first of them.

use std::fs;
use std::process::Command;

use fpmd_tests::{Daemon, Fpm, Load, Result, Under, find_tool, under};
use nix::unistd::Uid;

/// Reloads of each kind; there are twelve kinds.
const ROUNDS: usize = 5;

/// What is changed for a reload and what the log says then.
struct Mistake {
    file: &'static str,
    from: &'static str,
    to: &'static str,
    said: &'static str,
}

const fn in_fpm_conf(from: &'static str, to: &'static str, said: &'static str) -> Mistake {
    Mistake {
        file: "fpm.conf",
        from,
        to,
        said,
    }
}

const fn in_php_ini(to: &'static str, said: &'static str) -> Mistake {
    Mistake {
        file: "php.ini",
        from: "; more",
        to,
        said,
    }
}

const fn in_preload(to: &'static str, said: &'static str) -> Mistake {
    Mistake {
        file: "preload.php",
        from: "// more",
        to,
        said,
    }
}

const MISTAKES: [Mistake; 12] = [
    in_fpm_conf("pm = static", "pm = sttic", "invalid process manager"),
    in_fpm_conf(
        "; more",
        "error_log = /no/such/folder/log",
        "failed to open error_log (/no/such/folder/log)",
    ),
    in_fpm_conf(
        "[www]",
        "[more]\nuser = no-such-user\nlisten = {dir}/more.sock\npm = static\npm.max_children = 1\n[www]",
        "cannot get uid for user 'no-such-user'",
    ),
    in_fpm_conf(
        "[www]",
        "[www]\naccess.log = /no/such/folder/log",
        "failed to open access log (/no/such/folder/log)",
    ),
    in_fpm_conf(
        "[www]",
        "[more]\nuser = www-data\nlisten = /no/such/folder/sock\npm = static\npm.max_children = 1\n[www]",
        "unable to bind listening socket for address '/no/such/folder/sock'",
    ),
    in_fpm_conf(
        "[www]",
        "[www]\nphp_admin_value[session.save_handler] = user",
        "the first child of generation",
    ),
    in_php_ini("[ more", "php.ini: syntax error, unexpected"),
    in_php_ini(
        "opcache.preload = /no/such/file",
        "Failed opening required '/no/such/file'",
    ),
    in_php_ini("extension = {dir}/crash.so", "exited on signal 6 (SIGABRT"),
    in_preload("throw new Exception('never');", "Uncaught Exception: never"),
    in_preload("this is no PHP", "syntax error"),
    in_preload(
        "posix_kill(getmypid(), SIGSEGV);",
        "exited on signal 11 (SIGSEGV",
    ),
];

/// Makes an extension that ends the process as soon as it is loaded.
fn compile_crash(fpm: &Fpm) -> Result {
    let source = fpm.site().path("crash.c");
    fs::write(
        &source,
        "#include <stdlib.h>\n__attribute__((constructor)) static void crash(void) { abort(); }\n",
    )?;
    let status = Command::new(find_tool("gcc", "gcc")?)
        .args(["-shared", "-fPIC", "-o"])
        .arg(fpm.site().path("crash.so"))
        .arg(source)
        .status()?;
    anyhow::ensure!(status.success(), "gcc: {status}");
    Ok(())
}

fn daemon() -> Result<Daemon> {
    let opcache = fpmd_tests::Subject::from_environment()?.extension("opcache")?;
    Ok(Daemon::echo()
        .workers(2)
        .global("; more")
        .file("../preload.php", "<?php // more\n")
        .php_ini(&format!("zend_extension = {}", opcache.display()))
        .php_ini("opcache.preload_user = www-data\nopcache.preload = {dir}/preload.php\n; more"))
}

#[test]
fn fifty_reloads_that_fail_change_nothing() -> Result {
    let fpm = daemon()?.start()?;
    if under()? == Under::Original {
        // It ends: `command_line` knows how.
        return fpm.reload();
    }
    compile_crash(&fpm)?;
    let folder = fpm.site().folder().display().to_string();
    let load = Load::direct(&fpm, &fpm.request("/t.php"), "served -").clients(2);
    let ((), report) = load.during(|running| {
        for round in 1..=ROUNDS {
            for mistake in &MISTAKES {
                if mistake.said.contains("no-such-user") && !Uid::effective().is_root() {
                    // Who is not root is not asked for users.
                    continue;
                }
                let file = fpm.site().path(mistake.file);
                let before = fs::read_to_string(&file)?;
                assert!(before.contains(mistake.from), "{before}");
                let to = mistake.to.replace("{dir}", &folder);
                fs::write(&file, before.replacen(mistake.from, &to, 1))?;
                fpm.reload_in_vain()?;
                fs::write(&file, before)?;
                fpm.log().wait_for_nth(mistake.said, round)?;
                running.wait_for_answers(2)?;
            }
        }
        fpm.reload()
    })?;
    report.all_good()?;
    assert!(!fpm.site().path("more.sock").exists());
    let failed = fpm
        .log()
        .lines_with("ERROR: reload failed, generation 1 goes on");
    assert!(failed.len() >= 50, "{}", failed.len());
    Ok(())
}

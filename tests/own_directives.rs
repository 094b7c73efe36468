//! Directives that php-fpm does not have: the example configuration is valid for both daemons as it stands, and refused by
//! the original as soon as one of them is set.

use std::fs;
use std::path::Path;

use fpmd_tests::{Result, Site, Subject, Under, under};

/// Copies conf/ into a site's `fpm` folder, with `edit` applied to each file's text.
fn example(site: &Site, edit: impl Fn(&str) -> String) -> Result<String> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf");
    let to = site.path("fpm");
    for folder in ["pool.d", "run", "log"] {
        fs::create_dir_all(to.join(folder))?;
    }
    for file in ["php-fpm.conf", "pool.d/www.conf"] {
        let text = fs::read_to_string(from.join(file))?;
        fs::write(to.join(file), edit(&text))?;
    }
    Ok(to.to_string_lossy().into_owned())
}

/// Runs `-tt` on the example; returns the exit code and what was said.
fn tested(prefix: &str) -> Result<(Option<i32>, String)> {
    let file = format!("{prefix}/php-fpm.conf");
    let output = Subject::from_environment()?.run(&["-n", "-tt", "-p", prefix, "-y", &file])?;
    Ok((
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    ))
}

#[test]
fn example_configuration_is_valid_and_shows_none_of_them() -> Result {
    let site = Site::new()?;
    let (code, said) = tested(&example(&site, str::to_owned)?)?;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("test is successful"), "{said}");
    for name in [
        "reload.surge",
        "worker_shutdown_timeout",
        "shutdown_on_term",
        "log_format",
        "control.listen",
        "operator.",
        "request_queue_timeout",
        "request_stack",
        "pm.memory_reserve",
        "max_children = auto",
        "pm.max_requests_jitter",
        "pm.max_memory",
        "pm.max_recycling",
        "request_soft_timeout",
        "pm.crash_budget",
        "process.cpu_affinity",
        "rlimit[",
    ] {
        assert!(!said.contains(name), "{said}");
    }
    Ok(())
}

#[test]
fn each_of_them_is_accepted_by_fpmd_alone() -> Result {
    for (line, shown) in [
        (";reload.surge = 25%", "reload.surge = 25%"),
        (
            ";worker_shutdown_timeout = 1m",
            "worker_shutdown_timeout = 60s",
        ),
        (
            ";shutdown_on_term = graceful",
            "shutdown_on_term = graceful",
        ),
        (";log_format = json", "log_format = json"),
        (
            ";control.listen = run/fpmd.control",
            "control.listen = {prefix}/run/fpmd.control",
        ),
        (
            ";operator.listen = 127.0.0.1:9253",
            "operator.listen = 127.0.0.1:9253",
        ),
        (";operator.user = nobody", "operator.user = nobody"),
        (";operator.group = nogroup", "operator.group = nogroup"),
        (";operator.ready_queue = 50%", "operator.ready_queue = 50%"),
        (";operator.ready_busy = 100%", "operator.ready_busy = 100%"),
        (
            ";request_queue_timeout = 30s",
            "request_queue_timeout = 30s",
        ),
        (";request_stack = yes", "request_stack = yes"),
        (";pm.memory_reserve = 1G", "pm.memory_reserve = 1073741824"),
        (
            ";pm.max_requests_jitter = 50",
            "pm.max_requests_jitter = 50",
        ),
        (";pm.max_memory = 256M", "pm.max_memory = 268435456"),
        (";pm.max_recycling = 25%", "pm.max_recycling = 25%"),
        (";request_soft_timeout = 20s", "request_soft_timeout = 20s"),
        (";pm.crash_budget = 5/1m", "pm.crash_budget = 5/60s"),
        (
            ";process.cpu_affinity = auto 0-3",
            "process.cpu_affinity = auto 0-3",
        ),
        (
            ";process.cpu_affinity = 0-1 2-3",
            "process.cpu_affinity = 0-1 2-3",
        ),
    ] {
        let site = Site::new()?;
        let set = &line[1..];
        let prefix = example(&site, |text| text.replace(line, set))?;
        let (code, said) = tested(&prefix)?;
        let shown = shown.replace("{prefix}", &prefix);
        let name = set.split(' ').next().unwrap_or_default();
        match under()? {
            Under::Fpmd => {
                assert_eq!(code, Some(0), "{said}");
                assert!(said.contains(&format!("\t{shown}\n")), "{said}");
            }
            Under::Original => {
                assert_eq!(code, Some(78), "{said}");
                assert!(said.contains(&format!("unknown entry '{name}'")), "{said}");
            }
        }
    }
    Ok(())
}

#[test]
fn json_is_a_format_of_the_access_log_for_both() -> Result {
    let site = Site::new()?;
    let set = |text: &str| text.replace(";access.format = json", "access.format = json");
    let (code, said) = tested(&example(&site, set)?)?;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("\taccess.format = json\n"), "{said}");
    Ok(())
}

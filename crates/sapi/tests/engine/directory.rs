//! The working directory, in the script and after it.

use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};
use std::{env, fs};

use crate::cases;
use crate::php::{Php, Request};
use crate::suite::Case;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        script_runs_in_its_folder,
        home_after_the_script,
        relative_include,
        a_folder_replaced_under_its_name,
        a_script_that_changes_it,
        folders_with_a_common_beginning,
        a_relative_script,
        without_a_way_home,
    ]
}

fn script_runs_in_its_folder(php: &mut Php) {
    for folder in ["a", "b", "a", "a"] {
        let script = php.file(&format!("{folder}/x.php"), "<?php echo getcwd();");
        let answer = Request::new(&script).run(php);
        assert_eq!(answer.body(), format!("{}/{folder}", php.path()));
    }
}

fn home_after_the_script(php: &mut Php) {
    let home = env::current_dir().expect("a directory");
    let script = php.file(
        "a/x.php",
        "<?php register_shutdown_function(function () { echo getcwd(); });",
    );
    assert_eq!(
        Request::new(&script).run(php).body(),
        home.to_str().expect("UTF-8")
    );
    let script = php.file(
        "a/y.php",
        "<?php class D { function __destruct() { echo getcwd(); } } $d = new D;",
    );
    assert_eq!(
        Request::new(&script).run(php).body(),
        home.to_str().expect("UTF-8")
    );
    let script = php.file(
        "a/z.php",
        "<?php ob_start(function ($b) { return getcwd(); }); echo 1;",
    );
    assert_eq!(
        Request::new(&script).run(php).body(),
        home.to_str().expect("UTF-8")
    );
    let script = php.file("a/w.php", "<?php echo 1;");
    Request::new(&script).run(php);
    php.engine.return_home();
    assert_eq!(env::current_dir().expect("a directory"), home);
}

fn relative_include(php: &mut Php) {
    php.file(
        "a/lib.php",
        "<?php echo 'included ', file_get_contents('data.txt');",
    );
    php.file("a/data.txt", "data");
    let script = php.file("a/x.php", "<?php include './lib.php';");
    for _ in 0..2 {
        assert_eq!(Request::new(&script).run(php).body(), "included data");
    }
}

/// A folder's name is believed for a second, so the other one is seen after a second at most.
fn a_folder_replaced_under_its_name(php: &mut Php) {
    for release in ["one", "two"] {
        php.file(
            &format!("{release}/x.php"),
            "<?php echo basename(getcwd());",
        );
    }
    let current = php.folder.join("current");
    let ask = |php: &mut Php| {
        let answer = Request::new(&current.join("x.php")).run(php);
        answer.body().to_owned()
    };
    symlink(php.folder.join("one"), &current).expect("symlink");
    assert_eq!(ask(php), "one");
    symlink(php.folder.join("two"), php.folder.join("next")).expect("symlink");
    fs::rename(php.folder.join("next"), &current).expect("rename");
    let replaced = Instant::now();
    while ask(php) == "one" {
        assert!(replaced.elapsed() < Duration::from_secs(5), "never noticed");
    }
    assert_eq!(ask(php), "two");
}

fn a_script_that_changes_it(php: &mut Php) {
    let script = php.file("a/x.php", "<?php echo getcwd(); chdir('/'); echo getcwd();");
    let other = php.file("a/y.php", "<?php echo getcwd();");
    let folder = format!("{}/a", php.path());
    for _ in 0..3 {
        assert_eq!(Request::new(&script).run(php).body(), format!("{folder}/"));
        assert_eq!(Request::new(&other).run(php).body(), folder);
    }
}

fn folders_with_a_common_beginning(php: &mut Php) {
    let folders = ["a", "a/b", "a/bc", "a", "a/bc", "a/b"];
    for folder in folders {
        let script = php.file(&format!("{folder}/x.php"), "<?php echo getcwd();");
        let expected = format!("{}/{folder}", php.path());
        assert_eq!(Request::new(&script).run(php).body(), expected);
    }
}

fn a_relative_script(php: &mut Php) {
    php.file("home/a/x.php", "<?php echo getcwd();");
    php.file("b/x.php", "<?php echo 'elsewhere';");
    env::set_current_dir(php.folder.join("home")).expect("chdir");
    php.engine.after_fork();
    for _ in 0..2 {
        assert_eq!(
            Request::new(&php.folder.join("b/x.php")).run(php).body(),
            "elsewhere"
        );
        let mut request = Request::new(std::path::Path::new("a/x.php"));
        request.script = Some(c"a/x.php".to_owned());
        assert_eq!(request.run(php).body(), format!("{}/home/a", php.path()));
    }
}

fn without_a_way_home(php: &mut Php) {
    let gone = php.folder.join("gone");
    fs::create_dir(&gone).expect("mkdir");
    env::set_current_dir(&gone).expect("chdir");
    fs::remove_dir(&gone).expect("rmdir");
    php.engine.after_fork();
    let script = php.file("a/x.php", "<?php echo getcwd(); register_shutdown_function(function () { echo ' ', var_export(getcwd(), true); });");
    let answer = Request::new(&script).run(php);
    assert!(
        answer.body().starts_with(&format!("{}/a ", php.path())),
        "{}",
        answer.body()
    );
}

//! PHP's stack, seen from another thread while a script runs.
//!
//! A script calls `WAIT` where it is to be looked at, which reads a pipe that the other thread
//! writes to once it has seen enough.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl::set_dumpable;
use nix::sys::stat::Mode;
use nix::unistd::{Uid, mkfifo, setuid};
use sapi::{Stack, StackTrace, TraceEnd};

use crate::cases;
use crate::php::Php;
use crate::suite::Case;

/// How long a script may take to come to where it is to be looked at.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn cases() -> Vec<Case> {
    cases![
        nothing_runs,
        functions_and_the_lines_they_are_called_from,
        code_that_is_included,
        code_that_is_evaluated,
        methods_and_closures,
        internal_functions_between,
        destructors_and_handlers,
        generators,
        fibers,
        the_depth,
        a_process_that_may_not_be_traced,
        code_that_never_rests,
    ]
}

/// A place where a script waits to be looked at.
struct Gate {
    pipe: PathBuf,
}

impl Gate {
    fn new(php: &Php) -> Gate {
        let pipe = php.folder.join("gate");
        mkfifo(&pipe, Mode::S_IRWXU).expect("mkfifo");
        Gate { pipe }
    }

    /// Waits until the script has come here; one that never does is seen where it is.
    fn seen(&self, stack: Stack, depth: u32) -> StackTrace {
        let begun = Instant::now();
        loop {
            let trace = stack.trace(depth);
            let innermost = trace.frames.first();
            let is_here = innermost.is_some_and(|frame| frame.function == "file_get_contents");
            if is_here || begun.elapsed() > PATIENCE {
                return trace;
            }
            thread::yield_now();
        }
    }

    fn open(&self) {
        let mut pipe = OpenOptions::new()
            .write(true)
            .open(&self.pipe)
            .expect("open");
        pipe.write_all(b"go on").expect("write");
    }
}

/// Runs `code` and returns what its stack was at `WAIT`: `function file:line` of each call but the innermost, which
/// is how it waits, and that one's place first.
fn stack_of(php: &mut Php, code: &str, depth: u32) -> Vec<String> {
    let gate = Gate::new(php);
    let wait = format!("file_get_contents('{}')", gate.pipe.display());
    let script = php.script(&code.replace("WAIT", &wait));
    let path = script.script.clone().expect("a path");
    let stack = php.engine.stack();
    let folder = php.path().to_owned();
    let trace = thread::scope(|scope| {
        let seen = scope.spawn(|| {
            let trace = gate.seen(stack, depth);
            gate.open();
            trace
        });
        script.run(php);
        seen.join().expect("no panic")
    });
    std::fs::remove_file(&gate.pipe).expect("unlink");
    assert_eq!(trace.script.expect("a script"), path.to_bytes());
    assert_eq!(trace.end, TraceEnd::Whole);
    assert!(trace.frames.iter().all(|frame| frame.address % 8 == 0));
    let script = path.to_str().expect("UTF-8");
    trace
        .frames
        .iter()
        .map(|frame| {
            let file = frame.file.to_string().replace(script, "@");
            format!("{} {}:{}", frame.function, file, frame.line).replace(&folder, "/")
        })
        .collect()
}

fn nothing_runs(php: &mut Php) {
    let trace = php.engine.stack().trace(20);
    assert_eq!(trace.script, None);
    assert_eq!(trace.end, TraceEnd::Cut);
    php.get("echo 1;");
    assert_eq!(php.engine.stack().trace(20).script, None);
}

fn functions_and_the_lines_they_are_called_from(php: &mut Php) {
    assert_eq!(
        stack_of(php, "WAIT;", 20),
        ["file_get_contents @:1"],
        "the script's own code is no call"
    );
    assert_eq!(
        stack_of(
            php,
            "\nfunction a() {\n WAIT;\n}\nfunction b($x) {\n a();\n}\nb(1);",
            20
        ),
        ["file_get_contents @:3", "a @:6", "b @:8"]
    );
}

fn code_that_is_included(php: &mut Php) {
    let pipe = php.folder.join("gate");
    let code = format!(
        "<?php\nfunction inside() {{\n file_get_contents('{}');\n}}\ninside();",
        pipe.display()
    );
    php.file("part.inc", &code);
    assert_eq!(
        stack_of(
            php,
            "\nfunction load($file) {\n include $file;\n}\nload(__DIR__ . '/part.inc');",
            20
        ),
        [
            "file_get_contents //part.inc:3",
            "inside //part.inc:5",
            "[INCLUDE_OR_EVAL] @:3",
            "load @:5",
        ]
    );
}

fn code_that_is_evaluated(php: &mut Php) {
    assert_eq!(
        stack_of(php, "\neval(\"\\n\\nWAIT;\");", 20),
        [
            "file_get_contents @(2) : eval()'d code:3",
            "[INCLUDE_OR_EVAL] @:2"
        ]
    );
}

fn methods_and_closures(php: &mut Php) {
    let code = "namespace A\\B;
        class K {
            function method() { self::still(1); }
            static function still($n) { (function () { WAIT; })(); }
            function __call($name, $arguments) { $this->method(); }
        }
        (new K)->nothing();";
    let stack = stack_of(php, code, 20);
    let closure = &stack[1];
    // Since 8.4 a closure's name says where it is.
    assert!(closure.contains("{closure"), "{closure}");
    assert!(closure.ends_with(" @:4"), "{closure}");
    let named: Vec<_> = [&stack[..1], &stack[2..]].concat();
    assert_eq!(
        named,
        [
            "file_get_contents @:4",
            "still @:3",
            "method @:5",
            "__call @:7"
        ]
    );
}

fn internal_functions_between(php: &mut Php) {
    let code = "
        function each($x) { WAIT; return 0; }
        function all() {
            call_user_func('array_map', 'each', [1]);
        }
        call_user_func('usort', $GLOBALS['list'], 'each');
        all();";
    assert_eq!(
        stack_of(
            php,
            &code.replace("call_user_func('usort', $GLOBALS['list'], 'each');", ""),
            20
        ),
        [
            "file_get_contents @:2",
            // Between it and the nearest PHP code are the two functions that call it.
            "each @:4",
            "array_map @:4",
            "all @:7",
        ]
    );
}

fn destructors_and_handlers(php: &mut Php) {
    let code = "
        class K { function __destruct() { WAIT; } }
        function drop() { $k = new K; $k = null; }
        drop();";
    assert_eq!(
        stack_of(php, code, 20),
        ["file_get_contents @:2", "__destruct @:3", "drop @:4"]
    );
    let code = "
        function handle() { WAIT; return true; }
        set_error_handler('handle');
        echo $undefined;";
    assert_eq!(
        stack_of(php, code, 20),
        ["file_get_contents @:2", "handle @:4"]
    );
}

fn generators(php: &mut Php) {
    let code = "
        function numbers() { yield 1; WAIT; }
        foreach (numbers() as $number);";
    assert_eq!(
        stack_of(php, code, 20),
        ["file_get_contents @:2", "numbers @:3"]
    );
    let code = "
        function inner() { yield 1; WAIT; }
        function outer() { yield from inner(); }
        foreach (outer() as $number);";
    assert_eq!(
        stack_of(php, code, 20),
        // PHP puts a frame of its own between them; the original shows it like this.
        ["file_get_contents @:2", "inner unknown:0", "??? @:4"]
            .map(|frame| frame.replace("unknown", ""))
    );
}

fn fibers(php: &mut Php) {
    let code = "
        function inside() { WAIT; }
        $fiber = new Fiber('inside');
        $fiber->start();";
    assert_eq!(
        stack_of(php, code, 20),
        [
            "file_get_contents @:2",
            "inside @:4",
            "[INCLUDE_OR_EVAL] @:4",
            "start @:4"
        ]
    );
}

fn the_depth(php: &mut Php) {
    let code = "function down($n) { $n ? down($n - 1) : WAIT; }\ndown(30);";
    assert_eq!(stack_of(php, code, 1), ["file_get_contents @:1"]);
    assert_eq!(stack_of(php, code, 20).len(), 20);
    let whole = stack_of(php, code, 40);
    assert_eq!(whole.len(), 32);
    assert_eq!(whole.last().map(String::as_str), Some("down @:2"));
    let deep = "function down($n) { $n ? down($n - 1) : WAIT; }\ndown(20000);";
    assert_eq!(stack_of(php, deep, u32::MAX).len(), 10_000);
}

fn a_process_that_may_not_be_traced(php: &mut Php) {
    let everybody = Mode::S_IRWXU | Mode::S_IRWXG | Mode::S_IRWXO;
    nix::sys::stat::fchmodat(
        nix::fcntl::AT_FDCWD,
        &php.folder,
        everybody,
        nix::sys::stat::FchmodatFlags::FollowSymlink,
    )
    .expect("chmod");
    if Uid::current().is_root() {
        setuid(Uid::from_raw(65534)).expect("setuid");
    }
    set_dumpable(false).expect("prctl");
    assert_eq!(stack_of(php, "WAIT;", 20), ["file_get_contents @:1"]);
}

fn code_that_never_rests(php: &mut Php) {
    let flag = php.folder.join("seen");
    let code = "
        class Node { public $next; function __destruct() { strrev('x'); } }
        function numbers($n) { while ($n--) { $node = new Node; yield strlen(str_repeat('a', $n)); } }
        function again($n) { return $n ? again($n - 1) : eval('return array_sum(iterator_to_array(numbers(5)));'); }
        function work() { foreach ([3, 17, 1, 40] as $n) { usort($GLOBALS['list'], fn ($a, $b) => again($n) ?: $a <=> $b); } }
        $list = [3, 1, 2];
        while (!file_exists('FLAG')) { work(); clearstatcache(); }
        echo 'done';";
    let script = php.script(&code.replace("FLAG", flag.to_str().expect("UTF-8")));
    let stack = php.engine.stack();
    let (answer, seen) = thread::scope(|scope| {
        let seen = scope.spawn(|| look_often(stack, &flag));
        let answer = script.run(php);
        (answer, seen.join().expect("no panic"))
    });
    assert_eq!(answer.body(), "done");
    for function in ["work", "usort", "again"] {
        assert!(seen.contains(function), "{seen:?}");
    }
}

/// Looks until `again()` was seen often, and returns the names of all functions seen.
fn look_often(stack: Stack, flag: &Path) -> BTreeSet<String> {
    let _raised = Raised(flag);
    let (mut seen, mut deep) = (BTreeSet::new(), 0);
    let begun = Instant::now();
    while deep < 500 && begun.elapsed() < PATIENCE {
        let trace = stack.trace(100);
        deep += u32::from(trace.frames.iter().any(|frame| frame.function == "again"));
        if trace.end == TraceEnd::Whole {
            let outermost = trace.frames.last().map(|frame| frame.function.clone());
            assert!(
                outermost.is_none_or(|name| name == "work"
                    || name == "file_exists"
                    || name == "clearstatcache"),
                "{trace:?}"
            );
        }
        seen.extend(trace.frames.iter().map(|frame| frame.function.to_string()));
    }
    seen
}

/// Ends the script when nobody looks any more, be it for a failure.
struct Raised<'a>(&'a Path);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        std::fs::write(self.0, "").expect("write");
    }
}

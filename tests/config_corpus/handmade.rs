//! Cases thought up one by one: single lines in a pool, and whole sets of files.

use std::fs;
use std::path::Path;

use anyhow::Context;
use fpmd_tests::Result;

use crate::case::{Case, GLOBAL, POOL};

/// Lines to put at the end of a good pool, for the grammar of values above all.
const LINES: &str = include_str!("lines.conf");

/// Returns one case for each line of `lines.conf`, and those with bytes that no text file should have.
pub(crate) fn lines() -> Vec<Case> {
    let mut lines: Vec<Vec<u8>> = LINES.lines().map(|line| line.as_bytes().to_vec()).collect();
    lines.extend(BYTES.iter().map(|line| line.to_vec()));
    lines.push([b"ping.response = ".as_slice(), &[b'x'; 3000]].concat());
    lines.push([b"ping.response = '".as_slice(), &[b'y'; 100_000], b"'"].concat());
    lines.push(
        [
            b"ping.response = ".as_slice(),
            &b"(".repeat(150),
            b"7",
            &b")".repeat(150),
        ]
        .concat(),
    );
    let cases = lines.into_iter().enumerate().map(|(number, line)| {
        let text = [
            GLOBAL.as_bytes(),
            POOL.as_bytes(),
            b"ping.path = /ping\n",
            &line,
            b"\n",
        ]
        .concat();
        let name = format!(
            "line {number}: {}",
            String::from_utf8_lossy(&line[..line.len().min(60)])
        );
        with_variables(Case::new(name, text))
    });
    cases.collect()
}

/// A case that shows what a value means.
fn asking(name: &str, value: &str) -> Case {
    let text = format!("{GLOBAL}{POOL}ping.path = /ping\nping.response = \"{value}\"\n");
    with_variables(Case::new(name, text))
}

fn with_variables(case: Case) -> Case {
    case.variable("A", "a value")
        .variable("AB", "another")
        .variable("EMPTY", "")
        .variable("N", "6")
}

const BYTES: &[&[u8]] = &[
    b"ping.response = \xff\xfe\x80",
    b"ping.response = \"\xe9t\xe9\"",
    b"ping.response = a\0b",
    b"ping.response = \"a\0b\"",
    b"ping.response = 'a\0b'",
    b"ping.response\0 = x",
    b"\0",
    b"[a\0b]",
    b"[a\0]",
    b"env[a\0b] = x",
    b"; comment \0 user = x",
    b"ping.response = x ; \0 y",
    b"ping.response = ${A\0}",
    b"ping.response = x\\\0",
    b"ping.response = $\0x",
    b"ping.response = x\r",
    b"ping.response = x\ruser = nobody",
    b"ping.response = \"x\ry\"",
    b"ping.response = \"x",
    b"\xef\xbb\xbfping.response = after a mark",
    b"\xef\xbb\xbf",
    b"\xef\xbb\xbf\xef\xbb\xbfping.response = two",
    b"ping.response = \xef\xbb\xbfinside",
    b"ping.response =\x0bx\x0c",
    b"ping.response = \x01\x1b\x7f",
    b"ping.response = '\xc3",
    b"include = @DIR@/php-fpm.conf\0x",
    b"include = @DIR@/a.conf\rinclude = @DIR@/b.conf",
];

/// Returns the cases in the folder `cases`: a file each, or a folder with a `php-fpm.conf`. Lines that start with
/// `;; arguments:` or `;; variable:` say what else the case wants.
pub(crate) fn files() -> Result<Vec<Case>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config_corpus/cases");
    let mut cases = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let case = if path.is_dir() {
            let mut case = Case {
                name,
                ..Case::default()
            };
            gather(&path, "", &mut case)?;
            case
        } else {
            Case::new(name, fs::read(&path)?)
        };
        cases.push(with_wishes(case));
    }
    cases.extend(strange_files());
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

fn gather(folder: &Path, prefix: &str, case: &mut Case) -> Result {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            gather(&entry.path(), &format!("{name}/"), case)?;
        } else {
            case.files.push((name, fs::read(entry.path())?));
        }
    }
    Ok(())
}

fn with_wishes(mut case: Case) -> Case {
    let texts: Vec<String> = case
        .files
        .iter()
        .map(|(_, text)| String::from_utf8_lossy(text).into_owned())
        .collect();
    for line in texts.iter().flat_map(|text| text.lines()) {
        if let Some(arguments) = line.strip_prefix(";; arguments:") {
            case.arguments
                .extend(arguments.split_whitespace().map(ToOwned::to_owned));
        }
        if let Some((name, value)) = line
            .strip_prefix(";; variable:")
            .and_then(|line| line.split_once('='))
        {
            case.environment
                .push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    case
}

/// Files that cannot be committed as they are: empty, huge, directories, links in circles.
fn strange_files() -> Vec<Case> {
    let good = format!("{GLOBAL}{POOL}");
    let including = |pattern: &str| format!("{GLOBAL}{POOL}include = {pattern}\n");
    let chain = |depth: usize| {
        let mut case = Case::new(
            format!("files nested {depth} deep"),
            format!("include = @DIR@/1.conf\n{good}"),
        );
        for number in 1..depth {
            case = case.file(
                &format!("{number}.conf"),
                format!(";\ninclude = @DIR@/{}.conf\n;\n", number + 1),
            );
        }
        case.file(&format!("{depth}.conf"), "; the last\n")
    };
    let long_path = format!("{GLOBAL}{POOL}listen = @DIR@/{}.sock\n", "x".repeat(120));
    vec![
        Case::new("empty file", ""),
        Case::new("nothing but line ends", "\n\n\r\n\n"),
        Case::new("no line end at the end", good.trim_end()),
        Case::new("only carriage returns", good.replace('\n', "\r")),
        Case::new("DOS line ends", good.replace('\n', "\r\n")),
        Case::new("a hundred pools", many_pools(100)),
        Case::new("a pool twice", format!("{good}{POOL}pm = static\n")),
        Case::new(
            "a pool twice with another between",
            format!("{good}[api]\nlisten = 9001\npm = static\n[WWW]\npm = ondemand\n"),
        ),
        Case::new(
            "a port twice",
            many_pools(3).replace("listen = 9002", "listen = 9000"),
        ),
        Case::new(
            "a port twice in two spellings",
            many_pools(2).replace("listen = 9001", "listen = 0.0.0.0:9000"),
        ),
        Case::new(
            "a long comment",
            format!("; {}\n{good}", "c".repeat(1 << 20)),
        ),
        Case::new(
            "a line of 10 MB",
            format!("{good}ping.response = \"{}\"\n", "x".repeat(10 << 20)),
        ),
        Case::new(
            "a section of 10 MB",
            format!("{good}[{}\n", "y".repeat(10 << 20)),
        ),
        asking("a setting comes before a variable", "${A} ${AB}")
            .arguments(&["-d", "A=from the command line"]),
        asking("a setting may be empty", "[${A}]").arguments(&["-d", "A="]),
        asking(
            "settings are known without variables",
            "${precision} ${display_errors}",
        ),
        Case::new("main file missing", "").arguments(&["-y", "@DIR@/none.conf"]),
        Case::new("main file is a directory", "").arguments(&["-y", "@DIR@"]),
        Case::new("main file has an empty name", "").arguments(&["-y", ""]),
        Case::new("main file by the prefix", "")
            .file("etc/php-fpm.conf", good.as_str())
            .arguments(&["-y", "@DIR@/etc/php-fpm.conf"]),
        Case::new("include a directory", including("@DIR@/more")).file("more/", ""),
        Case::new("include directories among files", including("@DIR@/*.d"))
            .file("a.d/", "")
            .file("b.d", "user = nobody\n"),
        Case::new("include with a slash at the end", including("@DIR@/more/"))
            .file("more/x.conf", "bogus\n"),
        Case::new("include nothing", including("")),
        Case::new("include a missing file", including("@DIR@/none.conf")),
        Case::new(
            "include from a missing directory",
            including("@DIR@/none/*.conf"),
        ),
        Case::new(
            "include from a file",
            including("@DIR@/php-fpm.conf/*.conf"),
        ),
        Case::new("include a relative path", including("etc/none.d/*.conf")),
        Case::new("include in order", including("@DIR@/more/*.conf"))
            .file("more/b.conf", "user = nobody\n")
            .file("more/a.conf", "user = root\n")
            .file("more/B.conf", "[b]\nuser = sync\n")
            .file("more/.h.conf", "bogus\n")
            .file("more/c.ini", "bogus\n"),
        Case::new("include by ranges", including("@DIR@/[0-9][!a]*.conf"))
            .file("10-x.conf", "group = nogroup\n")
            .file("1a.conf", "bogus\n"),
        Case::new("include with braces", including("\"@DIR@/{a,b}.conf\""))
            .file("a.conf", "group = nogroup\n"),
        Case::new("include by an open bracket", including("@DIR@/a[.conf"))
            .file("a[.conf", "group = nogroup\n"),
        Case::new("include by a backslash", including("@DIR@/\\*.conf"))
            .file("*.conf", "group = nogroup\n"),
        Case::new("include in folders", including("@DIR@/*/x.conf"))
            .file("a/x.conf", "group = nogroup\n")
            .file("b/y.conf", "bogus\n"),
        Case::new("include itself", including("@DIR@/php-fpm.conf")),
        Case::new("include each other", including("@DIR@/b.conf"))
            .file("b.conf", "include = @DIR@/php-fpm.conf\n"),
        Case::new(
            "include twice on a line",
            including("@DIR@/a.conf\rinclude = @DIR@/b.conf"),
        ),
        chain(4),
        chain(5),
        Case::new("socket path too long", long_path),
    ]
}

/// Files that nobody may read but the process that they are about, and its owner: not even who may read all that is on disk.
pub(crate) fn unreadable() -> Vec<Case> {
    const SECRET: &str = "/proc/1/environ";
    vec![
        Case::new("unreadable main file", "").arguments(&["-y", SECRET]),
        Case::new(
            "unreadable file is included",
            format!("{GLOBAL}{POOL}include = {SECRET}\n"),
        ),
        Case::new(
            "unreadable folder is included from",
            format!("{GLOBAL}{POOL}include = /proc/1/fd/*\n"),
        ),
        Case::new(
            "unwritable logs",
            format!("{GLOBAL}{POOL}error_log = {SECRET}\n"),
        ),
        Case::new(
            "unwritable access log",
            format!("{GLOBAL}{POOL}access.log = {SECRET}\n"),
        ),
        Case::new(
            "unwritable slow log",
            format!("{GLOBAL}{POOL}slowlog = {SECRET}\nrequest_slowlog_timeout = 1\n"),
        ),
    ]
}

fn many_pools(count: usize) -> String {
    let pools = (0..count).map(|number| {
        format!(
            "[pool{number}]\nuser = www-data\nlisten = {}\npm = static\npm.max_children = 2\n",
            9000 + number
        )
    });
    format!("{GLOBAL}{}", pools.collect::<String>())
}

//! What lines mean. The expectations were taken from PHP 8.2 and 8.4 themselves (`zend_parse_ini_string`).

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::PhpVersion::{self, Php82, Php84};
use crate::memory::MemoryVocabulary;

/// Writes what a line says in one line of its own: statements in brackets, then the error.
fn said(line: &[u8], php: PhpVersion) -> String {
    let ParsedLine { statements, error } = parse_line(line, php, &MemoryVocabulary);
    let mut said: Vec<String> = statements
        .iter()
        .map(|statement| match statement {
            Statement::Section(name) => format!("[{name}]"),
            Statement::Entry {
                name,
                value: Some(value),
            } => format!("{name} = {value:?}"),
            Statement::Entry { name, value: None } => format!("{name} alone"),
            Statement::Element { name, key, value } => format!("{name}[{key}] = {value:?}"),
        })
        .collect();
    said.extend(error);
    said.join("; ")
}

fn check(php: PhpVersion, lines: &[&str], expected: &Expect) {
    let said: Vec<String> = lines
        .iter()
        .map(|line| format!("{line}  ->  {}\n", said(line.as_bytes(), php)))
        .collect();
    expected.assert_eq(&said.concat());
}

#[test]
fn blanks_and_comments() {
    let lines = [
        "",
        "k=v",
        "  k = v  ",
        "\tk\t=\tv\t",
        "k = a  b",
        "k = v ; comment",
        "k = v;comment",
        "; comment",
        "  ; comment",
        "# v",
        "k",
        "k ; comment",
        "k =",
        "k = # v",
        "k = ;",
    ];
    check(
        Php84,
        &lines,
        &expect![[r##"
          ->  
        k=v  ->  k = "v"
          k = v    ->  k = "v"
        	k	=	v	  ->  k = "v"
        k = a  b  ->  k = "a  b"
        k = v ; comment  ->  k = "v"
        k = v;comment  ->  k = "v"
        ; comment  ->  
          ; comment  ->  
        # v  ->  # v alone
        k  ->  k alone
        k ; comment  ->  k alone
        k =  ->  k = ""
        k = # v  ->  k = "# v"
        k = ;  ->  k = ""
    "##]],
    );
}

#[test]
fn quotes() {
    let lines = [
        r#"k = """#,
        r#"k = "a;b""#,
        r#"k = 'a;b'"#,
        r#"k = "a"'b'c"#,
        r#"k = a "b" c"#,
        r#"k = "a\"b\\c\$d\ne""#,
        r#"k = 'a\'"#,
        r#"k = "C:\dir\""#,
        "k = ''",
        r#"k = "open"#,
        "k = 'open",
        "k = don't",
        r#"k = "a" b""#,
    ];
    check(
        Php84,
        &lines,
        &expect![[r#"
        k = ""  ->  k = ""
        k = "a;b"  ->  k = "a;b"
        k = 'a;b'  ->  k = "a;b"
        k = "a"'b'c  ->  k = "abc"
        k = a "b" c  ->  k = "abc"
        k = "a\"b\\c\$d\ne"  ->  k = "a\"b\\c$d\\ne"
        k = 'a\'  ->  k = "a\\"
        k = "C:\dir\"  ->  k = "C:\\dir\\"
        k = ''  ->  k = ""; ' alone
        k = "open  ->  syntax error, unexpected end of file, expecting TC_DOLLAR_CURLY or TC_QUOTED_STRING or '"' in Unknown on line 2
        k = 'open  ->  syntax error, unexpected end of file in Unknown on line 1
        k = don't  ->  k = "don"
        k = "a" b"  ->  syntax error, unexpected end of file, expecting TC_DOLLAR_CURLY or TC_QUOTED_STRING or '"' in Unknown on line 2
    "#]],
    );
}

#[test]
fn words() {
    let lines = [
        "k = on",
        "k = YES",
        "k = off",
        "k = None",
        "k = null",
        "k = 'on'",
        "k = onward",
        "k = on x",
        "k = x on",
        "k = E_NOTICE",
        "k = e_notice",
        "k = 'E_NOTICE'",
        "k = MEMORY_CONSTANT",
        "k = OTHER",
        "on = 1",
        "once = 1",
    ];
    check(
        Php84,
        &lines,
        &expect![[r#"
        k = on  ->  k = "1"
        k = YES  ->  k = "1"
        k = off  ->  k = ""
        k = None  ->  k = ""
        k = null  ->  k = ""
        k = 'on'  ->  k = "on"
        k = onward  ->  k = "onward"
        k = on x  ->  k = "1"; syntax error, unexpected TC_CONSTANT in Unknown on line 1
        k = x on  ->  k = "x "; syntax error, unexpected BOOL_TRUE in Unknown on line 1
        k = E_NOTICE  ->  k = "8"
        k = e_notice  ->  k = "e_notice"
        k = 'E_NOTICE'  ->  k = "E_NOTICE"
        k = MEMORY_CONSTANT  ->  k = "of constant"
        k = OTHER  ->  k = "OTHER"
        on = 1  ->  syntax error, unexpected BOOL_TRUE in Unknown on line 1
        once = 1  ->  once = "1"
    "#]],
    );
}

#[test]
fn expressions() {
    let lines = [
        "k = 1|2",
        "k = E_ALL & ~E_NOTICE",
        "k = 6 & 3 | 8 ^ 1",
        "k = ~~5",
        "k = !5",
        "k = !0",
        "k = (1|2)&2",
        "k = a|2",
        "k = 4294967297|0",
        "k = 1|",
        "k = (1",
        "k = ()",
        "k = 1)",
        "k = a!b",
        "k = |",
    ];
    check(
        Php82,
        &lines,
        &expect![[r#"
        k = 1|2  ->  k = "3"
        k = E_ALL & ~E_NOTICE  ->  k = "32759"
        k = 6 & 3 | 8 ^ 1  ->  k = "11"
        k = ~~5  ->  k = "5"
        k = !5  ->  k = "0"
        k = !0  ->  k = "1"
        k = (1|2)&2  ->  k = "2"
        k = a|2  ->  k = "2"
        k = 4294967297|0  ->  k = "1"
        k = 1|  ->  syntax error, unexpected END_OF_LINE in Unknown on line 2
        k = (1  ->  syntax error, unexpected END_OF_LINE, expecting '^' or '|' or '&' or ')' in Unknown on line 2
        k = ()  ->  syntax error, unexpected ')' in Unknown on line 1
        k = 1)  ->  k = "1"; syntax error, unexpected ')' in Unknown on line 1
        k = a!b  ->  k = "a"; syntax error, unexpected '!' in Unknown on line 1
        k = |  ->  syntax error, unexpected '|' in Unknown on line 1
    "#]],
    );
}

#[test]
fn variables() {
    let lines = [
        "k = ${NAME}",
        "k = a${NAME}b",
        r#"k = "a ${NAME} b""#,
        "k = '${NAME}'",
        "k = ${NONE}",
        "k = $NAME",
        "k = a$",
        "k = $(x)",
        "k = ${NAME",
        "k = ${}",
        "k = ${NONE:-two words}",
        "k = ${NAME:-x}",
        "k = ${NONE:-\"a\"${NAME}}",
        "k = ${N:-x}",
        "k = ${:-x}",
    ];
    check(
        Php84,
        &lines,
        &expect![[r#"
        k = ${NAME}  ->  k = "of variable"
        k = a${NAME}b  ->  k = "aof variableb"
        k = "a ${NAME} b"  ->  k = "a of variable b"
        k = '${NAME}'  ->  k = "${NAME}"
        k = ${NONE}  ->  k = ""
        k = $NAME  ->  k = "$NAME"
        k = a$  ->  k = "a$\n"
        k = $(x)  ->  k = "$(x"; syntax error, unexpected ')' in Unknown on line 1
        k = ${NAME  ->  syntax error, unexpected end of file, expecting TC_FALLBACK or '}' in Unknown on line 1
        k = ${}  ->  syntax error, unexpected '}', expecting TC_VARNAME in Unknown on line 1
        k = ${NONE:-two words}  ->  k = "two words"
        k = ${NAME:-x}  ->  k = "of variable"
        k = ${NONE:-"a"${NAME}}  ->  k = "aof variable"
        k = ${N:-x}  ->  syntax error, unexpected TC_FALLBACK, expecting TC_VARNAME in Unknown on line 1
        k = ${:-x}  ->  syntax error, unexpected TC_FALLBACK, expecting TC_VARNAME in Unknown on line 1
    "#]],
    );
    let lines = ["k = ${NONE:-x}", "k = ${NAME", "k = ${N:-x}"];
    check(
        Php82,
        &lines,
        &expect![[r#"
        k = ${NONE:-x}  ->  k = ""
        k = ${NAME  ->  syntax error, unexpected end of file, expecting '}' in Unknown on line 1
        k = ${N:-x}  ->  k = ""
    "#]],
    );
}

#[test]
fn names() {
    let lines = [
        "[www]",
        "[www] ; comment",
        "[www] k = v",
        "[ a b ]",
        "[\"a\"'b']",
        "[${NAME}]",
        "[]",
        "[www",
        "[[a]]",
        " [a]",
        "\t[a]",
        "k[x] = v",
        "k[] = v",
        "k [ x ] = v",
        "k['x'] = v",
        "k[E_NOTICE] = v",
        "k[x]",
        "k[x",
        "k[x]y = v",
        "a b = v",
        "a = b = c",
        "= v",
        "${NAME} = v",
        ")",
    ];
    check(
        Php84,
        &lines,
        &expect![[r#"
        [www]  ->  [www]
        [www] ; comment  ->  [www]
        [www] k = v  ->  [www]; k = "v"
        [ a b ]  ->  [ a b ]
        ["a"'b']  ->  [ab]
        [${NAME}]  ->  [of variable]
        []  ->  []
        [www  ->  syntax error, unexpected end of file, expecting ']' in Unknown on line 1
        [[a]]  ->  [[a]; syntax error, unexpected ']' in Unknown on line 2
         [a]  ->  syntax error, unexpected END_OF_LINE, expecting '=' in Unknown on line 2
        	[a]  ->  [a]
        k[x] = v  ->  k[x] = "v"
        k[] = v  ->  k[] = "v"
        k [ x ] = v  ->  k[x ] = "v"
        k['x'] = v  ->  k[x] = "v"
        k[E_NOTICE] = v  ->  k[8] = "v"
        k[x]  ->  syntax error, unexpected END_OF_LINE, expecting '=' in Unknown on line 2
        k[x  ->  syntax error, unexpected end of file, expecting ']' in Unknown on line 1
        k[x]y = v  ->  syntax error, unexpected TC_LABEL, expecting '=' in Unknown on line 1
        a b = v  ->  a b = "v"
        a = b = c  ->  a = "b "; syntax error, unexpected '=' in Unknown on line 1
        = v  ->  syntax error, unexpected '=' in Unknown on line 1
        ${NAME} = v  ->  syntax error, unexpected '$' in Unknown on line 1
        )  ->  syntax error, unexpected ')' in Unknown on line 1
    "#]],
    );
}

#[test]
fn bytes_that_are_no_text() {
    for (line, expected) in [
        (b"k = \xff\xc3\xa9".as_slice(), r#"k = "\xffé""#),
        (b"\xef\xbb\xbfk = v", r#"k = "v""#),
        (b"k = v\r", r#"k = "v""#),
        (b"k = v\rl = w", r#"k = "v"; l = "w""#),
        (b"k = a\0b", r#"k = "a""#),
        (
            b"k = 'a\0b'",
            "syntax error, unexpected end of file in Unknown on line 1",
        ),
        (b"k = a$", r#"k = "a$\n""#),
    ] {
        assert_eq!(said(line, Php84), expected, "{line:?}");
    }
}

#[test]
fn nesting_has_an_end() {
    let nested = |depth: usize| format!("k = {}7{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(said(nested(150).as_bytes(), Php84), r#"k = "7""#);
    assert_eq!(
        said(nested(100_000).as_bytes(), Php84),
        "memory exhausted in Unknown on line 1"
    );
    let fallbacks = "${A:-".repeat(100_000);
    assert_eq!(
        said(
            format!("k = {}", fallbacks.replace('A', "AA")).as_bytes(),
            Php84
        ),
        "memory exhausted in Unknown on line 1"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_parsed(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        parse_line(&line, Php82, &MemoryVocabulary);
        parse_line(&line, Php84, &MemoryVocabulary);
    }

    #[test]
    fn any_pieces_of_the_language_are_parsed(
        pieces in proptest::collection::vec(
            proptest::sample::select(vec![
                "a", "k", "=", " ", "\t", "\"", "'", "\\", "$", "{", "}", "${", "${NAME}", "${NAME:-", "(", ")", "|", "&", "^", "~", "!",
                ";", "[", "]", "on", "none", "null", "E_ALL", "5", "1.5", "-", ".", "\r", "\n", "\0", "é",
            ]),
            0..30,
        ),
    ) {
        let line = pieces.concat();
        for php in [Php82, Php84] {
            let ParsedLine { statements, error } = parse_line(line.as_bytes(), php, &MemoryVocabulary);
            // Nothing that could be mistaken for the bracket of a key is in a name.
            for statement in &statements {
                if let Statement::Entry { name, .. } | Statement::Element { name, .. } = statement {
                    prop_assert!(!name.contains(&b'['), "{}", name);
                }
            }
            prop_assert!(error.is_none_or(|error| error.contains(" on line ")));
        }
    }
}

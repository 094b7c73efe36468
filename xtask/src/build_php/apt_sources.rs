//! The machine's own package sources, and from them a private list that offers the source package of PHP.
//!
//! Which mirror, which keyring: only the machine knows. So its entries are read in both formats that apt has
//! (sources.list(5)) and repeated for source packages, with the suite exchanged. Pure: texts in, text out.

/// One archive that the machine takes packages from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Archive {
    uris: Vec<String>,
    suites: Vec<String>,
    components: Vec<String>,
    /// Signed-By as it stands: a path, fingerprints, or a whole key over several lines.
    signed_by: Option<String>,
    /// Trusted as it stands; local mirrors have it.
    trusted: Option<String>,
}

/// One file of /etc/apt/sources.list or sources.list.d.
pub(super) struct SourcesFile {
    pub(super) format: Format,
    pub(super) text: String,
}

/// The format of such a file; its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `*.list`: `deb [options] URI SUITE COMPONENT…`.
    OneLine,
    /// `*.sources`: paragraphs of `Field: value`.
    Deb822,
}

/// Names that Debian gives to a suite beside its codename.
const ROLLING_NAMES: [&str; 3] = ["stable", "oldstable", "oldoldstable"];

/// Writes the private list (deb822): the source packages of suite `to`, from every archive that serves this
/// machine's own suite `from`. Empty when no archive does.
pub(super) fn source_list(files: &[SourcesFile], from: &str, to: &str) -> String {
    let mut list = String::new();
    for archive in files.iter().flat_map(parse) {
        let suites: Vec<String> = archive
            .suites
            .iter()
            .filter_map(|suite| exchange(suite, from, to))
            .collect();
        if suites.is_empty()
            || !archive
                .components
                .iter()
                .any(|component| component == "main")
        {
            continue;
        }
        list.push_str(&format!(
            "Types: deb-src\nURIs: {}\nSuites: {}\nComponents: main\n",
            archive.uris.join(" "),
            suites.join(" ")
        ));
        for (field, value) in [
            ("Signed-By", &archive.signed_by),
            ("Trusted", &archive.trusted),
        ] {
            if let Some(value) = value {
                list.push_str(&format!("{field}: {value}\n"));
            }
        }
        list.push('\n');
    }
    list
}

/// `bookworm-security` becomes `trixie-security`; a suite of something else is none of ours.
fn exchange(suite: &str, from: &str, to: &str) -> Option<String> {
    let (base, rest) = suite.find('-').map_or((suite, ""), |at| suite.split_at(at));
    let ours = base == from || ROLLING_NAMES.contains(&base);
    // Backports carry newer upstream releases under the old name; they are not what "Debian's 8.2" means.
    (ours && matches!(rest, "" | "-updates" | "-security")).then(|| format!("{to}{rest}"))
}

fn parse(file: &SourcesFile) -> Vec<Archive> {
    match file.format {
        Format::OneLine => file.text.lines().filter_map(parse_line).collect(),
        Format::Deb822 => parse_paragraphs(&file.text),
    }
}

fn parse_line(line: &str) -> Option<Archive> {
    let line = line.split('#').next()?.trim();
    let rest = line
        .strip_prefix("deb ")
        .or_else(|| line.strip_prefix("deb\t"))?
        .trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => ("", rest),
    };
    let option = |name: &str| {
        options
            .split_whitespace()
            .filter_map(|option| option.split_once('='))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    };
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Archive {
        uris: vec![words.next()?],
        suites: vec![words.next()?],
        components: words.collect(),
        signed_by: option("signed-by"),
        trusted: option("trusted"),
    })
}

fn parse_paragraphs(text: &str) -> Vec<Archive> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    lines
        .split(|line| line.trim().is_empty())
        .filter_map(parse_paragraph)
        .collect()
}

fn parse_paragraph(lines: &[&str]) -> Option<Archive> {
    let words = |name| -> Vec<String> {
        let value = field(lines, name).unwrap_or_default();
        value.split_whitespace().map(str::to_owned).collect()
    };
    let enabled = !matches!(
        field(lines, "Enabled").as_deref(),
        Some("no" | "false" | "0")
    );
    let archive = Archive {
        uris: words("URIs"),
        suites: words("Suites"),
        components: words("Components"),
        signed_by: field(lines, "Signed-By"),
        trusted: field(lines, "Trusted"),
    };
    (enabled && words("Types").iter().any(|kind| kind == "deb")).then_some(archive)
}

/// The value of a field with its continuation lines as they stand.
fn field(lines: &[&str], name: &str) -> Option<String> {
    let start = lines.iter().position(|line| {
        line.split_once(':')
            .is_some_and(|(key, _)| key.eq_ignore_ascii_case(name))
    })?;
    let mut value = lines[start].split_once(':')?.1.trim().to_owned();
    for line in lines[start + 1..]
        .iter()
        .take_while(|line| line.starts_with([' ', '\t']))
    {
        value.push('\n');
        value.push_str(line);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(format: Format, text: &str, list: &Expect) {
        let files = [SourcesFile {
            format,
            text: text.to_owned(),
        }];
        list.assert_eq(&source_list(&files, "bookworm", "trixie"));
    }

    #[test]
    fn deb822_paragraphs_keep_mirror_and_keyring() {
        check(
            Format::Deb822,
            "Types: deb\n# snapshot\nURIs: http://mirror.test/debian\nSuites: bookworm bookworm-updates bookworm-backports\n\
             Components: main contrib\nSigned-By: /usr/share/keyrings/a.gpg\n\n\
             Types: deb deb-src\nURIs: http://mirror.test/debian-security\nSuites: bookworm-security\nComponents: main\n",
            &expect![[r"
                Types: deb-src
                URIs: http://mirror.test/debian
                Suites: trixie trixie-updates
                Components: main
                Signed-By: /usr/share/keyrings/a.gpg

                Types: deb-src
                URIs: http://mirror.test/debian-security
                Suites: trixie-security
                Components: main

            "]],
        );
    }

    #[test]
    fn an_inline_key_travels_whole() {
        check(
            Format::Deb822,
            "Types: deb\nURIs: http://m.test/debian\nSuites: stable\nComponents: main\n\
             Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n",
            &expect![[r"
                Types: deb-src
                URIs: http://m.test/debian
                Suites: trixie
                Components: main
                Signed-By: 
                 -----BEGIN PGP PUBLIC KEY BLOCK-----
                 .
                 mQINBF

            "]],
        );
    }

    #[test]
    fn one_line_entries_with_and_without_options() {
        check(
            Format::OneLine,
            "# deb http://old.test/debian bookworm main\n\
             deb [arch=amd64 signed-by=/k.gpg trusted=yes] http://m.test/debian bookworm main # mine\n\
             deb-src http://m.test/debian bookworm main\n\
             deb http://m.test/debian bookworm-updates main contrib\n",
            &expect![[r"
                Types: deb-src
                URIs: http://m.test/debian
                Suites: trixie
                Components: main
                Signed-By: /k.gpg
                Trusted: yes

                Types: deb-src
                URIs: http://m.test/debian
                Suites: trixie-updates
                Components: main

            "]],
        );
    }

    #[test]
    fn other_archives_are_left_out() {
        check(
            Format::OneLine,
            "deb https://docker.test/debian bookworm stable\ndeb https://pg.test/apt bookworm-pgdg main\ndeb http://x.test ./\n",
            &expect![""],
        );
        check(
            Format::Deb822,
            "Types: deb\nEnabled: no\nURIs: http://m.test/debian\nSuites: bookworm\nComponents: main\n\n\
             Types: deb\nURIs: http://m.test/debian\nSuites: sid\nComponents: main\n",
            &expect![""],
        );
    }

    #[test]
    fn the_same_suite_is_fine_too() {
        let text = "deb http://m.test/debian bookworm main\n".to_owned();
        let list = source_list(
            &[SourcesFile {
                format: Format::OneLine,
                text,
            }],
            "bookworm",
            "bookworm",
        );
        assert!(list.contains("Suites: bookworm\n"));
    }
}

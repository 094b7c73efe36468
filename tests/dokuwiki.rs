//! DokuWiki from Debian's packages behind nginx, with opcache: pages are made and edited, pictures uploaded, words searched.

use fpmd_tests::{Browser, Daemon, Multipart, Nginx, Packages, Result, Subject, Tour, wait_until};

const PACKAGES: [&str; 9] = [
    "dokuwiki",
    "libjs-jquery",
    "libjs-jquery-cookie",
    "libjs-jquery-ui",
    "libphp-simplepie",
    "php-geshi",
    "php-phpseclib",
    "php-random-compat",
    "javascript-common",
];

/// A picture of 2 by 2 pixels.
const PICTURE: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52,
    0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x02, 0x08, 0x02, 0x00, 0x00, 0x00, 0xfd, 0xd4, 0x9a,
    0x73, 0x00, 0x00, 0x00, 0x16, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0xf8, 0xcf, 0xc0, 0xf0,
    0x1f, 0x8c, 0x19, 0x18, 0xfe, 0x33, 0xfc, 0x07, 0x00, 0x2f, 0xd0, 0x05, 0xfb, 0x4e, 0xbb, 0x6a,
    0x7d, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

/// Walks through a fresh wiki that `subject` serves.
fn tour(subject: &Subject) -> Result<Tour> {
    let packages = Packages::unpack(&PACKAGES)?;
    for folder in ["/usr/share/dokuwiki", "/etc/dokuwiki", "/var/lib/dokuwiki"] {
        packages.relocate(folder)?;
        packages.open_to_all(folder)?;
    }
    std::fs::write(
        packages.path("/etc/dokuwiki/local.php"),
        "<?php $conf['title'] = 'Test wiki'; $conf['license'] = '';",
    )?;

    let fpm = Daemon::new()
        .subject(subject)
        .root(packages.path("/usr/share/dokuwiki"))
        .pool("listen.mode = 0666")
        .workers(2)
        .php_ini(&format!(
            "zend_extension={}\ndisplay_errors=0\nsession.save_path={{dir}}/var",
            subject.extension("opcache")?.display()
        ))
        .start()?;
    let nginx = Nginx::start(&fpm, "location ~ \\.php$ { {pass} }")?;
    let browser = nginx.browser();
    let mut tour = Tour::new();

    let start = browser.get("/doku.php?id=start")?;
    tour.record("missing start page", &start)
        .shows("This topic does not exist yet")?;
    for (round, text) in [
        "====== A page ======\nwith a **word**: xylophone\n",
        "====== A page ======\nnow about: quetzalcoatl {{picture.png?10}}\n",
    ]
    .iter()
    .enumerate()
    {
        let editor = browser.get("/doku.php?id=test:page&do=edit")?;
        tour.record("editor", &editor);
        let mut form = editor.form("id=\"dw__editform\"")?;
        form.insert("wikitext".to_owned(), (*text).to_owned());
        form.insert("summary".to_owned(), format!("round {round}"));
        form.insert("do[save]".to_owned(), "1".to_owned());
        let saved = browser.post("/doku.php?id=test:page", form)?;
        tour.record("saved page", &saved)
            .shows("<h1 class=\"sectionedit1\" id=\"a_page\">A page</h1>")?;
        wait_for_the_next_second(&browser)?;
        tour.record(
            "indexer",
            &browser.get("/lib/exe/taskrunner.php?id=test:page")?,
        );
    }
    let page = browser.get("/doku.php?id=test:page")?;
    tour.record("page", &page)
        .shows("now about: quetzalcoatl")?;
    tour.record(
        "revisions",
        &browser.get("/doku.php?id=test:page&do=revisions")?,
    )
    .shows("round 1")?
    .shows("round 0")?;
    tour.record(
        "difference",
        &browser.get("/doku.php?id=test:page&do=diff")?,
    )
    .shows("xylophone")?;
    tour.record(
        "found",
        &browser.get("/doku.php?id=start&do=search&q=quetzalcoatl")?,
    )
    .shows("id=test:page")?;
    let lost = browser.get("/doku.php?id=start&do=search&q=xylophone")?;
    tour.record("not found", &lost)
        .shows("Nothing was found.")?;

    let manager = browser.get("/lib/exe/mediamanager.php?ns=test")?;
    let token = manager
        .form("id=\"dw__upload\"")?
        .remove("sectok")
        .unwrap_or_default();
    let upload = Multipart::new()
        .field("sectok", &token)
        .field("ns", "test")
        .field("mediaid", "picture.png")
        .file("upload", "picture.png", "image/png", PICTURE);
    tour.record(
        "upload",
        &browser.upload("/lib/exe/mediamanager.php?ns=test", &[], &upload)?,
    )
    .shows("picture.png")?;
    let fetched = browser.get("/lib/exe/fetch.php?media=test:picture.png")?;
    assert_eq!(
        (
            fetched.status,
            fetched.header("content-type"),
            &*fetched.body
        ),
        (200, Some("image/png"), PICTURE)
    );
    let details = browser.get("/lib/exe/detail.php?id=test:page&media=test:picture.png")?;
    tour.record("details", &details).shows("picture.png")?;

    for (name, address) in [
        ("script", "/lib/exe/js.php?t=dokuwiki"),
        ("style", "/lib/exe/css.php?t=dokuwiki"),
        ("index", "/doku.php?do=index"),
        ("feed", "/feed.php"),
        ("changes", "/doku.php?do=recent"),
    ] {
        let page = browser.get(address)?;
        assert_eq!(tour.record(name, &page).status, 200, "{name}");
    }
    assert_eq!(fpm.log().lines_with("exited"), Vec::<String>::new());
    Ok(tour)
}

/// Revisions are told apart by the second they were made in, so the next one must not come earlier.
fn wait_for_the_next_second(browser: &Browser) -> Result {
    let now = || -> Result<Option<String>> {
        let page = browser.get("/lib/tpl/dokuwiki/images/favicon.ico")?;
        Ok(page.header("date").map(ToOwned::to_owned))
    };
    let start = now()?;
    wait_until("the next second", || Ok(now()? != start))
}

#[test]
fn wiki_works_and_looks_the_same_on_both_daemons() -> Result {
    let subject = Subject::from_environment()?;
    tour(subject)?.is_like(&tour(&subject.original())?)
}

//! WordPress from Debian's packages on MariaDB behind nginx, with opcache: installed, logged in, a post with a picture.

use fpmd_tests::{
    Browser, Daemon, MariaDb, Multipart, Nginx, Page, Result, Subject, Tour, WordPress,
};

/// Asks WordPress's programming interface as its editor does.
struct Editor<'a> {
    browser: &'a Browser,
    nonce: String,
}

impl Editor<'_> {
    fn post(&self, route: &str, json: &str) -> Result<Page> {
        let headers = [
            ("X-WP-Nonce", &*self.nonce),
            ("Content-Type", "application/json"),
        ];
        self.browser.post_body(
            &format!("/index.php?rest_route={route}"),
            &headers,
            json.as_bytes(),
        )
    }

    fn upload(&self, form: &Multipart) -> Result<Page> {
        self.browser.upload(
            "/index.php?rest_route=/wp/v2/media",
            &[("X-WP-Nonce", &self.nonce)],
            form,
        )
    }
}

/// The value of a text member of a JSON object, the first of that name.
fn member(json: &str, name: &str) -> String {
    let rest = json
        .split(&format!("\"{name}\":\""))
        .nth(1)
        .unwrap_or_default();
    rest.split('"')
        .next()
        .unwrap_or_default()
        .replace("\\/", "/")
}

/// A picture large enough to be scaled down, drawn by PHP.
fn picture(subject: &Subject) -> Result<Vec<u8>> {
    let draw = "$i = imagecreatetruecolor(800, 600); for ($x = 0; $x < 800; $x += 4) imageline($i, $x, 0, 799 - $x, 599, $x * 70001 % 0xffffff); imagejpeg($i);";
    Ok(std::process::Command::new(subject.php_cli())
        .args(["-n", "-r", draw])
        .output()?
        .stdout)
}

/// Installs and uses a fresh WordPress that `subject` serves.
fn tour(subject: &Subject, server: &MariaDb, database: &str) -> Result<Tour> {
    let wordpress = WordPress::unpack(server, database, "")?;
    let fpm = Daemon::new()
        .subject(subject)
        .root(wordpress.root())
        .pool("listen.mode = 0666")
        .workers(2)
        .php_ini(&format!(
            "zend_extension={}\ndisplay_errors=0\nsendmail_path=/bin/true",
            subject.extension("opcache")?.display()
        ))
        .start()?;
    let nginx = Nginx::start(
        &fpm,
        "location / { try_files $uri $uri/ /index.php?$args; } location ~ \\.php$ { {pass} }",
    )?;
    let browser = nginx.browser();
    let mut tour = Tour::new().blind_to("data-pw=").blind_to("column-date'");

    let first = browser.get("/")?;
    tour.record("not installed yet", &first);
    assert!(
        first.address.starts_with("/wp-admin/install.php"),
        "{first:?}"
    );
    let install = [
        ("weblog_title", "Test blog"),
        ("user_name", "admin"),
        ("admin_password", "a long passphrase"),
        ("admin_password2", "a long passphrase"),
        ("pw_weak", "1"),
        ("admin_email", "admin@example.org"),
        ("blog_public", "0"),
    ];
    tour.record(
        "installed",
        &browser.post("/wp-admin/install.php?step=2", install)?,
    )
    .shows("Success!")?;

    browser.get("/wp-login.php")?;
    let login = [("log", "admin"), ("pwd", "wrong"), ("testcookie", "1")];
    tour.record("wrong password", &browser.post("/wp-login.php", login)?)
        .shows("is incorrect")?;
    let login = [
        ("log", "admin"),
        ("pwd", "a long passphrase"),
        ("testcookie", "1"),
        ("redirect_to", "/wp-admin/"),
    ];
    let dashboard = browser.post("/wp-login.php", login)?;
    tour.record("dashboard", &dashboard).shows("Howdy, ")?;

    let nonce = browser
        .get("/wp-admin/admin-ajax.php?action=rest-nonce")?
        .text();
    let editor = Editor {
        browser: &browser,
        nonce,
    };
    let picture = picture(subject)?;
    let form = Multipart::new().field("title", "A picture").file(
        "file",
        "picture.jpg",
        "image/jpeg",
        &picture,
    );
    let uploaded = editor.upload(&form)?;
    assert_eq!(
        tour.record("upload", &uploaded).status,
        201,
        "{}",
        uploaded.text()
    );
    let source = member(&uploaded.text(), "rendered");
    // WordPress lists posts by date: in the second of the installation their order would be chance.
    let post = editor.post(
        "/wp/v2/posts",
        &format!(r#"{{"title":"First words","content":"<p>Hello <em>wörld</em></p><img src=\"{source}\" alt=\"picture\">","status":"publish","date":"2020-01-02T03:04:05"}}"#),
    )?;
    assert_eq!(tour.record("post", &post).status, 201, "{}", post.text());
    tour.record("list of posts", &browser.get("/wp-admin/edit.php")?)
        .shows("First words")?;
    tour.record(
        "media library",
        &browser.get("/wp-admin/upload.php?mode=list")?,
    )
    .shows("A picture")?;
    tour.record("editor", &browser.get("/wp-admin/post-new.php")?)
        .shows("id=\"editor\"")?;

    let visitor = nginx.browser();
    let read = visitor.get(&member(&post.text(), "link"))?;
    tour.record("read by a visitor", &read)
        .shows("<p>Hello <em>wörld</em></p>")?
        .shows(&source)?;
    assert!(
        visitor.get(&source)?.body == picture,
        "the picture comes back changed"
    );
    let scaled = visitor.get(&source.replace(".jpg", "-300x225.jpg"))?;
    assert_eq!(
        (scaled.status, scaled.header("content-type")),
        (200, Some("image/jpeg"))
    );
    for (name, address, text) in [
        ("front page", "/", "First words"),
        ("feed", "/?feed=rss2", "<title>First words</title>"),
        ("search", "/?s=w%C3%B6rld", "First words"),
        ("json", "/index.php?rest_route=/wp/v2/posts", "First words"),
    ] {
        tour.record(name, &visitor.get(address)?).shows(text)?;
    }
    let comment = [
        ("author", "A visitor"),
        ("email", "v@example.org"),
        ("comment", "Well said!"),
        ("comment_post_ID", "1"),
        ("comment_parent", "0"),
    ];
    tour.record("comment", &visitor.post("/wp-comments-post.php", comment)?)
        .shows("Well said!")?;
    assert_eq!(
        visitor.get("/wp-admin/edit.php")?.address.split('?').next(),
        Some("/wp-login.php")
    );
    assert_eq!(
        tour.record("missing page", &visitor.get("/no/such/page")?)
            .status,
        404
    );
    assert_eq!(fpm.log().lines_with("exited"), Vec::<String>::new());
    Ok(tour)
}

#[test]
fn blog_works_and_looks_the_same_on_both_daemons() -> Result {
    let subject = Subject::from_environment()?;
    let server = MariaDb::start(&["one", "other"])?;
    tour(subject, &server, "one")?.is_like(&tour(&subject.original(), &server, "other")?)
}

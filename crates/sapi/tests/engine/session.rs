//! Sessions: the module with the most to do at the end of a request.

use crate::cases;
use crate::php::Php;
use crate::suite::Case;

pub(crate) fn cases() -> Vec<Case> {
    cases![files, user_handler, written_although_the_client_is_gone]
}

fn files(php: &mut Php) {
    let code = format!(
        "session_save_path('{}'); session_start(); echo $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;",
        php.path()
    );
    let first = php.get(&code);
    let cookie = first
        .header("Set-Cookie")
        .expect("a cookie")
        .split(';')
        .next()
        .expect("a value")
        .to_owned();
    assert!(cookie.starts_with("PHPSESSID="), "{cookie}");
    assert_eq!(first.body(), "1");
    for n in 2..5 {
        let answer = php.script(&code).with("HTTP_COOKIE", &cookie).run(php);
        assert_eq!(answer.body(), n.to_string());
    }
}

fn user_handler(php: &mut Php) {
    let answer = php.get(
        "class H implements SessionHandlerInterface { \
         function open($p, $n): bool { return true; } function close(): bool { echo ' close'; return true; } \
         function read($i): string { return ''; } function write($i, $d): bool { echo ' write ', $d; return true; } \
         function destroy($i): bool { return true; } function gc($t): int { return 0; } } \
         ob_start(); session_set_save_handler(new H); session_start(); $_SESSION['a'] = 1; echo 'script';",
    );
    assert_eq!(answer.body(), "script write a|i:1; close");
}

fn written_although_the_client_is_gone(php: &mut Php) {
    let code = format!(
        "session_id('gone'); session_save_path('{}'); session_start(); $_SESSION['a'] = 1; echo 'x';",
        php.path()
    );
    php.script(&code)
        .host(|host| host.gone_after = Some(0))
        .run(php);
    let stored = std::fs::read_to_string(php.folder.join("sess_gone")).expect("a session file");
    assert_eq!(stored, "a|i:1;");
}

<?php

/**
 * The page that `cargo xtask demo` shows: who answered, and a little work to prove that it is PHP.
 *
 * Browsers get HTML, everything else plain text.
 */

declare(strict_types=1);

/** Facts about this request, as label => value. */
function facts(): array
{
    $user = function_exists('posix_getpwuid') ? posix_getpwuid(posix_geteuid()) : false;
    $opcache = function_exists('opcache_get_status') ? opcache_get_status(false) : false;

    return [
        'PHP' => PHP_VERSION . ' as ' . PHP_SAPI,
        'Asked by' => $_SERVER['SERVER_SOFTWARE'] ?? 'a FastCGI client, without a web server',
        'Request' => ($_SERVER['REQUEST_METHOD'] ?? '?') . ' ' . ($_SERVER['REQUEST_URI'] ?? $_SERVER['SCRIPT_NAME'] ?? ''),
        'Worker' => 'process ' . getmypid() . ', user ' . ($user['name'] ?? get_current_user()),
        'Scripts in opcache' => $opcache ? (string) $opcache['opcache_statistics']['num_cached_scripts'] : 'opcache is off',
        'Extensions' => count(get_loaded_extensions()) . ' loaded',
        'Primes below 10,000' => (string) count(primes(10000)),
    ];
}

/** The sieve of Eratosthenes. */
function primes(int $below): array
{
    $sieve = array_fill(2, $below - 2, true);
    for ($n = 2; $n * $n < $below; $n++) {
        if ($sieve[$n]) {
            for ($multiple = $n * $n; $multiple < $below; $multiple += $n) {
                $sieve[$multiple] = false;
            }
        }
    }

    return array_keys($sieve, true, true);
}

if (!str_contains($_SERVER['HTTP_ACCEPT'] ?? '', 'text/html')) {
    header('Content-Type: text/plain; charset=utf-8');
    echo "fpmd serves PHP\n\n";
    foreach (facts() as $label => $value) {
        printf("  %-20s %s\n", $label, $value);
    }
    exit;
}

session_start();
$_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
$name = is_string($_POST['name'] ?? null) ? trim($_POST['name']) : '';

?>
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fpmd serves PHP</title>
<style>
    body { font: 1.05rem/1.6 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; color: #222 }
    table { border-collapse: collapse; width: 100% }
    th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid #ddd; vertical-align: top }
    th { font-weight: 600; white-space: nowrap }
    input, button { font: inherit; padding: .25rem .6rem }
    strong { color: #066 }
</style>
<h1>fpmd serves PHP</h1>
<p>Reload this page: it is made anew each time. This browser was here <?= $_SESSION['visits'] ?> time(s).</p>
<table>
<?php foreach (facts() as $label => $value): ?>
    <tr><th><?= htmlspecialchars($label) ?><td><?= htmlspecialchars($value) ?>
<?php endforeach ?>
</table>
<form method="post">
    <p><label>Your name: <input name="name" value="<?= htmlspecialchars($name) ?>"></label> <button>Send</button>
</form>
<?php if ($name !== ''): ?>
<p>Hello <strong><?= htmlspecialchars($name) ?></strong>.</p>
<?php endif ?>

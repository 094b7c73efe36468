/*
 * The working directory. A script runs in its own folder; everything else of a request (start-up,
 * shutdown functions, destructors) sees the directory in which the worker was set up: home.
 *
 * PHP would spend getcwd() and two chdir() on that for every script. Here the way home is taken
 * only when something can notice, and the way to the folder is not taken again when the worker is
 * still there. "There" is a name: a deployment may put another folder in its place, so a name is
 * believed for a second at most.
 *
 * Original: php_execute_script() in main/main.c.
 */
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Open folder of home, -1 when it is unknown or cannot be opened: then there is no way back, as
 * there is none for php-fpm. */
static int home = -1;
/* Whether the process may be elsewhere. */
static bool away;
/* The folder where the process is, by its absolute name; NULL or "" when that is not known. Allocated as it is needed: an array for
 * the longest of names would lie between variables that every worker writes to, and spread them over more pages. */
static char *here;
/* Its size. */
static size_t here_size;
/* When it went there, in seconds of the coarse monotonic clock. */
static time_t since;

/* The functions by which a script can go elsewhere, as PHP has them. */
static zif_handler php_chdir;
static zif_handler php_chroot;

static void forget_here(void)
{
	if (here) {
		here[0] = '\0';
	}
}

static ZEND_FUNCTION(fpmd_chdir)
{
	forget_here();
	php_chdir(INTERNAL_FUNCTION_PARAM_PASSTHRU);
}

static ZEND_FUNCTION(fpmd_chroot)
{
	forget_here();
	php_chroot(INTERNAL_FUNCTION_PARAM_PASSTHRU);
}

/* Puts `ours` before the function `name`, if there is one. */
static void watch(const char *name, zif_handler ours, zif_handler *original)
{
	zend_internal_function *function = zend_hash_str_find_ptr(CG(function_table), name, strlen(name));
	if (function && function->type == ZEND_INTERNAL_FUNCTION) {
		*original = function->handler;
		function->handler = ours;
	}
}

void fpmd_directory_start(void)
{
	watch("chdir", ZEND_FN(fpmd_chdir), &php_chdir);
	watch("chroot", ZEND_FN(fpmd_chroot), &php_chroot);
}

void fpmd_directory_after_fork(void)
{
	if (home >= 0) {
		close(home);
	}
	home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	away = false;
	forget_here();
}

void fpmd_return_home(void)
{
	forget_here();
	if (away && home >= 0 && fchdir(home) == 0) {
		away = false;
	}
}

static time_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
	return time.tv_sec;
}

void fpmd_directory_enter(const char *script)
{
	const char *slash = strrchr(script, '/');
	size_t length = slash ? (size_t) (slash - script) : 0;
	if (!slash || length >= MAXPATHLEN) {
		return;
	}
	if (length == 0) {
		/* A script in the root. */
		length = 1;
	}
	if (here_size <= length) {
		char *larger = realloc(here, length + 1);
		if (!larger) {
			return;
		}
		here = larger;
		here_size = length + 1;
		here[0] = '\0';
	}
	time_t second = now();
	if (second == since && strncmp(here, script, length) == 0 && here[length] == '\0') {
		return;
	}
	memcpy(here, script, length);
	here[length] = '\0';
	since = second;
	away = true;
	if (chdir(here) != 0) {
		/* PHP runs the script all the same, where the worker is. */
		fpmd_return_home();
	} else if (script[0] != '/') {
		here[0] = '\0';
	}
}

static bool is_relative(const char *path)
{
	return path && *path && *path != '/';
}

/* Whether anything that follows the script, or starts the next one, can tell where the process is:
 * code of the user, or a relative path in a setting. */
static bool is_noticed(void)
{
	return BG(user_shutdown_function_names)
		/* Slot 0 of the store is never used. */
		|| EG(objects_store).top > 1
		|| php_output_get_level() > 0
		|| is_relative(PG(error_log))
		|| is_relative(PG(upload_tmp_dir))
		|| is_relative(PG(sys_temp_dir));
}

void fpmd_directory_leave(void)
{
	if (away && is_noticed()) {
		fpmd_return_home();
	}
}

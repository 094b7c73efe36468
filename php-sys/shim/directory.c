/*
 * The working directory. A script runs in its own folder; everything else of a request (start-up, shutdown functions, destructors)
 * sees the directory in which the worker was set up: home.
 *
 * PHP would spend getcwd() and two chdir() on that for every script. Here it is one chdir(): the way back home is taken only when
 * something can notice. It cannot be left out even for the same folder again, as a deployment may have put another one in its place.
 *
 * Original: php_execute_script() in main/main.c.
 */
#include "internal.h"

#include "ext/standard/basic_functions.h"

#include <fcntl.h>
#include <unistd.h>

/* Open folder of home, -1 when it is unknown or cannot be opened: then there is no way back, as there is none for php-fpm. */
static int home = -1;
/* Whether the process may be elsewhere. */
static bool away;

void fpmd_directory_after_fork(void)
{
	if (home >= 0) {
		close(home);
	}
	home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	away = false;
}

void fpmd_return_home(void)
{
	if (away && home >= 0 && fchdir(home) == 0) {
		away = false;
	}
}

void fpmd_directory_enter(const char *script)
{
	away = true;
	if (VCWD_CHDIR_FILE(script) != 0) {
		/* PHP runs the script all the same; it stays where the worker is. */
		fpmd_return_home();
	}
}

static bool is_relative(const char *path)
{
	return path && *path && *path != '/';
}

/* Whether anything that follows the script, or starts the next one, can tell where the process is: code of the user, or a relative
 * path in a setting. */
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

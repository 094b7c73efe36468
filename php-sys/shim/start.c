/*
 * Start and end of PHP in this process.
 *
 * Original: main() in sapi/fpm/fpm/fpm_main.c.
 */
#include "internal.h"

#include <stdlib.h>

/* Why there is no libphp. */
static const char *open_error;

const char *fpmd_open_error(void)
{
	return open_error;
}

/* PHP takes other scan directories only from the environment, and keeps a pointer to what it finds there. Workers must not inherit
 * the variable, so it exists during the start alone; the string lives as long as the process. */
static int start_module(const char *scan_path)
{
	if (!scan_path) {
		return fpmd_sapi_module.startup(&fpmd_sapi_module);
	}
	static const char name[] = "PHP_INI_SCAN_DIR";
	const char *given = getenv(name);
	char *before = given ? strdup(given) : NULL;
	char *variable = malloc(sizeof(name) + strlen(scan_path) + 1);
	if (!variable) {
		return FAILURE;
	}
	sprintf(variable, "%s=%s", name, scan_path);
	putenv(variable);
	int result = fpmd_sapi_module.startup(&fpmd_sapi_module);
	if (before) {
		setenv(name, before, 1);
		free(before);
	} else {
		unsetenv(name);
	}
	return result;
}

fpmd_started fpmd_start(const fpmd_options *options, const fpmd_calls *calls)
{
	open_error = fpmd_symbols_open();
	if (open_error) {
		return FPMD_NO_LIBRARY;
	}
	if (!fpmd_library_fits()) {
		return FPMD_WRONG_LIBRARY;
	}
	fpmd_call = calls;
	fpmd_signals_start();
	sapi_startup(&fpmd_sapi_module);
	fpmd_sapi_module.php_ini_path_override = (char *) options->ini_path;
	fpmd_sapi_module.php_ini_ignore = options->ignore_ini;
	fpmd_sapi_module.ini_entries = (char *) options->ini_entries;
	fpmd_sapi_module.executable_location = (char *) options->program;
	fpmd_extensions_hook(options);
	fpmd_overtime_hook(options);
	if (start_module(options->scan_path) == FAILURE) {
		return FPMD_START_FAILED;
	}
	if (!fpmd_library_is_ours()) {
		return FPMD_WRONG_LIBRARY;
	}
	if (options->extended_info) {
		CG(compiler_options) |= ZEND_COMPILE_EXTENDED_INFO;
	}
	fpmd_environment_hook();
	fpmd_directory_start();
	return FPMD_STARTED;
}

void fpmd_after_fork(void)
{
	fpmd_signals_after_fork();
	fpmd_directory_after_fork();
	fpmd_fork_after_fork();
}

void fpmd_stop(void)
{
	SG(server_context) = NULL;
	zend_try {
		php_module_shutdown();
	} zend_end_try();
	sapi_shutdown();
}

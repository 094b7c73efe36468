/*
 * What the files of the shim share. PHP's headers come in here and nowhere else.
 *
 * Rules for a changer: an entry of fpmd_php.h that may run PHP code does so inside zend_try; a callback into Rust is made with no
 * PHP lock held and may be followed by a bailout only after it has returned. What is used of libphp is listed in symbols.h, and
 * only what every supported libphp exports may be.
 */
#ifndef FPMD_INTERNAL_H
#define FPMD_INTERNAL_H

#include "fpmd_php.h"

#include "php.h"
#include "SAPI.h"
#include "php_main.h"
#include "php_ini.h"
#include "php_output.h"
#include "php_variables.h"
#include "ext/standard/basic_functions.h"
#include "ext/standard/dl.h"
#include "ext/standard/head.h"
#include "ext/standard/info.h"
#include "zend_extensions.h"
#include "zend_ini_scanner.h"
#include "zend_signal.h"
#include "zend_virtual_cwd.h"

#include "symbols.h"

/* A request between fpmd_run()'s begin and end; SG(server_context) points to it. */
typedef struct fpmd_running {
	const fpmd_request *request;
	void *host;
	/* fastcgi_finish_request() has closed the connection. */
	bool closed;
	/* NUL-terminated copies that PHP was given; freed before PHP frees its memory. */
	char *cookie;
	char *variable;
} fpmd_running;

/* The running request, or NULL. */
static inline fpmd_running *fpmd_current(void)
{
	return (fpmd_running *) SG(server_context);
}

/* sapi.c */
extern sapi_module_struct fpmd_sapi_module;
/* The callbacks into Rust. */
extern const fpmd_calls *fpmd_call;
/* Up to this many header lines need no allocation. */
#define FPMD_USUAL_LINES 64
/* Fills `usual` (FPMD_USUAL_LINES long), or allocates, with the response header lines. Returns where they are. */
const fpmd_text *fpmd_lines_begin(fpmd_text *usual, size_t *count);
/* Ends the use of what fpmd_lines_begin() returned. */
void fpmd_lines_end(const fpmd_text *usual, const fpmd_text *lines);

/* module.c */
extern zend_module_entry fpmd_module;
/* The ini entries of the module. Read-only outside module.c. */
typedef struct fpmd_module_settings {
	bool rfc2616_headers;
	bool nph;
	bool force_redirect;
	bool fix_pathinfo;
	bool discard_path;
	bool logging;
	char *redirect_status_env;
	char *error_header;
	char *config;
} fpmd_module_settings;
extern fpmd_module_settings fpmd_settings;

/* environment.c */
void fpmd_environment_hook(void);
const fpmd_param *fpmd_param_find(const fpmd_running *running, const char *name, size_t length);
char *fpmd_environment_get(const char *name, size_t length);
char *fpmd_environment_cookies(void);
void fpmd_environment_register(zval *server);
void fpmd_environment_headers(zval *headers);

/* status.c */
void fpmd_status_array(zval *array, const fpmd_pool_status *status);

/* settings.c */
bool fpmd_settings_gave_up(void);

/* user_ini.c */
void fpmd_user_ini_start(void);
void fpmd_user_ini_stop(void);
int fpmd_user_ini_activate(void);

/* signals.c */
void fpmd_signals_start(void);
void fpmd_signals_after_fork(void);
void fpmd_signals_started(void);
void fpmd_signals_ended(void);

/* overtime.c */
void fpmd_overtime_hook(const fpmd_options *options);
void fpmd_overtime_start(void);
void fpmd_overtime_begin(const fpmd_time_limit *limit);
void fpmd_overtime_answered(void);
void fpmd_overtime_end(void);

/* fork.c */
void fpmd_fork_after_fork(void);
bool fpmd_fork_strayed(void);
void fpmd_fork_let_go(void);

/* directory.c */
void fpmd_directory_start(void);
void fpmd_directory_after_fork(void);
void fpmd_directory_enter(const char *script);
void fpmd_directory_leave(void);

/* extensions.c */
void fpmd_extensions_hook(const fpmd_options *options);

/* library.c */
bool fpmd_library_fits(void);
bool fpmd_library_is_ours(void);

#endif

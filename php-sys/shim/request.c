/*
 * One request: start-up, script or prepared answer, shutdown. Every step is guarded by itself, so that a fatal error in one of them
 * leaves the next ones to do their work.
 *
 * Original: the accept loop of main() in sapi/fpm/fpm/fpm_main.c; php_request_startup() and php_request_shutdown() in main/main.c.
 */
#include "internal.h"

#include <errno.h>
#include <unistd.h>

/* exit() status after a fatal error or an uncaught exception. */
#define STATUS_FATAL 255

static void begin(fpmd_running *running, const fpmd_request *request)
{
	SG(server_context) = running;
	SG(sapi_headers).http_response_code = request->status;
	SG(request_info).request_method = request->method;
	SG(request_info).query_string = (char *) request->query_string;
	SG(request_info).request_uri = (char *) request->uri;
	SG(request_info).content_type = request->content_type;
	SG(request_info).content_length = request->content_length;
	SG(request_info).proto_num = 1000;
	/* PHP frees this one itself when it cannot open the script. */
	SG(request_info).path_translated = request->script ? estrdup(request->script) : NULL;
	/* Without the header this clears what the request before has left. */
	php_handle_auth_data(request->authorization);
	if (SG(request_info).auth_user) {
		fpmd_call->authenticated(running->host, SG(request_info).auth_user);
	}
}

static void put(const char *text)
{
	php_output_write(text, strlen(text));
}

/* The primary script cannot be opened. */
static void refuse(const fpmd_running *running, const char *path, int error)
{
	fpmd_call->denied(running->host, path, error);
	if (error == EACCES) {
		SG(sapi_headers).http_response_code = 403;
		put("Access denied.\n");
	} else {
		SG(sapi_headers).http_response_code = 404;
		put("No input file specified.\n");
	}
}

static void execute(const fpmd_running *running)
{
	zend_file_handle file;
	/* Some failures set none (a directory): one left by an earlier read must not choose the answer. */
	errno = 0;
	/* A failed open frees PHP's copy of the path, but not that of the handle. */
	if (php_fopen_primary_script(&file) == FAILURE) {
		int error = errno;
		zend_destroy_file_handle(&file);
		refuse(running, running->request->script, error);
		return;
	}
	/* Before anybody can see that the script runs. */
	fpmd_overtime_begin(&running->request->limit);
	fpmd_call->executing(running->host);
	EG(exit_status) = 0;
	fpmd_directory_enter(ZSTR_VAL(file.filename));
	/* Guards itself, and returns after a fatal error or exit(). */
	php_execute_script(&file);
	/* Of a script that opcache had in memory PHP keeps no list. */
	if (!file.in_list) {
		zend_destroy_file_handle(&file);
	}
}

static void answer(const fpmd_running *running, const fpmd_action *action)
{
	fpmd_call->executing(running->host);
	SG(sapi_headers).http_response_code = action->status;
	for (size_t i = 0; i < action->header_count; i++) {
		sapi_header_line line = { 0 };
		line.line = (char *) action->headers[i].at;
		line.line_len = action->headers[i].length;
		sapi_header_op(SAPI_HEADER_REPLACE, &line);
	}
	if (action->body.length > 0) {
		php_output_write(action->body.at, action->body.length);
	}
}

static void act(const fpmd_running *running, const fpmd_action *action)
{
	switch (action->kind) {
		case FPMD_ACTION_SCRIPT:
			if (running->request->script) {
				execute(running);
			}
			break;
		case FPMD_ACTION_ANSWER:
			answer(running, action);
			break;
		case FPMD_ACTION_HEADERS_ONLY:
			break;
	}
}

/* fastcgi.error_header: another status for scripts that died, as long as nothing was sent. */
static void set_error_header(void)
{
	const char *header = fpmd_settings.error_header;
	if (EG(exit_status) != STATUS_FATAL || !header || !*header || SG(headers_sent)) {
		return;
	}
	sapi_header_line line = { 0 };
	line.line = (char *) header;
	line.line_len = strlen(header);
	sapi_header_op(SAPI_HEADER_REPLACE, &line);
}

/* Not in the frame below PHP: it has a kilobyte of lines. */
static __attribute__((noinline)) void report(const fpmd_running *running, fpmd_outcome *outcome)
{
	fpmd_text usual[FPMD_USUAL_LINES];
	size_t count;
	const fpmd_text *lines = fpmd_lines_begin(usual, &count);
	outcome->status = SG(sapi_headers).http_response_code;
	outcome->exit_status = EG(exit_status);
	outcome->memory_peak = zend_memory_peak_usage(1);
	fpmd_executed executed = {
		.status = outcome->status,
		.exit_status = outcome->exit_status,
		.memory_peak = outcome->memory_peak,
		.lines = lines,
		.line_count = count,
	};
	fpmd_call->executed(running->host, &executed);
	fpmd_lines_end(usual, lines);
}

/* Nothing of this request may be reached by the next one. */
static void forget(void)
{
	SG(server_context) = NULL;
	SG(request_info).request_method = NULL;
	SG(request_info).query_string = NULL;
	SG(request_info).request_uri = NULL;
	SG(request_info).content_type = NULL;
	SG(request_info).content_length = 0;
	SG(request_info).cookie_data = NULL;
}

static bool start_up(fpmd_running *running, const fpmd_request *request)
{
	volatile bool started = false;
	zend_try {
		begin(running, request);
		started = php_request_startup() == SUCCESS;
	} zend_end_try();
	return started;
}

static bool shut_down(void)
{
	volatile bool done = false;
	zend_try {
		if (SG(request_info).path_translated) {
			efree(SG(request_info).path_translated);
			SG(request_info).path_translated = NULL;
		}
		php_request_shutdown(NULL);
		done = true;
	} zend_end_try();
	return done;
}

/* Ends a process that the script has forked. */
static ZEND_NORETURN void end_stray(void)
{
	int status = EG(exit_status);
	fpmd_fork_let_go();
	shut_down();
	_exit(status);
}

void fpmd_run(const fpmd_request *request, const fpmd_action *action, void *host, fpmd_outcome *outcome)
{
	fpmd_running running = { .request = request, .host = host };
	EG(exit_status) = 0;
	/* PHP's own change of directory is directory.c's work. */
	SG(options) |= SAPI_OPTION_NO_CHDIR;
	if (request->script && *request->script != '/') {
		fpmd_return_home();
	}
	if (fpmd_settings_gave_up() || !start_up(&running, request)) {
		outcome->completion = FPMD_STARTUP_FAILED;
		forget();
		return;
	}
	fpmd_signals_started();
	zend_try {
		act(&running, action);
	} zend_end_try();
	fpmd_overtime_answered();
	fpmd_directory_leave();
	if (fpmd_fork_strayed()) {
		end_stray();
	}
	zend_try {
		set_error_header();
	} zend_end_try();
	report(&running, outcome);
	outcome->completion = shut_down() ? FPMD_COMPLETED : FPMD_SHUTDOWN_FAILED;
	fpmd_overtime_end();
	fpmd_signals_ended();
	forget();
}

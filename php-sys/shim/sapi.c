/*
 * The SAPI module: PHP's calls for output, headers, body, cookies and log, passed on to Rust.
 *
 * opcache starts only under names it knows, hence "fpm-fcgi". Outside a request output goes to standard output, as for -v and -i.
 *
 * Original: sapi/fpm/fpm/fpm_main.c.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

const fpmd_calls *fpmd_call;

/* PHP has lost its client. Does not return unless the script ignores that. */
static void client_gone(void)
{
	php_handle_aborted_connection();
}

static size_t write_to_stdout(const char *bytes, size_t length)
{
	size_t done = 0;
	while (done < length) {
		ssize_t count = write(STDOUT_FILENO, bytes + done, length - done);
		if (count < 0 && errno == EINTR) {
			continue;
		}
		if (count <= 0) {
			break;
		}
		done += (size_t) count;
	}
	return done;
}

static size_t on_write(const char *bytes, size_t length)
{
	fpmd_running *running = fpmd_current();
	if (!running) {
		return write_to_stdout(bytes, length);
	}
	if (length > 0 && !fpmd_call->write(running->host, bytes, length)) {
		client_gone();
		return 0;
	}
	return length;
}

static void on_flush(void *context)
{
	fpmd_running *running = context;
	if (!running) {
		return;
	}
#if PHP_VERSION_ID >= 80400
	/* Since 8.4 flush() before any output sends the headers. */
	sapi_send_headers();
#endif
	if (!fpmd_call->flush(running->host)) {
		client_gone();
	}
}

const fpmd_text *fpmd_lines_begin(fpmd_text *usual, size_t *count)
{
	zend_llist *list = &SG(sapi_headers).headers;
	fpmd_text *lines = usual;
	size_t length = zend_llist_count(list);
	*count = 0;
	if (length > FPMD_USUAL_LINES) {
		/* Not PHP's allocator: reaching the memory limit here would lose the headers of the error message. */
		lines = malloc(length * sizeof(*lines));
		if (!lines) {
			lines = usual;
			length = FPMD_USUAL_LINES;
		}
	}
	zend_llist_position position;
	sapi_header_struct *header = zend_llist_get_first_ex(list, &position);
	while (header && *count < length) {
		lines[*count].at = header->header;
		lines[*count].length = header->header_len;
		(*count)++;
		header = zend_llist_get_next_ex(list, &position);
	}
	return lines;
}

void fpmd_lines_end(const fpmd_text *usual, const fpmd_text *lines)
{
	if (lines != usual) {
		free((void *) lines);
	}
}

static int on_send_headers(sapi_headers_struct *headers)
{
	fpmd_running *running = fpmd_current();
	if (!running || SG(request_info).no_headers) {
		return SAPI_HEADER_SENT_SUCCESSFULLY;
	}
	fpmd_text usual[FPMD_USUAL_LINES];
	size_t count;
	const fpmd_text *lines = fpmd_lines_begin(usual, &count);
	const char *status_line = headers->http_status_line;
	fpmd_head head = {
		.status = headers->http_response_code,
		.status_line = { status_line, status_line ? strlen(status_line) : 0 },
		.lines = lines,
		.line_count = count,
		.nph = fpmd_settings.nph,
		.rfc2616 = fpmd_settings.rfc2616_headers,
	};
	bool delivered = fpmd_call->send_head(running->host, &head);
	fpmd_lines_end(usual, lines);
	if (!delivered) {
		client_gone();
	}
	return SAPI_HEADER_SENT_SUCCESSFULLY;
}

/* PHP takes a block that is not full for the last one, so short reads are continued until the block is full or the body ends. */
static size_t on_read_post(char *buffer, size_t length)
{
	fpmd_running *running = fpmd_current();
	if (!running) {
		return 0;
	}
	zend_long rest = SG(request_info).content_length - SG(read_post_bytes);
	if (rest <= 0) {
		return 0;
	}
	if (length > (size_t) rest) {
		length = (size_t) rest;
	}
	size_t done = 0;
	while (done < length) {
		fpmd_open_failure failure = { NULL, 0 };
		int64_t count = fpmd_call->read_body(running->host, buffer + done, length - done, &failure);
		if (count == FPMD_BODY_CANNOT_OPEN) {
			php_error(E_WARNING, "REQUEST_BODY_FILE: open('%s') failed: %s (%d)", failure.path, strerror(failure.error), failure.error);
			return 0;
		}
		if (count <= 0) {
			break;
		}
		done += (size_t) count;
	}
	return done;
}

static void on_log(const char *message, int syslog_type)
{
	fpmd_running *running = fpmd_current();
	if (running) {
		fpmd_call->log(running->host, message, strlen(message));
	} else if (fpmd_call) {
		fpmd_call->log_idle(fpmd_call->log_idle_context, message, strlen(message));
	}
}

static int on_deactivate(void)
{
	fpmd_running *running = fpmd_current();
	/* PHP also comes here at the end of its start-up, when there is no request. */
	if (running && SG(sapi_started)) {
		if (running->cookie) {
			efree(running->cookie);
			running->cookie = NULL;
		}
		if (running->variable) {
			efree(running->variable);
			running->variable = NULL;
		}
		fpmd_call->answered(running->host);
	}
	return SUCCESS;
}

static int on_startup(sapi_module_struct *module)
{
	return php_module_startup(module, &fpmd_module);
}

sapi_module_struct fpmd_sapi_module = {
	.name = "fpm-fcgi",
	.pretty_name = "FPM/FastCGI",
	.startup = on_startup,
	.shutdown = php_module_shutdown_wrapper,
	.activate = fpmd_user_ini_activate,
	.deactivate = on_deactivate,
	.ub_write = on_write,
	.flush = on_flush,
	.getenv = fpmd_environment_get,
	.sapi_error = php_error,
	.send_headers = on_send_headers,
	.read_post = on_read_post,
	.read_cookies = fpmd_environment_cookies,
	.register_server_variables = fpmd_environment_register,
	.log_message = on_log,
	/* Relative names of php.ini never depend on where the daemon was started. */
	.php_ini_ignore_cwd = 1,
};

/*
 * FastCGI parameters as scripts see them: getenv(), $_SERVER, $_ENV, cookies and request headers.
 *
 * Order and filtering are visible to scripts: the process environment first, then the parameters as they come in the table, then
 * PHP_SELF. Values that go through the input filter end at a NUL byte, those of getenv() without a name do not.
 *
 * Original: sapi/fpm/fpm/fpm_main.c, main/fastcgi.c.
 */
#include "internal.h"

#include <stdlib.h>

/* PHP's own import of the process environment. */
static void (*import_process)(zval *array);

const fpmd_param *fpmd_param_find(const fpmd_running *running, const char *name, size_t length)
{
	const fpmd_request *request = running->request;
	for (size_t i = 0; i < request->param_count; i++) {
		const fpmd_param *param = &request->params[i];
		if (param->name.length == length && memcmp(param->name.at, name, length) == 0) {
			return param;
		}
	}
	return NULL;
}

/* PHP copies what it gets before it asks again, so one copy of ours is enough. */
char *fpmd_environment_get(const char *name, size_t length)
{
	fpmd_running *running = fpmd_current();
	if (!running) {
		return getenv(name);
	}
	const fpmd_param *param = fpmd_param_find(running, name, length);
	if (!param) {
		return NULL;
	}
	if (running->variable) {
		efree(running->variable);
		running->variable = NULL;
	}
	running->variable = estrndup(param->value.at, param->value.length);
	return running->variable;
}

char *fpmd_environment_cookies(void)
{
	fpmd_running *running = fpmd_current();
	const fpmd_param *param = fpmd_param_find(running, ZEND_STRL("HTTP_COOKIE"));
	if (param) {
		running->cookie = estrndup(param->value.at, param->value.length);
	}
	return running->cookie;
}

/* Calls `each` for every parameter with a NUL-terminated name. */
static void for_each_param(const fpmd_running *running, void (*each)(const char *name, const fpmd_param *param, zval *array), zval *array)
{
	char usual[256];
	for (size_t i = 0; i < running->request->param_count; i++) {
		const fpmd_param *param = &running->request->params[i];
		size_t length = param->name.length;
		char *name = length < sizeof(usual) ? usual : emalloc(length + 1);
		memcpy(name, param->name.at, length);
		name[length] = '\0';
		each(name, param, array);
		if (name != usual) {
			efree(name);
		}
	}
}

static void register_filtered(const char *name, const char *value, size_t length, zval *array)
{
	zval *env = &PG(http_globals)[TRACK_VARS_ENV];
	int source = Z_TYPE_P(env) == IS_ARRAY && Z_ARR_P(array) == Z_ARR_P(env) ? PARSE_ENV : PARSE_SERVER;
	char *filtered = (char *) value;
	size_t filtered_length = length;
	if (sapi_module.input_filter(source, name, &filtered, length, &filtered_length)) {
		php_register_variable_safe(name, filtered, filtered_length, array);
	}
}

static void import_filtered(const char *name, const fpmd_param *param, zval *array)
{
	register_filtered(name, param->value.at, strnlen(param->value.at, param->value.length), array);
}

static void import_plain(const char *name, const fpmd_param *param, zval *array)
{
	php_register_variable_safe(name, param->value.at, param->value.length, array);
}

/* $_SERVER and $_ENV hold the same variables: the second one to be built is a copy of the first. */
static bool copy_built(zval *array, int which)
{
	zval *built = &PG(http_globals)[which];
	if (Z_TYPE_P(built) != IS_ARRAY || Z_ARR_P(built) == Z_ARR_P(array) || zend_hash_num_elements(Z_ARRVAL_P(built)) == 0) {
		return false;
	}
	zend_array_destroy(Z_ARR_P(array));
	Z_ARR_P(array) = zend_array_dup(Z_ARR_P(built));
	return true;
}

/* Hook: fills $_SERVER or $_ENV. */
static void import_request(zval *array)
{
	fpmd_running *running = fpmd_current();
	if (!running) {
		import_process(array);
		return;
	}
	if (copy_built(array, TRACK_VARS_ENV) || copy_built(array, TRACK_VARS_SERVER)) {
		return;
	}
	import_process(array);
	for_each_param(running, import_filtered, array);
}

/* Hook: getenv() without a name. */
static void load_request(zval *array)
{
	fpmd_running *running = fpmd_current();
	import_process(array);
	if (running) {
		for_each_param(running, import_plain, array);
	}
}

void fpmd_environment_hook(void)
{
	import_process = php_import_environment_variables;
	php_import_environment_variables = import_request;
	php_load_environment_variables = load_request;
}

void fpmd_environment_register(zval *server)
{
	php_import_environment_variables(server);
	fpmd_running *running = fpmd_current();
	/* Outside a request (-i) it is there too, and empty. */
	fpmd_text self = running ? running->request->self : (fpmd_text) {.at = "", .length = 0};
	char *copy = estrndup(self.at, self.length);
	register_filtered("PHP_SELF", copy, self.length, server);
	efree(copy);
}

static void add_header(const char *name, const fpmd_param *param, zval *headers)
{
	sapi_add_request_header(name, (unsigned int) param->name.length, (char *) param->value.at, (unsigned int) param->value.length, headers);
}

void fpmd_environment_headers(zval *headers)
{
	fpmd_running *running = fpmd_current();
	if (running) {
		for_each_param(running, add_header, headers);
	}
}

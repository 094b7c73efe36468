/*
 * The module "cgi-fcgi": ini entries, functions and the section of phpinfo() that scripts expect of php-fpm.
 *
 * Original: sapi/fpm/fpm/fpm_main.c, fpm_main.stub.php.
 */
#include "internal.h"

fpmd_module_settings fpmd_settings;

/* Some entries have no effect in php-fpm either; they exist so that php.ini and ini_get() find them. */
PHP_INI_BEGIN()
	STD_PHP_INI_BOOLEAN("cgi.rfc2616_headers", "0", PHP_INI_ALL, OnUpdateBool, rfc2616_headers, fpmd_module_settings, fpmd_settings)
	STD_PHP_INI_BOOLEAN("cgi.nph", "0", PHP_INI_ALL, OnUpdateBool, nph, fpmd_module_settings, fpmd_settings)
	STD_PHP_INI_BOOLEAN("cgi.force_redirect", "1", PHP_INI_SYSTEM, OnUpdateBool, force_redirect, fpmd_module_settings, fpmd_settings)
	STD_PHP_INI_ENTRY("cgi.redirect_status_env", NULL, PHP_INI_SYSTEM, OnUpdateString, redirect_status_env, fpmd_module_settings, fpmd_settings)
	STD_PHP_INI_BOOLEAN("cgi.fix_pathinfo", "1", PHP_INI_SYSTEM, OnUpdateBool, fix_pathinfo, fpmd_module_settings, fpmd_settings)
	STD_PHP_INI_BOOLEAN("cgi.discard_path", "0", PHP_INI_SYSTEM, OnUpdateBool, discard_path, fpmd_module_settings, fpmd_settings)
	STD_PHP_INI_BOOLEAN("fastcgi.logging", "1", PHP_INI_SYSTEM, OnUpdateBool, logging, fpmd_module_settings, fpmd_settings)
	STD_PHP_INI_ENTRY("fastcgi.error_header", NULL, PHP_INI_SYSTEM, OnUpdateString, error_header, fpmd_module_settings, fpmd_settings)
	STD_PHP_INI_ENTRY("fpm.config", NULL, PHP_INI_SYSTEM, OnUpdateString, config, fpmd_module_settings, fpmd_settings)
PHP_INI_END()

/* Ends the answer; what follows in the script is the host's to drop. False when the connection is closed already. */
PHP_FUNCTION(fastcgi_finish_request)
{
	ZEND_PARSE_PARAMETERS_NONE();
	fpmd_running *running = fpmd_current();
	if (!running || running->closed) {
		RETURN_FALSE;
	}
	php_output_end_all();
	php_header();
	fpmd_finish finish = fpmd_call->finish_request(running->host);
	running->closed = finish != FPMD_FINISH_KEPT;
	fpmd_overtime_answered();
	RETURN_BOOL(finish != FPMD_FINISH_ALREADY_CLOSED);
}

/* The request headers, rebuilt from the FastCGI parameters. */
PHP_FUNCTION(apache_request_headers)
{
	ZEND_PARSE_PARAMETERS_NONE();
	array_init(return_value);
	fpmd_environment_headers(return_value);
}

/* What is known of the worker's pool. */
PHP_FUNCTION(fpm_get_status)
{
	ZEND_PARSE_PARAMETERS_NONE();
	fpmd_running *running = fpmd_current();
	fpmd_pool_status status;
	if (!running || !fpmd_call->status(running->host, &status)) {
		RETURN_FALSE;
	}
	fpmd_status_array(return_value, &status);
}

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_fastcgi_finish_request, 0, 0, _IS_BOOL, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_apache_request_headers, 0, 0, IS_ARRAY, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_MASK_EX(arginfo_fpm_get_status, 0, 0, MAY_BE_ARRAY|MAY_BE_FALSE)
ZEND_END_ARG_INFO()

static const zend_function_entry functions[] = {
	PHP_FE(fastcgi_finish_request, arginfo_fastcgi_finish_request)
	PHP_FE(apache_request_headers, arginfo_apache_request_headers)
	PHP_FALIAS(getallheaders, apache_request_headers, arginfo_apache_request_headers)
	PHP_FE(fpm_get_status, arginfo_fpm_get_status)
	PHP_FE_END
};

static PHP_MINIT_FUNCTION(fpmd)
{
	REGISTER_INI_ENTRIES();
	fpmd_user_ini_start();
	fpmd_overtime_start();
	return SUCCESS;
}

static PHP_MSHUTDOWN_FUNCTION(fpmd)
{
	fpmd_user_ini_stop();
	UNREGISTER_INI_ENTRIES();
	return SUCCESS;
}

static PHP_MINFO_FUNCTION(fpmd)
{
	php_info_print_table_start();
	php_info_print_table_row(2, "php-fpm", "active");
	php_info_print_table_end();
	DISPLAY_INI_ENTRIES();
}

zend_module_entry fpmd_module = {
	STANDARD_MODULE_HEADER,
	"cgi-fcgi",
	functions,
	PHP_MINIT(fpmd),
	PHP_MSHUTDOWN(fpmd),
	NULL,
	NULL,
	PHP_MINFO(fpmd),
	PHP_VERSION,
	STANDARD_MODULE_PROPERTIES
};

/*
 * The moment between php.ini and the extensions.
 *
 * PHP registers its built-in extensions through a pointer that programs may set. It does so when php.ini and the files of the scan
 * directory are read, and before any shared extension is loaded or any extension starts: php.ini may be root's secret, but what
 * extensions do need not be done as root.
 */
#include "internal.h"

/* The start that is going on. */
static const fpmd_options *starting;

static int register_after_settling(void)
{
	const fpmd_options *options = starting;
	starting = NULL;
	php_register_internal_extensions_func = php_register_internal_extensions;
	zval *user = cfg_get_entry("opcache.preload_user", strlen("opcache.preload_user"));
	const char *preload_user = user && Z_TYPE_P(user) == IS_STRING && Z_STRLEN_P(user) ? Z_STRVAL_P(user) : NULL;
	if (!options->settled(options->settled_context, preload_user)) {
		return FAILURE;
	}
	return php_register_internal_extensions();
}

void fpmd_extensions_hook(const fpmd_options *options)
{
	starting = options;
	php_register_internal_extensions_func = register_after_settling;
}

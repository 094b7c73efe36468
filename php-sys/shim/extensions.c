/*
 * The moment between the loading of the extensions and their start.
 *
 * php.ini and the extensions' files may be for root's eyes only, but what extensions do when they start need not be done as root.
 * PHP starts them in the order in which they are registered, when all are loaded, and its own core is the first. The core is
 * registered before the built-in extensions, which PHP registers through a pointer that programs may set.
 */
#include "internal.h"

/* The start that is going on. */
static const fpmd_options *starting;
/* How the core starts. */
static zend_result (*start_core)(INIT_FUNC_ARGS);

static zend_result settle_and_start_core(INIT_FUNC_ARGS)
{
	zval *user = cfg_get_entry("opcache.preload_user", strlen("opcache.preload_user"));
	const char *preload_user = user && Z_TYPE_P(user) == IS_STRING && Z_STRLEN_P(user) ? Z_STRVAL_P(user) : NULL;
	if (!starting->settled(starting->settled_context, preload_user)) {
		/* PHP makes this a fatal error and ends the process. */
		return FAILURE;
	}
	starting = NULL;
	return start_core(INIT_FUNC_ARGS_PASSTHRU);
}

static int register_extensions(void)
{
	php_register_internal_extensions_func = php_register_internal_extensions;
	zend_module_entry *core = zend_hash_str_find_ptr(&module_registry, "core", strlen("core"));
	if (!core || !core->module_startup_func) {
		return FAILURE;
	}
	start_core = core->module_startup_func;
	core->module_startup_func = settle_and_start_core;
	return php_register_internal_extensions();
}

void fpmd_extensions_hook(const fpmd_options *options)
{
	starting = options;
	php_register_internal_extensions_func = register_extensions;
}

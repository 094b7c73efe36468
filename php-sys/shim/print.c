/*
 * What -v, -m and -i print to standard output. There is no request behind it: output leaves through write_to_stdout() in sapi.c.
 *
 * Original: the option loop of main() in sapi/fpm/fpm/fpm_main.c; php_get_version() in main/main.c.
 */
#include "internal.h"

#include <stdlib.h>
#include <strings.h>

static void print_version(void)
{
	php_printf("PHP %s (%s) (built: %s %s)", fpmd_running_version(), sapi_module.name, __DATE__, __TIME__);
#if PHP_VERSION_ID >= 80400
	php_printf(" (NTS"
# ifdef PHP_BUILD_COMPILER
		" " PHP_BUILD_COMPILER
# endif
# ifdef PHP_BUILD_ARCH
		" " PHP_BUILD_ARCH
# endif
# if ZEND_DEBUG
		" DEBUG"
# endif
		")");
#elif ZEND_DEBUG
	php_printf(" (DEBUG)");
#endif
	php_printf("\nCopyright (c) The PHP Group\n");
#if PHP_VERSION_ID >= 80400 && defined(PHP_BUILD_PROVIDER)
	php_printf("Built by %s\n", PHP_BUILD_PROVIDER);
#endif
	/* Ends in a line for every Zend extension. */
	php_printf("%s", get_zend_version());
}

static int compare_modules(const void *a, const void *b)
{
	return strcasecmp(*(const char *const *) a, *(const char *const *) b);
}

static int compare_extensions(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void print_sorted(const char **names, size_t count, int (*compare)(const void *, const void *))
{
	qsort(names, count, sizeof(*names), compare);
	for (size_t i = 0; i < count; i++) {
		php_printf("%s\n", names[i]);
	}
}

static void print_modules(void)
{
	size_t count = 0;
	const char **names = safe_emalloc(zend_hash_num_elements(&module_registry) + 1, sizeof(*names), 0);
	zend_module_entry *module;
	ZEND_HASH_FOREACH_PTR(&module_registry, module) {
		names[count++] = module->name;
	} ZEND_HASH_FOREACH_END();
	php_printf("[PHP Modules]\n");
	print_sorted(names, count, compare_modules);
	efree(names);

	count = 0;
	names = safe_emalloc(zend_llist_count(&zend_extensions) + 1, sizeof(*names), 0);
	zend_llist_position position;
	zend_extension *extension = zend_llist_get_first_ex(&zend_extensions, &position);
	while (extension) {
		names[count++] = extension->name;
		extension = zend_llist_get_next_ex(&zend_extensions, &position);
	}
	php_printf("\n[Zend Modules]\n");
	print_sorted(names, count, compare_extensions);
	efree(names);
	php_printf("\n");
}

static void print_info(void)
{
	sapi_module.phpinfo_as_text = 1;
	php_print_info(PHP_INFO_ALL);
	sapi_module.phpinfo_as_text = 0;
}

/* Runs `print` as the whole of a request without headers. */
static bool print_alone(void (*print)(void))
{
	volatile bool done = false;
	zend_try {
		if (php_request_startup() == SUCCESS) {
			SG(headers_sent) = 1;
			SG(request_info).no_headers = 1;
			print();
			php_request_shutdown(NULL);
			done = true;
		}
	} zend_end_try();
	return done;
}

bool fpmd_print_version(void)
{
	return print_alone(print_version);
}

bool fpmd_print_modules(void)
{
	return print_alone(print_modules);
}

bool fpmd_print_info(void)
{
	return print_alone(print_info);
}

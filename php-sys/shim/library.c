/*
 * Is the libphp that was found the one that the shim was compiled for? The minor version (8.2) decides about the
 * layout of PHP's structures; a newer patch release is the same to us, as PHP promises and distributions rely on.
 *
 * Before PHP is started only the sizes of its global structures tell, and since 8.3 a function. Afterwards its constants do.
 */
#include "internal.h"

#include "build-defs.h"

#include <dlfcn.h>
#include <link.h>

static const fpmd_build build = {
	.version = PHP_VERSION,
	.version_id = PHP_VERSION_ID,
	.ini_directory = PHP_CONFIG_FILE_PATH,
	.scan_directory = PHP_CONFIG_FILE_SCAN_DIR,
	.prefix = PHP_PREFIX,
	.sysconf_directory = PHP_SYSCONFDIR,
	.localstate_directory = PHP_LOCALSTATEDIR,
};

const fpmd_build *fpmd_build_facts(void)
{
	return &build;
}

/* PHP's structures are laid out as we think. */
static bool fits;

/* 802 of 80232. */
static unsigned int minor(unsigned int version_id)
{
	return version_id / 100;
}

static bool has_size(const char *symbol, size_t size)
{
	void *address = fpmd_symbols_find(symbol);
	Dl_info info;
	const ElfW(Sym) *entry = NULL;
	return address && dladdr1(address, &info, (void **) &entry, RTLD_DL_SYMENT) && entry && entry->st_size == size;
}

bool fpmd_library_fits(void)
{
	unsigned int (*version_id)(void) = (unsigned int (*)(void)) fpmd_symbols_find("php_version_id");
	if (version_id && minor(version_id()) != minor(PHP_VERSION_ID)) {
		return false;
	}
	fits = fpmd_symbols_bind()
		&& has_size("executor_globals", sizeof(executor_globals))
		&& has_size("compiler_globals", sizeof(compiler_globals))
		&& has_size("core_globals", sizeof(core_globals))
		&& has_size("sapi_globals", sizeof(sapi_globals))
		&& has_size("basic_globals", sizeof(basic_globals));
	return fits;
}

bool fpmd_library_is_ours(void)
{
	zval *version_id = zend_get_constant_str(ZEND_STRL("PHP_VERSION_ID"));
	zend_module_entry *standard = zend_hash_str_find_ptr(&module_registry, ZEND_STRL("standard"));
	return version_id && minor((unsigned int) zval_get_long(version_id)) == minor(PHP_VERSION_ID)
		/* Names the module API, thread safety and debugging. */
		&& standard && standard->build_id && !strcmp(standard->build_id, ZEND_MODULE_BUILD_ID);
}

const char *fpmd_running_version(void)
{
	const char *(*version)(void) = (const char *(*)(void)) fpmd_symbols_find("php_version");
	if (version) {
		return version();
	}
	zval *constant = fits && EG(zend_constants) ? zend_get_constant_str(ZEND_STRL("PHP_VERSION")) : NULL;
	return constant ? Z_STRVAL_P(constant) : NULL;
}

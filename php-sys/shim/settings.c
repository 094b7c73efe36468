/*
 * Settings made from outside PHP: php_value and php_admin_value of a pool, PHP_VALUE and PHP_ADMIN_VALUE of a request.
 *
 * They replace the entry's own value, so they outlive the request and phpinfo() shows them as the master value.
 *
 * Original: sapi/fpm/fpm/fpm_php.c.
 */
#include "internal.h"

#include <stdlib.h>

static fpmd_setting load_extension(const char *name)
{
	zval loaded;
	ZVAL_FALSE(&loaded);
	/* What the extension interns must live as long as the process. */
	zend_interned_strings_switch_storage(0);
#if ZEND_RC_DEBUG
	bool check_refcounts = zend_rc_debug;
	zend_rc_debug = false;
#endif
	php_dl(name, MODULE_PERSISTENT, &loaded, 1);
#if ZEND_RC_DEBUG
	zend_rc_debug = check_refcounts;
#endif
	zend_interned_strings_switch_storage(1);
	return Z_TYPE(loaded) == IS_TRUE ? FPMD_SETTING_EXTENSION_LOADED : FPMD_SETTING_EXTENSION_FAILED;
}

/* False when there is no such entry. A value that the entry refuses changes nothing and is not reported. */
static bool replace_value(const char *key, const char *value, fpmd_access access)
{
	zend_ini_entry *entry = zend_hash_str_find_ptr(EG(ini_directives), key, strlen(key));
	if (!entry) {
		return false;
	}
	zend_string *copy = zend_string_init(value, strlen(value), 1);
	if (entry->on_modify
			&& entry->on_modify(entry, copy, entry->mh_arg1, entry->mh_arg2, entry->mh_arg3, PHP_INI_STAGE_ACTIVATE) != SUCCESS) {
		zend_string_release_ex(copy, 1);
		return true;
	}
	/* The old value is not freed: PHP's globals may still point into it. */
	entry->value = copy;
	if (access == FPMD_ACCESS_SYSTEM) {
		entry->modifiable = ZEND_INI_SYSTEM;
	}
	return true;
}

/* A list of names, separated by blanks and commas. */
static void disable_classes(const char *list)
{
	/* PHP keeps a pointer to the list. */
	char *names = strdup(list);
	PG(disable_classes) = names;
	while (*names) {
		size_t length = strcspn(names, " ,");
		if (length > 0) {
			char *name = estrndup(names, length);
			zend_disable_class(name, length);
			efree(name);
		}
		names += length + (names[length] ? 1 : 0);
	}
}

static fpmd_setting set(const char *key, const char *value, fpmd_access access)
{
	if (!strcmp(key, "extension") && *value) {
		return load_extension(value);
	}
	if (!replace_value(key, value, access)) {
		return FPMD_SETTING_UNKNOWN;
	}
	if (!strcmp(key, "disable_functions") && *value) {
		zend_disable_functions(value);
	} else if (!strcmp(key, "disable_classes") && *value) {
		disable_classes(value);
	}
	return FPMD_SETTING_APPLIED;
}

/* PHP gave up in the middle of a setting. What it forbids may not be forbidden, so no request may
 * run any more; php-fpm's worker ends at this point. */
static bool gave_up;

bool fpmd_settings_gave_up(void)
{
	return gave_up;
}

fpmd_setting fpmd_set_ini(const char *key, const char *value, fpmd_access access)
{
	volatile fpmd_setting setting = FPMD_SETTING_FAILED;
	zend_try {
		setting = set(key, value, access);
	} zend_catch {
		gave_up = true;
	} zend_end_try();
	return setting;
}

void fpmd_collect_modules(void)
{
	zend_collect_module_handlers();
}

/* What fpmd_apply_ini_text() hands to PHP's ini parser. */
typedef struct ini_text {
	fpmd_access access;
	fpmd_ini_fault_call fault;
	void *context;
} ini_text;

static void on_ini_entry(zval *key, zval *value, zval *index, int kind, void *argument)
{
	ini_text *text = argument;
	if (!key) {
		return;
	}
	fpmd_text name = { Z_STRVAL_P(key), Z_STRLEN_P(key) };
	if (kind != ZEND_INI_PARSER_ENTRY) {
		text->fault(text->context, FPMD_INI_NOT_CLASSIC, name);
	} else if (!*Z_STRVAL_P(key)) {
		text->fault(text->context, FPMD_INI_EMPTY_KEY, name);
	} else if (!value) {
		text->fault(text->context, FPMD_INI_EMPTY_VALUE, name);
	} else if (set(Z_STRVAL_P(key), Z_STRVAL_P(value), text->access) == FPMD_SETTING_UNKNOWN) {
		text->fault(text->context, FPMD_INI_UNKNOWN, name);
	}
}

void fpmd_apply_ini_text(const char *text, fpmd_access access, fpmd_ini_fault_call fault, void *context)
{
	ini_text argument = { access, fault, context };
	zend_try {
		zend_parse_ini_string((char *) text, 1, ZEND_INI_SCANNER_NORMAL, on_ini_entry, &argument);
	} zend_catch {
		gave_up = true;
	} zend_end_try();
}

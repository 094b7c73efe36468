/*
 * Questions to a started PHP that change nothing: settings, php.ini, constants, paths.
 */
#include "internal.h"

fpmd_text fpmd_ini_value(const char *name)
{
	fpmd_text text = { NULL, 0 };
	zend_ini_entry *entry = zend_hash_str_find_ptr(EG(ini_directives), name, strlen(name));
	if (entry && entry->value) {
		text.at = ZSTR_VAL(entry->value);
		text.length = ZSTR_LEN(entry->value);
	}
	return text;
}

static bool pass_on(zval *value, fpmd_text_call take, void *context)
{
	zend_string *string = zval_get_string(value);
	fpmd_text text = { ZSTR_VAL(string), ZSTR_LEN(string) };
	take(context, text);
	zend_string_release(string);
	return true;
}

bool fpmd_configured(const char *name, fpmd_text_call take, void *context)
{
	volatile bool found = false;
	zend_try {
		zval *value = cfg_get_entry(name, strlen(name));
		found = value && Z_TYPE_P(value) == IS_STRING && pass_on(value, take, context);
	} zend_end_try();
	return found;
}

bool fpmd_constant(const char *name, fpmd_text_call take, void *context)
{
	volatile bool found = false;
	zend_try {
		zval *value = zend_get_constant_str(name, strlen(name));
		found = value && pass_on(value, take, context);
	} zend_end_try();
	return found;
}

bool fpmd_path_exists(const char *path)
{
	volatile bool exists = false;
	zend_try {
		char resolved[MAXPATHLEN];
		exists = tsrm_realpath(path, resolved) != NULL;
	} zend_end_try();
	return exists;
}

/*
 * Settings that depend on the request: [HOST=…] and [PATH=…] sections of php.ini, and the .user.ini files between the document root
 * and the script. What the files of a directory say is remembered for user_ini.cache_ttl seconds.
 *
 * Original: sapi/fpm/fpm/fpm_main.c (sapi_cgi_activate).
 */
#include "internal.h"

/* What the .user.ini files that apply to one directory say. */
typedef struct cached_config {
	time_t expires;
	HashTable settings;
} cached_config;

/* By script directory. Lives as long as the process, outside PHP's request memory. */
static HashTable cache;

static void free_config(zval *entry)
{
	cached_config *config = Z_PTR_P(entry);
	zend_hash_destroy(&config->settings);
	pefree(config, 1);
}

void fpmd_user_ini_start(void)
{
	zend_hash_init(&cache, 0, NULL, free_config, 1);
}

void fpmd_user_ini_stop(void)
{
	zend_hash_destroy(&cache);
}

/* Reads the files of `directory` (ends in a slash), and of its parents up to `root` when it is below that. */
static void scan(char *directory, size_t length, const char *root, size_t root_length, HashTable *settings)
{
	if (length <= root_length || strncmp(directory, root, root_length) != 0) {
		directory[length - 1] = '\0';
		php_parse_user_ini_file(directory, PG(user_ini_filename), settings);
		directory[length - 1] = '/';
		return;
	}
	for (char *slash = strchr(directory + root_length, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		php_parse_user_ini_file(directory, PG(user_ini_filename), settings);
		*slash = '/';
	}
}

static cached_config *find_config(const char *directory, size_t length)
{
	cached_config *config = zend_hash_str_find_ptr(&cache, directory, length);
	if (!config) {
		config = pemalloc(sizeof(*config), 1);
		config->expires = 0;
		zend_hash_init(&config->settings, 0, NULL, (dtor_func_t) config_zval_dtor, 1);
		zend_hash_str_update_ptr(&cache, directory, length, config);
	}
	return config;
}

static void activate_user_ini(char *directory, size_t length, const char *root, size_t root_length)
{
	time_t now = (time_t) sapi_get_request_time();
	cached_config *config = find_config(directory, length);
	if (now > config->expires) {
		zend_hash_clean(&config->settings);
		char *real = NULL;
		if (!IS_ABSOLUTE_PATH(directory, length)) {
			char resolved[MAXPATHLEN];
			if (!tsrm_realpath(directory, resolved)) {
				return;
			}
			length = (size_t) spprintf(&real, 0, "%s/", resolved);
			directory = real;
		}
		scan(directory, length, root, root_length, &config->settings);
		if (real) {
			efree(real);
		}
		config->expires = now + PG(user_ini_cache_ttl);
	}
	php_ini_activate_config(&config->settings, PHP_INI_PERDIR, PHP_INI_STAGE_HTACCESS);
}

static void activate_host(const fpmd_running *running)
{
	const fpmd_param *name = fpmd_param_find(running, ZEND_STRL("SERVER_NAME"));
	if (name) {
		char *host = estrndup(name->value.at, name->value.length);
		size_t length = strlen(host);
		zend_str_tolower(host, length);
		php_ini_activate_per_host_config(host, length);
		efree(host);
	}
}

static void activate_directory(const fpmd_running *running, bool user_ini)
{
	const char *script = SG(request_info).path_translated;
	size_t length = strlen(script);
	char *directory = emalloc(length + 2);
	memcpy(directory, script, length + 1);
	length = zend_dirname(directory, length);
	directory[length++] = '/';
	directory[length] = '\0';

	php_ini_activate_per_dir_config(directory, length);
	const fpmd_param *document_root = user_ini ? fpmd_param_find(running, ZEND_STRL("DOCUMENT_ROOT")) : NULL;
	if (document_root) {
		char *root = estrndup(document_root->value.at, document_root->value.length);
		size_t root_length = strlen(root);
		if (root_length > 0 && root[root_length - 1] == '/') {
			root_length--;
		}
		activate_user_ini(directory, length, root, root_length);
		efree(root);
	}
	efree(directory);
}

int fpmd_user_ini_activate(void)
{
	fpmd_running *running = fpmd_current();
	if (!running || !SG(request_info).path_translated) {
		return FAILURE;
	}
	if (php_ini_has_per_host_config()) {
		activate_host(running);
	}
	bool user_ini = PG(user_ini_filename) && *PG(user_ini_filename);
	if (php_ini_has_per_dir_config() || user_ini) {
		activate_directory(running, user_ini);
	}
	return SUCCESS;
}

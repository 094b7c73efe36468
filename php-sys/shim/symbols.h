/*
 * What the shim uses of libphp, by name.
 *
 * A shared libphp (FPMD_LIBPHP is its name) is opened when PHP is started and not before: the master never needs it, and to load
 * it with all it depends on takes longer than the rest of its start. So the linker must not see these names. Functions are called
 * through entries that symbols.c makes for them, global structures are reached through pointers, which the macros below hide. A name
 * that is missing here is an undefined reference when fpmd is built; one that a libphp does not have makes it the wrong one.
 *
 * A static libphp is a part of the program, and the linker's business: the names are what they say.
 */
#ifndef FPMD_SYMBOLS_H
#define FPMD_SYMBOLS_H

/* A PHP may have been built without deferring signals. */
#ifdef ZEND_SIGNALS
# define FPMD_SIGNAL_FUNCTIONS(use) use(zend_signal_startup)
# define FPMD_SIGNAL_OBJECTS(use) use(zend_signal_globals)
#else
# define FPMD_SIGNAL_FUNCTIONS(use)
# define FPMD_SIGNAL_OBJECTS(use)
#endif

/* Functions. */
#define FPMD_FUNCTIONS(use) \
	use(add_assoc_double_ex) \
	use(add_assoc_long_ex) \
	use(add_assoc_string_ex) \
	use(add_assoc_stringl_ex) \
	use(add_assoc_zval_ex) \
	use(cfg_get_entry) \
	use(config_zval_dtor) \
	use(display_ini_entries) \
	use(_efree) \
	use(_emalloc) \
	use(_estrdup) \
	use(_estrndup) \
	use(get_zend_version) \
	use(OnUpdateBool) \
	use(OnUpdateString) \
	use(php_dl) \
	use(php_execute_script) \
	use(php_fopen_primary_script) \
	use(php_handle_aborted_connection) \
	use(php_handle_auth_data) \
	use(php_header) \
	use(php_info_print_table_end) \
	use(php_info_print_table_row) \
	use(php_info_print_table_start) \
	use(php_ini_activate_config) \
	use(php_ini_activate_per_dir_config) \
	use(php_ini_activate_per_host_config) \
	use(php_ini_has_per_dir_config) \
	use(php_ini_has_per_host_config) \
	use(php_module_shutdown) \
	use(php_module_shutdown_wrapper) \
	use(php_module_startup) \
	use(php_output_end_all) \
	use(php_output_get_level) \
	use(php_output_set_status) \
	use(php_output_write) \
	use(php_parse_user_ini_file) \
	use(php_print_info) \
	use(php_printf) \
	use(php_register_internal_extensions) \
	use(php_register_variable_safe) \
	use(php_request_shutdown) \
	use(php_request_startup) \
	use(_safe_emalloc) \
	use(sapi_add_request_header) \
	use(sapi_get_request_time) \
	use(sapi_header_op) \
	use(sapi_send_headers) \
	use(sapi_shutdown) \
	use(sapi_startup) \
	use(tsrm_realpath) \
	use(zend_array_destroy) \
	use(zend_array_dup) \
	use(zend_collect_module_handlers) \
	use(zend_destroy_file_handle) \
	use(zend_dirname) \
	use(zend_disable_class) \
	use(zend_disable_functions) \
	use(zend_error) \
	use(zend_error_noreturn) \
	use(zend_get_constant_str) \
	use(zend_hash_clean) \
	use(zend_hash_destroy) \
	use(_zend_hash_init) \
	use(zend_hash_next_index_insert) \
	use(zend_hash_str_find) \
	use(zend_hash_str_update) \
	use(zend_ini_boolean_displayer_cb) \
	use(zend_interned_strings_switch_storage) \
	use(zend_llist_count) \
	use(zend_llist_get_first_ex) \
	use(zend_llist_get_next_ex) \
	use(__zend_malloc) \
	use(zend_memory_peak_usage) \
	use(_zend_new_array) \
	use(_zend_new_array_0) \
	use(zend_parse_ini_string) \
	use(zend_register_ini_entries_ex) \
	use(zend_spprintf) \
	use(zend_str_tolower) \
	use(zend_unregister_ini_entries_ex) \
	use(zend_unset_timeout) \
	use(zend_wrong_parameters_none_error) \
	use(zval_get_long_func) \
	use(zval_get_string_func) \
	FPMD_SIGNAL_FUNCTIONS(use)

/* Global structures and variables; the headers that declare them have been read. */
#define FPMD_OBJECTS(use) \
	use(basic_globals) \
	use(compiler_globals) \
	use(core_globals) \
	use(executor_globals) \
	use(module_registry) \
	use(php_import_environment_variables) \
	use(php_load_environment_variables) \
	use(php_register_internal_extensions_func) \
	use(sapi_globals) \
	use(sapi_module) \
	use(zend_extensions) \
	use(zend_interrupt_function) \
	FPMD_SIGNAL_OBJECTS(use)

#ifdef FPMD_LIBPHP

#define FPMD_DECLARE(name) extern __typeof__(name) *fpmd_at_##name;
FPMD_OBJECTS(FPMD_DECLARE)
#undef FPMD_DECLARE

#define basic_globals (*fpmd_at_basic_globals)
#define compiler_globals (*fpmd_at_compiler_globals)
#define core_globals (*fpmd_at_core_globals)
#define executor_globals (*fpmd_at_executor_globals)
#define module_registry (*fpmd_at_module_registry)
#define php_import_environment_variables (*fpmd_at_php_import_environment_variables)
#define php_load_environment_variables (*fpmd_at_php_load_environment_variables)
#define php_register_internal_extensions_func (*fpmd_at_php_register_internal_extensions_func)
#define sapi_globals (*fpmd_at_sapi_globals)
#define sapi_module (*fpmd_at_sapi_module)
#define zend_extensions (*fpmd_at_zend_extensions)
#define zend_interrupt_function (*fpmd_at_zend_interrupt_function)
#ifdef ZEND_SIGNALS
# define zend_signal_globals (*fpmd_at_zend_signal_globals)
#endif

#endif

/* Opens libphp, or the program itself; NULL, or the dynamic linker's reason why not. */
const char *fpmd_symbols_open(void);
/* Finds all of the above in it; false when one is missing. */
bool fpmd_symbols_bind(void);
/* Looks for another symbol; NULL when there is none, or nothing was opened. */
void *fpmd_symbols_find(const char *name);

#endif

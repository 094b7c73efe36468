/**
 * What the C shim offers to Rust. This header knows nothing of PHP's own headers: bindgen reads it alone, so no zval, no PHP
 * structure and no macro of Zend reaches Rust, and the bindings are the same text for every supported PHP.
 *
 * Rules for a changer:
 *  - Every function here may be called from Rust: whatever jumps (zend_bailout) is caught before it returns.
 *  - Every callback in fpmd_calls is a leaf: it copies bytes and returns, it never calls PHP and never unwinds.
 */
#ifndef FPMD_PHP_H
#define FPMD_PHP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes that belong to somebody else; `at` may be dangling or NULL when `length` is 0. Not NUL-terminated. */
typedef struct fpmd_text {
	/** First byte. */
	const char *at;
	/** Number of bytes. */
	size_t length;
} fpmd_text;

/** One FastCGI parameter. */
typedef struct fpmd_param {
	/** Name, without NUL. */
	fpmd_text name;
	/** Value, without NUL. */
	fpmd_text value;
} fpmd_param;

/** How long a request may take before its script gets PHP's time-out error. */
typedef struct fpmd_time_limit {
	/** When it is over, in microseconds of CLOCK_MONOTONIC; 0: never. */
	uint64_t at;
	/** The seconds that the error names. */
	uint32_t seconds;
	/** It also covers what runs when the answer is complete. */
	bool covers_everything;
} fpmd_time_limit;

/** What a request is about; everything in it must outlive fpmd_run(). */
typedef struct fpmd_request {
	/** Parameters in the order in which scripts see them. */
	const fpmd_param *params;
	/** Number of parameters. */
	size_t param_count;
	/** REQUEST_METHOD, or NULL. */
	const char *method;
	/** QUERY_STRING, or NULL. */
	const char *query_string;
	/** Final SCRIPT_NAME, or NULL. */
	const char *uri;
	/** Path of the primary script, or NULL. */
	const char *script;
	/** CONTENT_TYPE, "" when there is none; NULL without a script name. */
	const char *content_type;
	/** HTTP_AUTHORIZATION, or NULL. */
	const char *authorization;
	/** CONTENT_LENGTH, in bytes. */
	int64_t content_length;
	/** $_SERVER['PHP_SELF']. */
	fpmd_text self;
	/** Response status before the script says anything. */
	int status;
	/** How long the script may take. */
	fpmd_time_limit limit;
} fpmd_request;

/** What is to be done once PHP has started the request. */
typedef enum fpmd_action_kind {
	/** Open and execute the primary script. */
	FPMD_ACTION_SCRIPT = 0,
	/** Send a prepared answer through PHP's header and output layers. */
	FPMD_ACTION_ANSWER = 1,
	/** Send the default headers and no body. */
	FPMD_ACTION_HEADERS_ONLY = 2,
} fpmd_action_kind;

/** An action and what belongs to it. */
typedef struct fpmd_action {
	/** Which one. */
	fpmd_action_kind kind;
	/** Answer: response status. */
	int status;
	/** Answer: header lines. */
	const fpmd_text *headers;
	/** Answer: number of header lines. */
	size_t header_count;
	/** Answer: body. */
	fpmd_text body;
} fpmd_action;

/** The head of a response as PHP has it; the receiver formats it. */
typedef struct fpmd_head {
	/** Response code. */
	int status;
	/** The line of a header("HTTP/…") call; `at` is NULL when there was none. */
	fpmd_text status_line;
	/** Header lines in order. */
	const fpmd_text *lines;
	/** Number of header lines. */
	size_t line_count;
	/** cgi.nph is on. */
	bool nph;
	/** cgi.rfc2616_headers is on. */
	bool rfc2616;
} fpmd_head;

/** State of a request between its script and its shutdown. */
typedef struct fpmd_executed {
	/** Response code. */
	int status;
	/** exit() status; 255 after a fatal error. */
	int exit_status;
	/** Peak of PHP's real memory use, in bytes. */
	size_t memory_peak;
	/** Response header lines as far as they are known. */
	const fpmd_text *lines;
	/** Number of header lines. */
	size_t line_count;
} fpmd_executed;

/** How much of the life cycle a request completed. */
typedef enum fpmd_completion {
	/** Start-up, action and shutdown. */
	FPMD_COMPLETED = 0,
	/** PHP could not start the request; only fpmd_stop() may follow. */
	FPMD_STARTUP_FAILED = 1,
	/** A jump escaped from the shutdown; only fpmd_stop() may follow. */
	FPMD_SHUTDOWN_FAILED = 2,
} fpmd_completion;

/** Result of a request. */
typedef struct fpmd_outcome {
	/** How far it came. */
	fpmd_completion completion;
	/** Response code. */
	int status;
	/** exit() status; 255 after a fatal error. */
	int exit_status;
	/** Peak of PHP's real memory use, in bytes. */
	size_t memory_peak;
} fpmd_outcome;

/** Why REQUEST_BODY_FILE could not be opened. */
typedef struct fpmd_open_failure {
	/** Its path; stays valid until the next call of read_body. */
	const char *path;
	/** errno of open(). */
	int error;
} fpmd_open_failure;

/** What read_body returns when it brought no bytes. */
typedef enum fpmd_body {
	/** There is no more. */
	FPMD_BODY_END = 0,
	/** REQUEST_BODY_FILE could not be opened; `fpmd_open_failure` says why. */
	FPMD_BODY_CANNOT_OPEN = -1,
} fpmd_body;

/** What became of the connection in fastcgi_finish_request(). */
typedef enum fpmd_finish {
	/** The answer is finished, the connection stays open. */
	FPMD_FINISH_KEPT = 0,
	/** The answer is finished and the connection closed. */
	FPMD_FINISH_CLOSED = 1,
	/** The connection was closed before. */
	FPMD_FINISH_ALREADY_CLOSED = 2,
} fpmd_finish;

/** One process of a pool. Times are seconds since 1970; texts that are not known are empty. */
typedef struct fpmd_process_status {
	/** Process id. */
	int64_t pid;
	/** What it does. */
	fpmd_text state;
	/** When it was started. */
	uint64_t started;
	/** Seconds since then. */
	uint64_t since;
	/** Requests accepted. */
	uint64_t requests;
	/** Duration of its present or last request, in microseconds. */
	uint64_t duration;
	/** Request method. */
	fpmd_text method;
	/** Request URI without query. */
	fpmd_text uri;
	/** Query string. */
	fpmd_text query;
	/** Length of the body, as the client says. */
	int64_t content_length;
	/** User of Basic authentication. */
	fpmd_text user;
	/** Path of the script. */
	fpmd_text script;
	/** CPU time of the last request, in percent of its duration. */
	double cpu;
	/** Memory peak of the last request, in bytes. */
	uint64_t memory;
} fpmd_process_status;

/** A pool at one moment. */
typedef struct fpmd_pool_status {
	/** Its name. */
	fpmd_text pool;
	/** Its process manager. */
	fpmd_text manager;
	/** When it was started. */
	uint64_t started;
	/** Seconds since then. */
	uint64_t since;
	/** Requests accepted. */
	uint64_t accepted;
	/** Connections that wait. */
	uint64_t listen_queue;
	/** Most connections that waited at once. */
	uint64_t max_listen_queue;
	/** How many connections can wait. */
	uint64_t listen_queue_len;
	/** Processes that wait. */
	uint64_t idle;
	/** Processes that serve a request. */
	uint64_t active;
	/** Most processes that served at once. */
	uint64_t max_active;
	/** How often pm.max_children was reached. */
	uint64_t max_children_reached;
	/** Requests that took longer than request_slowlog_timeout. */
	uint64_t slow_requests;
	/** Highest memory peak of a request, in bytes. */
	uint64_t memory_peak;
	/** Its processes. */
	const fpmd_process_status *processes;
	/** How many there are. */
	size_t process_count;
} fpmd_pool_status;

/** Callbacks into Rust. `host` is what fpmd_run() was given; all but log_idle come only while it runs. */
typedef struct fpmd_calls {
	/** One message of PHP's log outside a request. */
	void (*log_idle)(void *context, const char *message, size_t length);
	/** First argument of log_idle. */
	void *log_idle_context;
	/** Body bytes; false: the client is gone. */
	bool (*write)(void *host, const char *bytes, size_t length);
	/** Send what is buffered; false: the client is gone. */
	bool (*flush)(void *host);
	/** The response head; false: the client is gone. */
	bool (*send_head)(void *host, const fpmd_head *head);
	/** Request body; returns the number of bytes read, or an fpmd_body. */
	int64_t (*read_body)(void *host, char *buffer, size_t length, fpmd_open_failure *failure);
	/** One message of PHP's log. */
	void (*log)(void *host, const char *message, size_t length);
	/** fastcgi_finish_request(), after all output was written. */
	fpmd_finish (*finish_request)(void *host);
	/** User name of Basic authentication, before the request starts. */
	void (*authenticated)(void *host, const char *user);
	/** The script, or the prepared answer, starts now. */
	void (*executing)(void *host);
	/** The primary script could not be opened. */
	void (*denied)(void *host, const char *path, int error);
	/** The script's time is over, it is about to get the error. */
	void (*overran)(void *host);
	/** The script has ended, the request is about to be shut down. */
	void (*executed)(void *host, const fpmd_executed *executed);
	/** fpm_get_status(); what it points to is valid until the next call. False: there is nothing to tell. */
	bool (*status)(void *host, fpmd_pool_status *status);
	/** PHP is done with output and body; only freeing memory is left. */
	void (*answered)(void *host);
} fpmd_calls;

/** How PHP is to be started; its strings must stay valid for the life of the process. */
typedef struct fpmd_options {
	/** How the program was called; becomes PHP_BINARY. */
	const char *program;
	/** File or search path of php.ini, or NULL. */
	const char *ini_path;
	/** Ignore php.ini and the scan directory. */
	bool ignore_ini;
	/** Scan directories instead of the compiled ones, or NULL. */
	const char *scan_path;
	/** Ini text with the highest priority, or NULL. */
	const char *ini_entries;
	/** Add line information for profilers (-e). */
	bool extended_info;
	/** Requests may come with a fpmd_time_limit; otherwise theirs are ignored. */
	bool limits_time;
	/** php.ini has been read, extensions are loaded and none has started: the moment to give up privileges.
	 * `preload_user` is what php.ini says of opcache.preload_user, or NULL. False: PHP ends the process. A leaf. */
	bool (*settled)(void *context, const char *preload_user);
	/** First argument of settled. */
	void *settled_context;
} fpmd_options;

/** Result of fpmd_start(). */
typedef enum fpmd_started {
	/** PHP runs. */
	FPMD_STARTED = 0,
	/** The libphp found at run time has another binary interface. */
	FPMD_WRONG_LIBRARY = 1,
	/** PHP refused to start; it has said why in its log. */
	FPMD_START_FAILED = 2,
	/** No libphp could be opened; fpmd_open_error() says why. */
	FPMD_NO_LIBRARY = 3,
} fpmd_started;

/** What the shim was compiled against. */
typedef struct fpmd_build {
	/** PHP_VERSION. */
	const char *version;
	/** PHP_VERSION_ID. */
	uint32_t version_id;
	/** Directory of php.ini compiled into PHP. */
	const char *ini_directory;
	/** Scan directory compiled into PHP, "" when there is none. */
	const char *scan_directory;
	/** Prefix of PHP's installation. */
	const char *prefix;
	/** Its folder of configuration files. */
	const char *sysconf_directory;
	/** Its folder of logs and run-time files. */
	const char *localstate_directory;
} fpmd_build;

/** Which of the two kinds of settings is made. */
typedef enum fpmd_access {
	/** php_value: scripts and .user.ini may change it. */
	FPMD_ACCESS_USER = 0,
	/** php_admin_value: nobody may change it. */
	FPMD_ACCESS_SYSTEM = 1,
} fpmd_access;

/** What came of a setting. */
typedef enum fpmd_setting {
	/** Made, or refused by the entry's own rule, which PHP does not report. */
	FPMD_SETTING_APPLIED = 0,
	/** There is no ini entry of this name. */
	FPMD_SETTING_UNKNOWN = 1,
	/** An extension was loaded. */
	FPMD_SETTING_EXTENSION_LOADED = 2,
	/** An extension could not be loaded; PHP has said why in its log. */
	FPMD_SETTING_EXTENSION_FAILED = 3,
	/** PHP gave up with a fatal error; it will start no more requests. */
	FPMD_SETTING_FAILED = 4,
} fpmd_setting;

/** What is wrong with a line of ini text. */
typedef enum fpmd_ini_fault {
	/** A section or an array. */
	FPMD_INI_NOT_CLASSIC = 0,
	/** No key. */
	FPMD_INI_EMPTY_KEY = 1,
	/** A key alone. */
	FPMD_INI_EMPTY_VALUE = 2,
	/** No such ini entry. */
	FPMD_INI_UNKNOWN = 3,
} fpmd_ini_fault;

/** Receives the faults of an ini text; a leaf. */
typedef void (*fpmd_ini_fault_call)(void *context, fpmd_ini_fault fault, fpmd_text key);

/** Returns what the shim was compiled against; works without a started PHP. */
const fpmd_build *fpmd_build_facts(void);
/** Returns the version of the libphp that was opened; NULL when it cannot say. */
const char *fpmd_running_version(void);

/** Starts PHP in this process. `calls` must stay valid for the life of the process. */
fpmd_started fpmd_start(const fpmd_options *options, const fpmd_calls *calls);
/** Returns why fpmd_start() found no libphp; NULL when it found one. */
const char *fpmd_open_error(void);
/** Takes over the signal handlers and the working directory of a freshly forked worker. */
void fpmd_after_fork(void);
/** Runs one request. */
void fpmd_run(const fpmd_request *request, const fpmd_action *action, void *host, fpmd_outcome *outcome);
/** Ends PHP in this process. */
void fpmd_stop(void);
/** Prepares this thread, which is the one that runs PHP, for fpmd_remind(); false when the kernel refuses. */
bool fpmd_reminder_prepare(void);
/** Has the thread that runs PHP look at its time, if it is over. May be called on any thread, at any time after fpmd_reminder_prepare(). */
void fpmd_remind(void);
/** Goes back to the working directory that fpmd_after_fork() found. */
void fpmd_return_home(void);

/** Makes one php_value or php_admin_value setting. Both texts are NUL-terminated. */
fpmd_setting fpmd_set_ini(const char *key, const char *value, fpmd_access access);
/** Makes the request handlers of extensions loaded by fpmd_set_ini() known to PHP. */
void fpmd_collect_modules(void);
/** Applies the text of a PHP_VALUE or PHP_ADMIN_VALUE parameter (NUL-terminated). */
void fpmd_apply_ini_text(const char *text, fpmd_access access, fpmd_ini_fault_call fault, void *context);

/** Takes a text that is valid during the call only; a leaf. */
typedef void (*fpmd_text_call)(void *context, fpmd_text text);

/** Looks up a setting's current value; `at` is NULL when there is no such entry or it has no value. */
fpmd_text fpmd_ini_value(const char *name);
/** Passes on what php.ini or -d say for `name`, whether or not there is such an entry; false when they say nothing. */
bool fpmd_configured(const char *name, fpmd_text_call take, void *context);
/** Passes on a constant's value as text; false when there is none of this name. */
bool fpmd_constant(const char *name, fpmd_text_call take, void *context);
/** Whether something exists under this path, as PHP's cache of resolved paths knows it. */
bool fpmd_path_exists(const char *path);

/** Where PHP's stack is, and the places of what is of interest there, in bytes from the start of each structure. */
typedef struct fpmd_stack {
	/** Address of the pointer to the innermost frame. */
	uint64_t innermost;
	/** Address of the pointer to the path of the primary script. */
	uint64_t script;
	/** Size of a frame. */
	uint32_t frame_size;
	/** Frame: pointer to the function that runs in it. */
	uint32_t frame_function;
	/** Frame: 32 bits that say what kind of call it is. */
	uint32_t frame_call_info;
	/** Frame: pointer to the frame of the caller. */
	uint32_t frame_caller;
	/** Frame: pointer to the instruction that is executed. */
	uint32_t frame_instruction;
	/** Function: its type, one byte. */
	uint32_t function_type;
	/** Function: pointer to its name. */
	uint32_t function_name;
	/** User function: pointer to the name of its file. */
	uint32_t function_file;
	/** Instruction: its line, 32 bits. */
	uint32_t instruction_line;
	/** String: its first byte; a NUL follows its last. */
	uint32_t text;
	/** The bit in the type of functions that are not written in PHP. */
	uint32_t internal_function;
	/** The bits in a frame's call information that are the kind. */
	uint32_t call_kind;
	/** The kind of the primary script, and of whatever else was called by no PHP code. */
	uint32_t top_code;
} fpmd_stack;

/** Returns where PHP's stack is. */
fpmd_stack fpmd_stack_place(void);
/** Copies memory of this process, whatever the address; false when not all of it is there. May be called on any thread. */
bool fpmd_copy_memory(uint64_t address, void *buffer, size_t length);

/** Prints what -v prints to standard output; false when PHP could not do it. */
bool fpmd_print_version(void);
/** Prints what -m prints to standard output; false when PHP could not do it. */
bool fpmd_print_modules(void);
/** Prints what -i prints to standard output; false when PHP could not do it. */
bool fpmd_print_info(void);

#endif

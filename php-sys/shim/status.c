/*
 * fpm_get_status(): the numbers that the host has, as PHP's array.
 *
 * Original: fpm_status_export_to_zval in sapi/fpm/fpm/fpm_status.c.
 */
#include "internal.h"

/* What stands for a text that is not known. */
#define NOTHING "-"

static void add_text(zval *array, const char *key, fpmd_text text)
{
	/* The host's empty texts may point nowhere. */
	add_assoc_stringl(array, key, text.length ? text.at : "", text.length);
}

static void add_text_or_nothing(zval *array, const char *key, fpmd_text text)
{
	if (text.length) {
		add_text(array, key, text);
	} else {
		add_assoc_string(array, key, NOTHING);
	}
}

static void add_number(zval *array, const char *key, uint64_t number)
{
	add_assoc_long(array, key, (zend_long) number);
}

static void add_process(zval *processes, const fpmd_process_status *process)
{
	zval entry;
	array_init(&entry);
	add_assoc_long(&entry, "pid", (zend_long) process->pid);
	add_text(&entry, "state", process->state);
	add_number(&entry, "start-time", process->started);
	add_number(&entry, "start-since", process->since);
	add_number(&entry, "requests", process->requests);
	add_number(&entry, "request-duration", process->duration);
	add_text_or_nothing(&entry, "request-method", process->method);
	add_text(&entry, "request-uri", process->uri);
	add_text(&entry, "query-string", process->query);
	add_assoc_long(&entry, "request-length", (zend_long) process->content_length);
	add_text_or_nothing(&entry, "user", process->user);
	add_text_or_nothing(&entry, "script", process->script);
	add_assoc_double(&entry, "last-request-cpu", process->cpu);
	add_number(&entry, "last-request-memory", process->memory);
	add_next_index_zval(processes, &entry);
}

void fpmd_status_array(zval *array, const fpmd_pool_status *status)
{
	zval processes;
	array_init(array);
	add_text(array, "pool", status->pool);
	add_text(array, "process-manager", status->manager);
	add_number(array, "start-time", status->started);
	add_number(array, "start-since", status->since);
	add_number(array, "accepted-conn", status->accepted);
	add_number(array, "listen-queue", status->listen_queue);
	add_number(array, "max-listen-queue", status->max_listen_queue);
	add_number(array, "listen-queue-len", status->listen_queue_len);
	add_number(array, "idle-processes", status->idle);
	add_number(array, "active-processes", status->active);
	add_number(array, "total-processes", status->idle + status->active);
	add_number(array, "max-active-processes", status->max_active);
	add_number(array, "max-children-reached", status->max_children_reached);
	add_number(array, "slow-requests", status->slow_requests);
#if PHP_VERSION_ID >= 80400
	add_number(array, "memory-peak", status->memory_peak);
#endif
	array_init_size(&processes, (uint32_t) status->process_count);
	add_assoc_zval(array, "procs", &processes);
	for (size_t i = 0; i < status->process_count; i++) {
		add_process(&processes, &status->processes[i]);
	}
}

/*
 * request_soft_timeout: a request whose time is over gets PHP's own time-out error, as if max_execution_time had passed; shutdown
 * functions run, and nobody's answer is cut. max_execution_time counts processor time, this is the time on the wall.
 *
 * Another thread knows when the time of the present request is over, and does no more than send a signal. The signal's handler runs
 * on PHP's thread, so it knows whether that request still runs: a signal that comes late never meets the next one. It raises no
 * error itself, for PHP may be anywhere. It asks the virtual machine for an interruption, which comes at the next loop or call, and
 * there the error is raised. What blocks inside a C function is left as it is, but for the system calls that a signal ends: sleep(),
 * the reading of pipes.
 *
 * EG(timed_out) would do as well, were it not for hard_timeout: PHP takes a max_execution_time that passes between the two for the
 * second one, and ends the process. Zend has a function for interruptions of other kinds.
 *
 * SIGURG, because a process that has no handler for it ignores it, and nobody else wants it.
 *
 * Original: none. zend_timeout_handler() and zend_timeout() in Zend/zend_execute_API.c do this for max_execution_time.
 */
#include "internal.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

/* The answer's status, unless the script or a shutdown function knows better. */
#define STATUS_TIMED_OUT 504

/* The limit of the request that runs; never (`at` is 0) when none does. Only PHP's thread comes here, in the handler or outside. */
static fpmd_time_limit limit;
/* When it is over, as the handler and the other thread see it. */
static _Atomic uint64_t over_at;
/* It is, and the error is still to be raised. */
static atomic_bool due;
/* The thread that runs PHP. */
static pthread_t php_thread;
/* Somebody limits the time of requests. */
static bool wanted;
/* What was there before. */
static void (*interrupt_before)(zend_execute_data *);

static uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t) time.tv_sec * 1000000 + (uint64_t) time.tv_nsec / 1000;
}

/* Async-signal-safe: a clock read (signal-safety(7)) and an atomic. */
static bool is_over(void)
{
	uint64_t at = atomic_load(&over_at);
	return at != 0 && now() >= at;
}

static void look_at_time(int signal)
{
	if (is_over()) {
		atomic_store(&over_at, 0);
		atomic_store(&due, true);
		zend_atomic_bool_store_ex(&EG(vm_interrupt), true);
	}
}

/* There will be no second error: like zend_timeout(), this leaves shutdown functions their time. */
static void raise_error(void)
{
	zend_unset_timeout();
	fpmd_running *running = fpmd_current();
	if (!SG(headers_sent)) {
		sapi_header_op(SAPI_HEADER_SET_STATUS, (void *) (uintptr_t) STATUS_TIMED_OUT);
	}
	fpmd_call->overran(running->host);
	/* PHP's own words: applications look for them in error_get_last(). */
	zend_error_noreturn(E_ERROR, "Maximum execution time of %u second%s exceeded", limit.seconds, limit.seconds == 1 ? "" : "s");
}

static void interrupt(zend_execute_data *execute_data)
{
	if (atomic_exchange(&due, false)) {
		raise_error();
	}
	if (interrupt_before) {
		interrupt_before(execute_data);
	}
}

void fpmd_overtime_hook(const fpmd_options *options)
{
	wanted = options->limits_time;
}

/* When modules start, for then opcache's JIT has yet to look whether there is such a function. Calls are a little slower with one,
 * and opcache keeps its files for such a PHP apart: nobody has it who does not want it. */
void fpmd_overtime_start(void)
{
	if (!wanted) {
		return;
	}
	interrupt_before = zend_interrupt_function;
	zend_interrupt_function = interrupt;
}

bool fpmd_reminder_prepare(void)
{
	/* No SA_RESTART: what can be ended is. */
	struct sigaction action = { .sa_handler = look_at_time };
	sigemptyset(&action.sa_mask);
	php_thread = pthread_self();
	return sigaction(SIGURG, &action, NULL) == 0;
}

void fpmd_remind(void)
{
	/* Nobody's sleep() is to end for nothing. But PHP tries a read that a signal has ended once more. */
	if (is_over() || atomic_load(&due)) {
		pthread_kill(php_thread, SIGURG);
	}
}

void fpmd_overtime_begin(const fpmd_time_limit *of_request)
{
	limit = *of_request;
	atomic_store(&over_at, limit.at);
}

/* The answer is complete, or the script has ended. */
void fpmd_overtime_answered(void)
{
	if (!limit.covers_everything) {
		fpmd_overtime_end();
	}
}

void fpmd_overtime_end(void)
{
	atomic_store(&over_at, 0);
	atomic_store(&due, false);
}

/*
 * The signals that Zend defers while it is in a critical section.
 *
 * Zend keeps a snapshot of the handlers found at its start and returns to it at every request. A worker sets its own SIGQUIT handler
 * after the fork, so the snapshot must be taken again; otherwise the second request's worker would die of SIGQUIT. The function that
 * does only this, zend_signal_init(), is hidden in libphp; zend_signal_startup() does it too.
 *
 * Zend also asks the kernel for seven handlers at the start of every request, in case someone replaced them behind its back. Once
 * the first request has installed Zend's handlers, nobody does, and `reset` stops the questions.
 *
 * Original: Zend/zend_signal.c.
 */
#include "internal.h"

#include <signal.h>

/* Rust's runtime gives its main thread a signal stack of a few KiB and handles SIGSEGV and SIGBUS there. PHP 8.4 lets its own handlers
 * run on whatever signal stack there is, and the one of hard_timeout does not fit. And a worker that overruns its stack is to end with
 * SIGSEGV, as the supervisor of a PHP process expects. */
static void leave_rust_handlers(void)
{
	static const int handled[] = { SIGSEGV, SIGBUS };
	for (size_t i = 0; i < sizeof(handled) / sizeof(*handled); i++) {
		signal(handled[i], SIG_DFL);
	}
	stack_t none = { .ss_flags = SS_DISABLE };
	sigaltstack(&none, NULL);
}

void fpmd_signals_start(void)
{
	leave_rust_handlers();
#ifdef ZEND_SIGNALS
	zend_signal_startup();
#endif
}

#ifdef ZEND_SIGNALS

/* The signals that Zend defers, but SIGPROF: that one belongs to max_execution_time, which sets it up for every request. */
static const int deferred[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };
#define DEFERRED (sizeof(deferred) / sizeof(*deferred))

/* The worker's own handlers, as Zend calls them. */
static zend_signal_entry_t own[DEFERRED];
/* A worker whose first request is yet to come. */
static bool fresh;

void fpmd_signals_after_fork(void)
{
	/* Starting again also forgets the setting zend.signal_check. */
	bool check = SIGG(check);
	zend_signal_startup();
	SIGG(check) = check;
	fresh = true;
}

/* Once the first request is started, Zend's handlers are in place. */
void fpmd_signals_started(void)
{
	if (fresh) {
		fresh = false;
		SIGG(reset) = 0;
		for (size_t i = 0; i < DEFERRED; i++) {
			own[i] = SIGG(handlers)[deferred[i] - 1];
		}
	}
}

/* Handlers that a script set with pcntl_signal() end with its request, not only with the next one: a signal to an idle worker must
 * find the worker's own handler. */
void fpmd_signals_ended(void)
{
	if (!SIGG(reset)) {
		for (size_t i = 0; i < DEFERRED; i++) {
			SIGG(handlers)[deferred[i] - 1] = own[i];
		}
	}
}

#else

void fpmd_signals_after_fork(void) {}
void fpmd_signals_started(void) {}
void fpmd_signals_ended(void) {}

#endif

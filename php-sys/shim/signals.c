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

#include "zend_signal.h"

#ifdef ZEND_SIGNALS

#include <signal.h>

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

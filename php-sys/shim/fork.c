/*
 * Scripts that fork (pcntl_fork). The child comes out of the script like its parent. It must not answer the client a second time,
 * nor go on as a worker that nobody supervises: it runs its shutdown functions and destructors, without output, and ends.
 *
 * php-fpm lets such a child go on accepting connections.
 */
#include "internal.h"

#include <pthread.h>

/* This process was forked by a script. */
static bool strayed;

static void in_child(void)
{
	strayed = true;
}

/* From here on a fork makes a stray. What only forks to execute a program never gets to see the difference. */
void fpmd_fork_after_fork(void)
{
	static bool watching;
	strayed = false;
	if (!watching) {
		watching = pthread_atfork(NULL, NULL, in_child) == 0;
	}
}

bool fpmd_fork_strayed(void)
{
	return strayed;
}

/* The connection, and what is left of the body, belong to the parent. */
void fpmd_fork_let_go(void)
{
	php_output_set_status(PHP_OUTPUT_DISABLED);
	SG(headers_sent) = 1;
	SG(server_context) = NULL;
}

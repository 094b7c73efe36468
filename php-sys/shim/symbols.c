/*
 * Opens libphp and finds what symbols.h names.
 *
 * Everything that libphp and the libraries below it call is bound at once. Bound at their first call, functions would be looked up
 * again in every worker, and each worker would have its own copy of the tables that note where they are.
 */
#include "internal.h"

#include <dlfcn.h>

#ifdef FPMD_LIBPHP

/* The entry of a function jumps to where its pointer says. It may only use the register that calling conventions leave to that. */
#if defined(__x86_64__)
#define FPMD_JUMP(name) "\tjmp *fpmd_at_" #name "(%rip)\n"
#elif defined(__aarch64__)
#define FPMD_JUMP(name) \
	"\tadrp x16, fpmd_at_" #name "\n" \
	"\tldr x16, [x16, :lo12:fpmd_at_" #name "]\n" \
	"\tbr x16\n"
#else
#error "symbols.c does not know how to jump on this processor"
#endif

#define FPMD_ENTRY(name) \
	void *fpmd_at_##name; \
	__asm__( \
		"\t.text\n" \
		"\t.p2align 4\n" \
		"\t.globl " #name "\n" \
		"\t.hidden " #name "\n" \
		"\t.type " #name ", %function\n" \
		#name ":\n" \
		FPMD_JUMP(name) \
		"\t.size " #name ", . - " #name "\n" \
		"\t.previous\n");
FPMD_FUNCTIONS(FPMD_ENTRY)

#define FPMD_POINTER(name) __typeof__(fpmd_at_##name) fpmd_at_##name;
FPMD_OBJECTS(FPMD_POINTER)

static const struct {
	const char *name;
	void *pointer;
} symbols[] = {
#define FPMD_SYMBOL(name) {#name, &fpmd_at_##name},
	FPMD_FUNCTIONS(FPMD_SYMBOL)
	FPMD_OBJECTS(FPMD_SYMBOL)
};

bool fpmd_symbols_bind(void)
{
	for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++) {
		void *address = fpmd_symbols_find(symbols[i].name);
		if (!address) {
			return false;
		}
		memcpy(symbols[i].pointer, &address, sizeof(address));
	}
	return true;
}

#else

/* To dlopen(3) it is the name of the program itself. */
#define FPMD_LIBPHP NULL

bool fpmd_symbols_bind(void)
{
	return true;
}

#endif

static void *library;

const char *fpmd_symbols_open(void)
{
	/* Extensions take PHP's symbols from what is global. */
	library = dlopen(FPMD_LIBPHP, RTLD_NOW | RTLD_GLOBAL);
	return library ? NULL : dlerror();
}

void *fpmd_symbols_find(const char *name)
{
	return library ? dlsym(library, name) : NULL;
}

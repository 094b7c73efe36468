/*
 * Where PHP's stack is and how it is laid out, for a reader that follows it from another thread while PHP goes on.
 *
 * Such a reader must not touch the memory itself: a page may be gone by then, and what it reads changes under it. The kernel copies
 * for it, and says so when there is nothing to copy. Reading one's own process needs no privilege, whatever its user, and whether or
 * not it is dumpable (ptrace(2), "ptrace access mode checking").
 *
 * Original: sapi/fpm/fpm/fpm_php_trace.c.
 */
#include "internal.h"

#include <sys/uio.h>
#include <unistd.h>

#define IN_FRAME(field) ((uint32_t) offsetof(zend_execute_data, field))

fpmd_stack fpmd_stack_place(void)
{
	return (fpmd_stack) {
		.innermost = (uintptr_t) &EG(current_execute_data),
		.script = (uintptr_t) &SG(request_info).path_translated,
		.frame_size = sizeof(zend_execute_data),
		.frame_function = IN_FRAME(func),
		.frame_call_info = IN_FRAME(This.u1.type_info),
		.frame_caller = IN_FRAME(prev_execute_data),
		.frame_instruction = IN_FRAME(opline),
		.function_type = offsetof(zend_function, type),
		.function_name = offsetof(zend_function, common.function_name),
		.function_file = offsetof(zend_op_array, filename),
		.instruction_line = offsetof(zend_op, lineno),
		.text = offsetof(zend_string, val),
		.internal_function = ZEND_INTERNAL_FUNCTION,
		.call_kind = ZEND_CALL_CODE | ZEND_CALL_TOP,
		.top_code = ZEND_CALL_TOP_CODE,
	};
}

bool fpmd_copy_memory(uint64_t address, void *buffer, size_t length)
{
	struct iovec from = { .iov_base = (void *) (uintptr_t) address, .iov_len = length };
	struct iovec to = { .iov_base = buffer, .iov_len = length };
	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t) length;
}

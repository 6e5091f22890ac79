/*
 * memcheck.h
 *	  AddressSanitizer behind the requests that PostgreSQL makes to valgrind.
 *
 * PostgreSQL compiled with USE_VALGRIND tells which parts of a memory context's
 * blocks, and which pages of shared buffers, may be touched.  Compiled with
 * this header instead of valgrind's own it tells AddressSanitizer, which so
 * notices what is beyond the end of a palloc()'d piece, or read after pfree().
 * Whether memory was written before it is read is valgrind's question alone.
 */
#ifndef TEMPORAL_ASAN_MEMCHECK_H
#define TEMPORAL_ASAN_MEMCHECK_H

#include <sanitizer/asan_interface.h>

#define VALGRIND_MAKE_MEM_NOACCESS(addr, size) ASAN_POISON_MEMORY_REGION(addr, size)
#define VALGRIND_MAKE_MEM_UNDEFINED(addr, size) ASAN_UNPOISON_MEMORY_REGION(addr, size)
#define VALGRIND_MAKE_MEM_DEFINED(addr, size) ASAN_UNPOISON_MEMORY_REGION(addr, size)
#define VALGRIND_MEMPOOL_ALLOC(pool, addr, size) ASAN_UNPOISON_MEMORY_REGION(addr, size)
#define VALGRIND_MEMPOOL_CHANGE(pool, old, new, size) ASAN_UNPOISON_MEMORY_REGION(new, size)

/* What is freed has been made inaccessible already, when it was wiped. */
#define VALGRIND_CREATE_MEMPOOL(pool, redzone, zeroed) ((void) 0)
#define VALGRIND_DESTROY_MEMPOOL(pool) ((void) 0)
#define VALGRIND_MEMPOOL_FREE(pool, addr) ((void) 0)
#define VALGRIND_MEMPOOL_TRIM(pool, addr, size) ((void) 0)
#define VALGRIND_CHECK_MEM_IS_DEFINED(addr, size) ((void) 0)

#define RUNNING_ON_VALGRIND 0
#define VALGRIND_COUNT_ERRORS 0
#define VALGRIND_PRINTF(...) ((void) 0)

#endif /* TEMPORAL_ASAN_MEMCHECK_H */

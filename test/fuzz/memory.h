/*
 * memory.h
 *	  The one memory context of a fuzzer.
 */
#ifndef TEMPORAL_FUZZ_MEMORY_H
#define TEMPORAL_FUZZ_MEMORY_H

extern void memory_reset(void);

#endif /* TEMPORAL_FUZZ_MEMORY_H */

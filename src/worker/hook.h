/*
 * hook.h
 *	  Commands of others that concern our workers.
 */
#ifndef TEMPORAL_WORKER_HOOK_H
#define TEMPORAL_WORKER_HOOK_H

extern void hook_install(void);

#endif /* TEMPORAL_WORKER_HOOK_H */

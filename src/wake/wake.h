/*
 * wake.h
 *	  Who waits for what, and waking them when a transaction has committed.
 *
 * Everything here is a hint kept in shared memory.  The tables are the truth:
 * a hint may be lost, duplicated or dropped when the memory is full, and a
 * periodic sweep still finds every task.  Without shared_preload_libraries
 * there is no shared memory, and every function here does nothing.
 */
#ifndef TEMPORAL_WAKE_WAKE_H
#define TEMPORAL_WAKE_WAKE_H

#include "datatype/timestamp.h"

/* Set up by _PG_init() when the library is preloaded. */
extern void wake_shmem_request(void);
extern void wake_shmem_startup(void);
extern bool wake_available(void);

/*
 * Called inside a transition: remembered until the transaction commits, then
 * one process that waits for the queue is woken, respectively the keeper's
 * next due time is lowered.  A rolled back subtransaction may cause a
 * spurious wake-up; that is harmless.
 */
extern void wake_mark_queue(uint64 queue_id);
extern void wake_mark_due(TimestampTz due);

/* A run has closed (who waits for its result is woken). */
extern void wake_mark_closed(uint64 run_hash);

/*
 * Waiting.  The caller registers, looks at the tables once more, and then
 * waits on its latch; no snapshot may be held while waiting.
 */
extern bool wake_wait(uint64 channel, TimestampTz deadline, uint32 wait_event);
extern void wake_register(uint64 channel);
extern void wake_unregister(void);

/* The keeper's side. */
extern TimestampTz wake_take_due(void);
extern bool wake_queue_has_recent_poller(uint64 queue_id, int within_ms);
extern void wake_note_poller(uint64 queue_id, const char *identity);

#endif							/* TEMPORAL_WAKE_WAKE_H */

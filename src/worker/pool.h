/*
 * pool.h
 *	  The executors of a database, as its keeper looks after them.
 */
#ifndef TEMPORAL_WORKER_POOL_H
#define TEMPORAL_WORKER_POOL_H

/* Is it time to look? */
extern bool pool_is_due(void);

/* Something may have been registered. */
extern void pool_look_soon(void);

/* In a transaction: starts and ends executors. */
extern void pool_attend(void);

/* How many milliseconds there is nothing to do here, at most "limit". */
extern long pool_sleep_ms(long limit);

/* In an executor: was it started soon after another had failed? */
extern bool pool_is_cautious(void);

#endif /* TEMPORAL_WORKER_POOL_H */

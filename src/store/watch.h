/*
 * watch.h
 *	  Tables that are read far more often than changed, so that what was read is
 *	  kept; private to the store.
 */
#ifndef TEMPORAL_STORE_WATCH_H
#define TEMPORAL_STORE_WATCH_H

typedef enum Watched
{
	WATCH_REGISTRATION,
	WATCH_NAMESPACE,
	WATCHED_TABLES
} Watched;

/* Another one after each change that this transaction can see; never 0. */
extern uint64 watch_version(Watched table);

/* Another one for all processes, once this commits. */
extern void watch_tell(Watched table);

#endif							/* TEMPORAL_STORE_WATCH_H */

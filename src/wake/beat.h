/*
 * beat.h
 *	  What activities that run in this server say of themselves, and hear.
 *
 * The transaction of such an activity is open for as long as it runs, so that
 * nobody sees what it writes.  Its heartbeats therefore go to a slot in shared
 * memory, and whoever ends the attempt says so there.  The slot of a process
 * that has ended tells of its last attempt until another needs the place.
 *
 * Without shared_preload_libraries there are no slots.
 */
#ifndef TEMPORAL_WAKE_BEAT_H
#define TEMPORAL_WAKE_BEAT_H

#include "base/ident.h"

#define BEAT_DETAILS_SIZE 8192

/* Why an attempt is to end; the first one outweighs the others. */
typedef enum BeatStop
{
	BEAT_GOES_ON,
	BEAT_GONE,      /* timed out, or its run has closed: nobody waits for it */
	BEAT_CANCELLED, /* its workflow wants it to end */
	BEAT_RESET,     /* it is to begin again */
	BEAT_PAUSED,
} BeatStop;

/* One attempt of an activity. */
typedef struct BeatAttempt
{
	RunKey key;
	int64 event_id; /* that scheduled it */
	int attempt;
	TimestampTz started;
} BeatAttempt;

/* The latest heartbeat. */
typedef struct Beat
{
	BeatAttempt attempt;
	TimestampTz time; /* 0: there was none */
	int size;
	char details[BEAT_DETAILS_SIZE]; /* a Payloads message */
} Beat;

/* The process that runs it.  beat_begin() is false when there is no room. */
extern bool beat_begin(const BeatAttempt *attempt);
extern void beat_write(TimestampTz time, const void *details, int size);
extern BeatStop beat_stop(void); /* in signal handlers, too */
extern void beat_end(void);

/*
 * Anyone: the heartbeat of an attempt, in memory of the caller; NULL if there
 * is none.  "started" is 0 where it is not known.
 */
extern Beat *beat_find(const BeatAttempt *attempt);

/*
 * Called inside a transition: once the transaction has committed, attempts of
 * that activity (0: of the run) that were started before "before" hear it.
 */
extern void beat_mark_stop(const pg_uuid_t *run_id, int64 event_id, TimestampTz before,
						   BeatStop stop);

#endif /* TEMPORAL_WAKE_BEAT_H */

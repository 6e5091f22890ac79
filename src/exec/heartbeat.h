/*
 * heartbeat.h
 *	  What an activity function says while it runs, and what it hears.
 */
#ifndef TEMPORAL_EXEC_HEARTBEAT_H
#define TEMPORAL_EXEC_HEARTBEAT_H

#include "exec/task.h"
#include "wake/beat.h"

/*
 * Around the call of an activity function.  "apart": that it has begun is
 * committed, so that it can be told to end; maybe it was already.
 */
extern void heartbeat_open(const Pb__PollActivityTaskQueueResponse *activity, bool apart);
extern void heartbeat_close(void);

/* For a signal handler while it listens: true, once, when it is to end. */
extern bool heartbeat_listens(void);
extern bool heartbeat_hear(void);

/* What it has heard; whether it has said nothing for too long. */
extern BeatStop heartbeat_stop(void);
extern bool heartbeat_is_silent(void);

/* What an attempt has said last; NULL if it has said nothing. */
extern Pb__Payloads *heartbeat_details(const ProtobufCBinaryData *token);

#endif							/* TEMPORAL_EXEC_HEARTBEAT_H */

/*
 * session.h
 *	  Sessions of this server, as they are recognised from elsewhere.
 */
#ifndef TEMPORAL_BASE_SESSION_H
#define TEMPORAL_BASE_SESSION_H

#include "datatype/timestamp.h"

/* A process id alone may belong to another session by now. */
typedef struct SessionId
{
	int			pid;
	TimestampTz started;
	TimestampTz server_started;
} SessionId;

extern SessionId session_self(void);
extern bool session_ended(const SessionId *session);

#endif							/* TEMPORAL_BASE_SESSION_H */

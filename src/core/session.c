/*
 * session.c
 *	  Tasks whose attempt ends with the session that works on them.
 */
#include "postgres.h"

#include "core/decide.h"
#include "proto/time.h"

/* How soon the end of a session is noticed. */
#define SESSION_CHECK_INTERVAL (2 * USECS_PER_SEC)

/* core_session -- as it is stored with a task. */
Pbi__Session *
core_session(const SessionId *id, TimestampTz now)
{
	Pbi__Session *session = proto_new(&pbi__session__descriptor);

	session->pid = id->pid;
	session->started = id->started;
	session->server_start = id->server_started;
	session->seen_at = now;
	return session;
}

/* core_session_due -- when to look whether it is still there; 0: never. */
TimestampTz
core_session_due(const Pbi__Session *session)
{
	return session == NULL ? 0 : session->seen_at + SESSION_CHECK_INTERVAL;
}

/* core_session_seen -- it is still there. */
void
core_session_seen(Pbi__Session *session, TimestampTz now)
{
	if (session != NULL)
		session->seen_at = now;
}

/*
 * session.c
 *	  Sessions of this server, as they are recognised from elsewhere.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/session.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/backend_status.h"
#include "utils/timestamp.h"

/* session_self -- how others recognise this session. */
SessionId
session_self(void)
{
	return (SessionId) {MyProcPid, MyStartTimestamp, PgStartTime};
}

/* When the session with this process id began; 0 if that is not known. */
static TimestampTz
session_start(int pid)
{
	int			count = pgstat_fetch_stat_numbackends();

	for (int i = 1; i <= count; i++)
	{
		const LocalPgBackendStatus *entry = compat_backend_status(i);

		if (entry != NULL && entry->backendStatus.st_procpid == pid)
			return entry->backendStatus.st_proc_start_timestamp;
	}
	return 0;
}

/*
 * session_ended -- has it ended for certain?
 *
 * Within a transaction later sessions may not be known; they count as those
 * that they are taken for.
 */
bool
session_ended(const SessionId *session)
{
	TimestampTz started;

	if (session->server_started != PgStartTime || BackendPidGetProc(session->pid) == NULL)
		return true;
	started = session_start(session->pid);
	return started != 0 && started != session->started;
}

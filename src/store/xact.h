/*
 * xact.h
 *	  Procedures that commit on the way, and subtransactions as guards.
 */
#ifndef TEMPORAL_STORE_XACT_H
#define TEMPORAL_STORE_XACT_H

#include "fmgr.h"
#include "utils/elog.h"
#include "utils/jsonb.h"

/*
 * A procedure commits and then consists of steps, each a transaction with a
 * snapshot of its own.  Between steps nothing is held, so it may wait there.
 * Steps are READ COMMITTED, so as not to fail for what others do; but one that
 * runs the user's code is what the session's default says.
 *
 * What a procedure does before it begins is part of the caller's transaction;
 * xact_require_procedure() says before that, by an error, that it may not commit.
 */
extern void xact_require_procedure(FunctionCallInfo fcinfo, const char *name);
extern void xact_begin_procedure(FunctionCallInfo fcinfo, const char *name);
extern void xact_end_procedure(void);
extern void xact_begin_step(void);
extern void xact_begin_user_step(void);
extern void xact_end_step(void);

/*
 * The transaction will commit without waiting for the disk: whoever says so
 * flushes what XactLastCommitEnd then says before anybody is told of it.
 * False if that is not for us to decide.
 */
extern bool xact_defer_flush(void);

/* Ends a step that has locked rows and changed nothing: no wait for the disk. */
extern void xact_end_look(void);

/* As xact_end_step(), but returns the error of the commit, or NULL. */
extern ErrorData *xact_try_end_step(void);

/*
 * Runs "body" in a subtransaction; its error, which has rolled it back, or
 * NULL.  Results and the error live in the memory context of the call.
 */
extern ErrorData *xact_guard(void (*body) (void *arg), void *arg);

/* Runs "SELECT f($1)" as the caller; NULL for SQL NULL. */
extern Jsonb *xact_call_function(const char *statement, Jsonb *argument);

#endif							/* TEMPORAL_STORE_XACT_H */

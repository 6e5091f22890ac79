/*
 * compat.h
 *	  Every difference between PostgreSQL 15 and 18 that this extension meets.
 *
 * Nothing else tests PG_VERSION_NUM.  Included after postgres.h.
 */
#ifndef TEMPORAL_BASE_COMPAT_H
#define TEMPORAL_BASE_COMPAT_H

/* 16 moved VARSIZE() and kin out of postgres.h. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 18 spells it in front of the declaration, where C11 has it too. */
#ifndef pg_noreturn
#define pg_noreturn _Noreturn
#endif

/* 16 has one ownership check for all kinds of objects. */
#if PG_VERSION_NUM >= 160000
#define compat_database_ownercheck(database, role) \
	object_ownercheck(DatabaseRelationId, (database), (role))
#else
#define compat_database_ownercheck(database, role) pg_database_ownercheck((database), (role))
#endif

/* 17 lets extensions name what they wait for. */
#if PG_VERSION_NUM >= 170000
#define compat_wait_event(name) WaitEventExtensionNew(name)
#else
#define compat_wait_event(name) ((void) (name), PG_WAIT_EXTENSION)
#endif

/* 17 ties wait sets to a resource owner; ours last as long as the process. */
#if PG_VERSION_NUM >= 170000
#define compat_create_wait_set(nevents) CreateWaitEventSet(NULL, (nevents))
#else
#define compat_create_wait_set(nevents) CreateWaitEventSet(TopMemoryContext, (nevents))
#endif

/* 17 lets a worker connect as a role that may not log in. */
#if PG_VERSION_NUM >= 170000
#define COMPAT_BYPASS_LOGIN BGWORKER_BYPASS_ROLELOGINCHECK
#define COMPAT_NEEDS_LOGIN false
#else
#define COMPAT_BYPASS_LOGIN 0
#define COMPAT_NEEDS_LOGIN true
#endif

/* 17 numbers processes in a variable of its own. */
#if PG_VERSION_NUM >= 170000
#define compat_my_proc_number() MyProcNumber
#else
#define compat_my_proc_number() (MyProc->pgprocno)
#endif

/* 16 tells what it counts by: here the entries of this transaction's copy. */
#if PG_VERSION_NUM >= 160000
#define compat_backend_status(index) pgstat_get_local_beentry_by_index(index)
#else
#define compat_backend_status(index) pgstat_fetch_stat_local_beentry(index)
#endif

/* 17 has both parts of the virtual transaction id in one place. */
#if PG_VERSION_NUM >= 170000
#define compat_local_xid() (MyProc->vxid.lxid)
#else
#define compat_local_xid() (MyProc->lxid)
#endif

/* 18 shows name and version of a library. */
#if PG_VERSION_NUM >= 180000
#define COMPAT_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "temporal")
#else
#define COMPAT_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/* Parsing a qualified name can report softly from 16 on; we raise. */
#if PG_VERSION_NUM >= 160000
#define compat_qualified_name(string) stringToQualifiedNameList(string, NULL)
#else
#define compat_qualified_name(string) stringToQualifiedNameList(string)
#endif

/* 16 can leave other than summarizing indexes alone. */
#if PG_VERSION_NUM >= 160000
#define CompatUpdateIndexes TU_UpdateIndexes
#define compat_any_index(indexes) ((indexes) != TU_None)
#define compat_only_summarizing(indexes) ((indexes) == TU_Summarizing)
#define compat_insert_index_tuples(result, slot, estate, update, only_summarizing) \
	ExecInsertIndexTuples((result), (slot), (estate), (update), false, NULL, NIL, \
						  (only_summarizing))
#else
#define CompatUpdateIndexes bool
#define compat_any_index(indexes) (indexes)
#define compat_only_summarizing(indexes) false
#define compat_insert_index_tuples(result, slot, estate, update, only_summarizing) \
	((void) (only_summarizing), \
	 ExecInsertIndexTuples((result), (slot), (estate), (update), false, NULL, NIL))
#endif

/* 18 counts what a scan does. */
#if PG_VERSION_NUM >= 180000
#define compat_index_beginscan(table, index, snapshot, nkeys) \
	index_beginscan((table), (index), (snapshot), NULL, (nkeys), 0)
#else
#define compat_index_beginscan(table, index, snapshot, nkeys) \
	index_beginscan((table), (index), (snapshot), (nkeys), 0)
#endif

/* 18 asks whether the key may be deferrable; ours are not. */
#if PG_VERSION_NUM >= 180000
#define compat_primary_key(table) RelationGetPrimaryKeyIndex((table), false)
#else
#define compat_primary_key(table) RelationGetPrimaryKeyIndex(table)
#endif

#endif							/* TEMPORAL_BASE_COMPAT_H */

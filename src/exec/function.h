/*
 * function.h
 *	  Functions of users: finding, calling, values in and out.
 */
#ifndef TEMPORAL_EXEC_FUNCTION_H
#define TEMPORAL_EXEC_FUNCTION_H

#include "access/htup.h"
#include "service/registration.h"
#include "utils/jsonb.h"

/* ---- function.c ---- */

/* Fills in which function "name" means: a name, or one with argument types. */
extern void function_resolve(Registration *registration, const char *name);

/*
 * The function of a registration.  Raises an error of class 42 if it is gone,
 * registered by another role than the current one, or no longer owned by it.
 */
extern Oid	function_find(const Registration *registration);

/* Its row in pg_proc, for ReleaseSysCache(); an internal error if there is none. */
extern HeapTuple function_tuple(Oid function);

/* Another one after each change that may have a name mean something else. */
extern uint64 function_catalog_version(void);

extern void function_use_search_path(const char *path);

/* ---- function_call.c ---- */

/* Calls it with a payload an argument; NULL for SQL NULL and void. */
extern Jsonb *function_call(Oid function, const Pb__Payloads *input);

/* ---- settings.c ---- */

extern bool settings_changed(int level);

/* ---- value.c ---- */

/* Is it quickly made JSON, as a rule? */
extern bool value_is_plain(Oid type);

/* As to_jsonb(); NULL for SQL NULL. */
extern Jsonb *value_to_jsonb(Datum value, bool isnull, Oid type);

/* A value of that type; JSON null is SQL NULL. */
extern Datum value_from_jsonb(Jsonb *json, Oid type, bool *isnull);

/* An argument declared "any" as payloads: none, one, or those of a jsonb[]. */
extern Pb__Payloads *value_payloads(FunctionCallInfo fcinfo, int argument);

/* Sets the result of a function declared anyelement. */
extern Datum value_result(FunctionCallInfo fcinfo, Jsonb *json);

#endif							/* TEMPORAL_EXEC_FUNCTION_H */

/*
 * function.h
 *	  Functions of users: finding, calling, values in and out.
 */
#ifndef TEMPORAL_EXEC_FUNCTION_H
#define TEMPORAL_EXEC_FUNCTION_H

#include "access/htup.h"
#include "service/registration.h"
#include "utils/jsonb.h"

/* ---- value.c ---- */

/* What a function has returned, of a plain type; of none: SQL NULL, or void. */
typedef struct Value
{
	Oid			type;
	Datum		datum;
} Value;

/* Need not be made jsonb. */
extern bool value_is_plain(Oid type);

/* A copy; of a type that is not plain, as to_jsonb(). */
extern Value value_of_datum(Datum datum, bool isnull, Oid type);

/* NULL is SQL NULL; not copied. */
extern Value value_of_jsonb(Jsonb *json);

/* NULL for SQL NULL, as value_payloads(). */
extern Jsonb *value_to_jsonb(Value value);
extern Pb__Payloads *value_payloads(Value value);

/* A value of that type; JSON null is SQL NULL. */
extern Datum value_from_payload(const Pb__Payload *payload, Oid type, bool *isnull);

/* An argument declared "any" as payloads: none, one, or those of a jsonb[]. */
extern Pb__Payloads *value_argument(FunctionCallInfo fcinfo, int argument);

/* Sets the result of a function declared anyelement. */
extern Datum value_result(FunctionCallInfo fcinfo, Value value);

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

/* Calls it with a payload an argument. */
extern Value function_call(Oid function, const Pb__Payloads *input);

/* ---- settings.c ---- */

extern bool settings_changed(int level);

#endif							/* TEMPORAL_EXEC_FUNCTION_H */

/*
 * plan.h
 *	  The statements of the store and how they are run; private to the store.
 */
#ifndef TEMPORAL_STORE_PLAN_H
#define TEMPORAL_STORE_PLAN_H

#include "executor/spi.h"
#include "proto/wire.h"
#include "store/store.h"
#include "utils/builtins.h"

typedef struct Statement
{
	const char *sql;
	int			nargs;
	Oid			types[13];
	SPIPlanPtr	plan;
} Statement;

/*
 * A statement is a static variable beside the function that runs it:
 *
 *		static Statement find = {"SELECT ... $1", 1, {UUIDOID}};
 */
extern uint64 store_run(Statement *statement, const Datum *values, const char *nulls);

/*
 * Runs a statement that locks one row: false if there is none.
 *
 * "find" is the same without the lock.  Under REPEATABLE READ a row may exist
 * that the caller's snapshot does not show: that is a serialization failure.
 */
extern bool store_find(Statement *lock, Statement *find, const Datum *values);

/* Columns of the rows that the last statement returned; numbered from 1. */
extern Datum store_value(uint64 row, int column, bool *isnull);
extern int64 store_int64(uint64 row, int column);
extern int32 store_int32(uint64 row, int column);
extern int16 store_int16(uint64 row, int column);
extern TimestampTz store_time(uint64 row, int column);
extern char *store_text(uint64 row, int column);
extern bytea *store_bytea(uint64 row, int column);
extern pg_uuid_t store_uuid(uint64 row, int column);
extern void *store_message(uint64 row, int column, const ProtobufCMessageDescriptor *descriptor);

/* A stored message back in memory: trusted, so not checked. */
extern void *store_unpack(const ProtobufCMessageDescriptor *descriptor, const bytea *bytes);

extern Datum store_uuid_array(const List *uuids);

#define message_datum(message) PointerGetDatum(proto_pack_bytea(&(message)->base))
#define text_datum(string) CStringGetTextDatum(string)
#define uuid_datum(uuid) UUIDPGetDatum(uuid)
#define key_datums(key) \
	Int16GetDatum((key)->shard), uuid_datum(&(key)->namespace_id), uuid_datum(&(key)->run_id)

/* The key of "execution" is another than that of all that belongs to a run. */
#define EXECUTION_KEY_SQL \
	" WHERE workflow_id OPERATOR(pg_catalog.=) $1 AND run_id OPERATOR(pg_catalog.=) $2" \
	" AND shard OPERATOR(pg_catalog.=) $3"
#define EXECUTION_KEY_TYPES TEXTOID, UUIDOID, INT2OID
#define execution_key_datums(state) \
	text_datum((state)->workflow_id), uuid_datum(&(state)->key.run_id), \
	Int16GetDatum((state)->key.shard)

#endif							/* TEMPORAL_STORE_PLAN_H */

/*
 * ident.h
 *	  Run ids, hashes that are stored, and shards.
 */
#ifndef TEMPORAL_BASE_IDENT_H
#define TEMPORAL_BASE_IDENT_H

#include "datatype/timestamp.h"
#include "utils/uuid.h"

/* Names one run; "shard" follows from the workflow id. */
typedef struct RunKey
{
	int16		shard;
	pg_uuid_t	namespace_id;
	pg_uuid_t	run_id;
} RunKey;

extern pg_uuid_t ident_new_run_id(TimestampTz now);
extern char *ident_random_uuid(void);
extern char *ident_random_id(void);
extern char *ident_uuid_text(const pg_uuid_t *uuid);
extern bool ident_parse_uuid(const char *text, pg_uuid_t *uuid);

extern uint64 ident_hash(uint64 seed, const void *data, size_t size);
extern uint64 ident_queue(const pg_uuid_t *namespace_id, int kind, const char *name);
extern uint64 ident_workflow_hash(const pg_uuid_t *namespace_id, const char *workflow_id);
extern uint64 ident_run_hash(const pg_uuid_t *run_id);
extern int16 ident_shard(const pg_uuid_t *namespace_id, const char *workflow_id, int shard_count);

#endif							/* TEMPORAL_BASE_IDENT_H */

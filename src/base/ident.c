/*
 * ident.c
 *	  Run ids, hashes that are stored, and shards.
 *
 * The hash is our own and fixed for ever, because its values are stored as
 * queue ids and decide the shard of a workflow: PostgreSQL's hash functions
 * may change between major versions.
 */
#include "postgres.h"

#include "base/ident.h"
#include "lib/stringinfo.h"
#include "port/pg_bswap.h"
#include "utils/timestamp.h"

#define UNIX_EPOCH_OFFSET_US \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* Drawn for many ids at a time: each draw costs a microsecond or more. */
static void
random_bytes(void *to, size_t size)
{
	static uint8 pool[64 * UUID_LEN];
	static size_t left = 0;

	if (left < size)
	{
		if (!pg_strong_random(pool, sizeof(pool)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not generate random values")));
		left = sizeof(pool);
	}
	left -= size;
	memcpy(to, pool + left, size);
}

/*
 * ident_new_run_id -- a new UUID of version 7.
 *
 * Its first 48 bits are the milliseconds of "now", so that the keys of what is
 * made together lie together.
 */
pg_uuid_t
ident_new_run_id(TimestampTz now)
{
	pg_uuid_t	uuid;
	uint64		ms = (uint64) ((now + UNIX_EPOCH_OFFSET_US) / 1000);

	random_bytes(uuid.data, UUID_LEN);
	for (int i = 0; i < 6; i++)
		uuid.data[i] = (unsigned char) (ms >> (40 - 8 * i));
	uuid.data[6] = (uuid.data[6] & 0x0f) | 0x70;
	uuid.data[8] = (uuid.data[8] & 0x3f) | 0x80;
	return uuid;
}

/* ident_random_uuid -- a new UUID of version 4 as palloc'd text. */
char *
ident_random_uuid(void)
{
	pg_uuid_t	uuid;

	random_bytes(uuid.data, UUID_LEN);
	uuid.data[6] = (uuid.data[6] & 0x0f) | 0x40;
	uuid.data[8] = (uuid.data[8] & 0x3f) | 0x80;
	return ident_uuid_text(&uuid);
}

/*
 * ident_random_id -- names a request that nobody else has named, as palloc'd
 * text: history has many of these, so it is short.
 */
char *
ident_random_id(void)
{
	static const char digits[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
	uint8		bytes[11];
	char	   *text = palloc(sizeof(bytes) + 1);

	random_bytes(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		text[i] = digits[bytes[i] & 63];
	text[sizeof(bytes)] = '\0';
	return text;
}

char *
ident_uuid_text(const pg_uuid_t *uuid)
{
	static const char digits[] = "0123456789abcdef";
	char	   *text = palloc(2 * UUID_LEN + 5);
	char	   *p = text;

	for (int i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = digits[uuid->data[i] >> 4];
		*p++ = digits[uuid->data[i] & 0x0f];
	}
	*p = '\0';
	return text;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}

/* ident_parse_uuid -- reads the usual form; false if "text" is anything else. */
bool
ident_parse_uuid(const char *text, pg_uuid_t *uuid)
{
	for (int i = 0; i < UUID_LEN; i++)
	{
		int			high;
		int			low;

		if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return false;
		high = hex_digit(text[0]);
		low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return false;
		uuid->data[i] = (unsigned char) (high << 4 | low);
		text += 2;
	}
	return *text == '\0';
}

/* ident_hash -- FNV-1a of 64 bits with a final mix; stored, so never change it. */
uint64
ident_hash(uint64 seed, const void *data, size_t size)
{
	const unsigned char *p = data;
	uint64		hash = seed ^ UINT64CONST(0xcbf29ce484222325);

	for (size_t i = 0; i < size; i++)
	{
		hash ^= p[i];
		hash *= UINT64CONST(0x100000001b3);
	}
	hash ^= hash >> 32;
	hash *= UINT64CONST(0xd6e8feb86659fd93);
	return hash ^ (hash >> 32);
}

/* ident_queue -- the id of a task queue; "kind" is a TaskQueueType. */
uint64
ident_queue(const pg_uuid_t *namespace_id, int kind, const char *name)
{
	uint64		hash = ident_hash((uint64) kind, namespace_id->data, UUID_LEN);

	return ident_hash(hash, name, strlen(name));
}

/* ident_run_hash -- the channel on which the end of a run is announced. */
uint64
ident_run_hash(const pg_uuid_t *run_id)
{
	return ident_hash(99, run_id->data, UUID_LEN);
}

/* ident_workflow_hash -- of a workflow id in its namespace. */
uint64
ident_workflow_hash(const pg_uuid_t *namespace_id, const char *workflow_id)
{
	uint64		hash = ident_hash(0, namespace_id->data, UUID_LEN);

	return ident_hash(hash, workflow_id, strlen(workflow_id));
}

int16
ident_shard(const pg_uuid_t *namespace_id, const char *workflow_id, int shard_count)
{
	return (int16) (ident_workflow_hash(namespace_id, workflow_id) % (uint64) shard_count);
}

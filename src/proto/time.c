/*
 * time.c
 *	  Between protobuf times and PostgreSQL's, and other small message makers.
 *
 * Everything is rounded to microseconds once, when it enters, so that two
 * reads of the same value never differ.
 */
#include "postgres.h"

#include "proto/time.h"
#include "utils/timestamp.h"

#define UNIX_EPOCH_OFFSET_US \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

void *
proto_new(const ProtobufCMessageDescriptor *descriptor)
{
	void	   *message = palloc(descriptor->sizeof_message);

	protobuf_c_message_init(descriptor, message);
	return message;
}

/* proto_timestamp -- NULL for 0, which stands for "no time" in our state. */
Pb__Timestamp *
proto_timestamp(TimestampTz time)
{
	Pb__Timestamp *timestamp;
	int64		us = time + UNIX_EPOCH_OFFSET_US;

	if (time == 0)
		return NULL;
	timestamp = proto_new(&pb__timestamp__descriptor);
	timestamp->seconds = us / USECS_PER_SEC;
	timestamp->nanos = (int32) (us % USECS_PER_SEC) * 1000;
	if (timestamp->nanos < 0)
	{
		timestamp->seconds--;
		timestamp->nanos += 1000000000;
	}
	return timestamp;
}

TimestampTz
proto_timestamp_us(const Pb__Timestamp *timestamp)
{
	if (timestamp == NULL)
		return 0;
	return timestamp->seconds * USECS_PER_SEC + timestamp->nanos / 1000 - UNIX_EPOCH_OFFSET_US;
}

/* proto_duration -- present even if it is zero, as some clients require. */
Pb__Duration *
proto_duration(int64 us)
{
	Pb__Duration *duration = proto_new(&pb__duration__descriptor);

	duration->seconds = us / USECS_PER_SEC;
	duration->nanos = (int32) (us % USECS_PER_SEC) * 1000;
	return duration;
}

Pb__Duration *
proto_duration_or_null(int64 us)
{
	return us == 0 ? NULL : proto_duration(us);
}

/* proto_duration_valid -- not negative, and both parts of one sign. */
bool
proto_duration_valid(const Pb__Duration *duration)
{
	return duration == NULL ||
		(duration->seconds >= 0 && duration->nanos >= 0 && duration->nanos < 1000000000);
}

/* proto_duration_us -- microseconds of a valid duration, capped at 100 years. */
int64
proto_duration_us(const Pb__Duration *duration)
{
	if (duration == NULL)
		return 0;
	if (duration->seconds >= DURATION_MAX / USECS_PER_SEC)
		return DURATION_MAX;
	return duration->seconds * USECS_PER_SEC + duration->nanos / 1000;
}

/*
 * fuzz_json.c
 *	  Text forms of values: what is read is written back as the same value.
 */
#include "postgres.h"

#include "proto/lexical.h"

#include "memory.h"

static void
require(bool condition)
{
	if (!condition)
		abort();
}

static void
try_base64(const char *text, size_t len)
{
	uint8 *data;
	uint8 *again;
	size_t data_len;
	size_t again_len;
	char *encoded = base64_encode((const uint8 *) text, len);

	require(base64_decode(encoded, strlen(encoded), &data, &data_len));
	require(data_len == len && (len == 0 || memcmp(data, text, len) == 0));

	if (base64_decode(text, len, &data, &data_len))
	{
		encoded = base64_encode(data, data_len);
		require(base64_decode(encoded, strlen(encoded), &again, &again_len));
		require(again_len == data_len && (data_len == 0 || memcmp(again, data, data_len) == 0));
	}
}

static void
try_times(const char *text)
{
	int64 seconds;
	int64 seconds_again = 0;
	int32 nanos;
	int32 nanos_again = 0;
	char *formatted;

	if (duration_parse(text, &seconds, &nanos))
	{
		formatted = duration_format(seconds, nanos);
		require(formatted != NULL && duration_parse(formatted, &seconds_again, &nanos_again));
		require(seconds == seconds_again && nanos == nanos_again);
	}
	if (timestamp_parse(text, &seconds, &nanos))
	{
		formatted = timestamp_format(seconds, nanos);
		require(formatted != NULL && timestamp_parse(formatted, &seconds_again, &nanos_again));
		require(seconds == seconds_again && nanos == nanos_again);
	}
}

int LLVMFuzzerTestOneInput(const uint8 *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t len)
{
	char *text = palloc(len + 1);

	memcpy(text, data, len);
	text[len] = '\0';
	try_base64((const char *) data, len);
	try_times(text);
	(void) json_text_fits_jsonb((const char *) data, len);
	memory_reset();
	return 0;
}

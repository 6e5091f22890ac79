/*
 * failure.c
 *	  Failures and payloads that the engine makes itself.
 */
#include "postgres.h"

#include "core/decide.h"
#include "lib/stringinfo.h"
#include "proto/time.h"
#include "utils/json.h"

/*
 * Answers put up to seven messages around a failure, and a payload of its last
 * cause is four messages deep: within PROTO_MAX_DEPTH, as clients demand.
 */
#define MAX_CAUSES 80

Pb__Failure *
core_server_failure(const char *message, bool non_retryable)
{
	Pb__Failure *failure = proto_new(&pb__failure__descriptor);

	failure->message = message;
	failure->source = "Server";
	failure->failure_info_case = PB__FAILURE__FAILURE_INFO_SERVER_FAILURE_INFO;
	failure->server_failure_info = proto_new(&pb__server_failure_info__descriptor);
	failure->server_failure_info->non_retryable = non_retryable;
	return failure;
}

/*
 * core_clamp_failure -- the failure with as many causes as can be kept.
 *
 * What a client may send is nested less deeply than what it gets back, in the
 * event of a history.
 */
Pb__Failure *
core_clamp_failure(const Pb__Failure *failure)
{
	const Pb__Failure *last = failure;
	Pb__Failure *result;
	Pb__Failure **link = &result;

	for (int i = 0; i <= MAX_CAUSES && last != NULL; i++)
		last = last->cause;
	if (last == NULL)
		return unconstify(Pb__Failure *, failure);
	for (int i = 0; i < MAX_CAUSES; i++)
	{
		*link = palloc(sizeof(Pb__Failure));
		**link = *failure;
		link = &(*link)->cause;
		failure = failure->cause;
	}
	*link = core_server_failure("Further causes are left out.", false);
	return result;
}

Pb__Failure *
core_timeout_failure(const char *message, Pb__TimeoutType type,
					 const Pb__Payloads *heartbeat_details, const Pb__Failure *cause)
{
	Pb__Failure *failure = proto_new(&pb__failure__descriptor);

	failure->message = message;
	failure->source = "Server";
	failure->cause = unconstify(Pb__Failure *, cause);
	failure->failure_info_case = PB__FAILURE__FAILURE_INFO_TIMEOUT_FAILURE_INFO;
	failure->timeout_failure_info = proto_new(&pb__timeout_failure_info__descriptor);
	failure->timeout_failure_info->timeout_type = type;
	failure->timeout_failure_info->last_heartbeat_details =
		unconstify(Pb__Payloads *, heartbeat_details);
	return failure;
}

/* At most "limit" bytes of "text", and no part of a character. */
static const char *
clip(const char *text, size_t limit)
{
	if (strlen(text) <= limit)
		return text;
	while (limit > 0 && ((unsigned char) text[limit] & 0xC0) == 0x80)
		limit--;
	return pnstrdup(text, limit);
}

/*
 * core_shorten_failure -- the failure itself if it is no larger than "limit".
 *
 * Else what tells most in little room: the message and the kind of failure,
 * without details, stack trace and cause.
 */
Pb__Failure *
core_shorten_failure(const Pb__Failure *failure, size_t limit)
{
	Pb__Failure *copy;

	if (protobuf_c_message_get_packed_size(&failure->base) <= limit)
		return unconstify(Pb__Failure *, failure);
	copy = core_server_failure(clip(failure->message, limit / 2), false);
	copy->source = clip(failure->source, limit / 16);
	if (failure->failure_info_case == PB__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO)
	{
		Pb__ApplicationFailureInfo *info = proto_new(&pb__application_failure_info__descriptor);

		info->type = clip(failure->application_failure_info->type, limit / 4);
		info->non_retryable = failure->application_failure_info->non_retryable;
		copy->failure_info_case = failure->failure_info_case;
		copy->application_failure_info = info;
	}
	return copy;
}

/* core_json_payload -- "json" must be valid JSON text. */
Pb__Payload *
core_json_payload(const char *json)
{
	Pb__Payload *payload = proto_new(&pb__payload__descriptor);
	Pb__Payload__MetadataEntry *entry = proto_new(&pb__payload__metadata_entry__descriptor);

	entry->key = "encoding";
	entry->value.data = (uint8_t *) "json/plain";
	entry->value.len = strlen("json/plain");
	payload->n_metadata = 1;
	payload->metadata = palloc(sizeof(entry));
	payload->metadata[0] = entry;
	payload->data.data = (uint8_t *) json;
	payload->data.len = strlen(json);
	return payload;
}

Pb__Payload *
core_text_payload(const char *text)
{
	StringInfoData json;

	initStringInfo(&json);
	escape_json(&json, text);
	return core_json_payload(json.data);
}

Pb__Payloads *
core_payloads(Pb__Payload *payload)
{
	Pb__Payloads *payloads = proto_new(&pb__payloads__descriptor);

	payloads->n_payloads = 1;
	payloads->payloads = palloc(sizeof(payload));
	payloads->payloads[0] = payload;
	return payloads;
}

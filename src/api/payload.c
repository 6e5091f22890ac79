/*
 * payload.c
 *	  Payloads for SQL: to a value and from one.
 */
#include "postgres.h"

#include "fmgr.h"
#include "proto/json.h"
#include "proto/payload.h"

PG_FUNCTION_INFO_V1(temporal_encode_payload);
PG_FUNCTION_INFO_V1(temporal_decode_payloads);

/* temporal.encode_payload(value jsonb) returns jsonb */
Datum
temporal_encode_payload(PG_FUNCTION_ARGS)
{
	Pb__Payload *payload = payload_from_jsonb(PG_GETARG_JSONB_P(0));

	PG_RETURN_JSONB_P(message_to_json(&payload->base, true));
}

/* temporal.decode_payloads(payloads jsonb) returns jsonb */
Datum
temporal_decode_payloads(PG_FUNCTION_ARGS)
{
	Pb__Payloads *payloads = json_to_message(&pb__payloads__descriptor, PG_GETARG_JSONB_P(0));
	Jsonb	   *value = payloads_to_jsonb(payloads);

	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(value);
}

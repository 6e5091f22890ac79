/*
 * payload.c
 *	  Payloads for SQL: to a value and from one.
 */
#include "postgres.h"

#include "api/call.h"
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

/*
 * api_payloads_value -- the only value, an array of several, NULL for none.
 */
Jsonb *
api_payloads_value(const Pb__Payloads *payloads)
{
	JsonbParseState *state = NULL;
	JsonbValue *result;

	if (payloads == NULL || payloads->n_payloads == 0)
		return NULL;
	if (payloads->n_payloads == 1)
		return payload_to_jsonb(payloads->payloads[0]);
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (size_t i = 0; i < payloads->n_payloads; i++)
	{
		Jsonb	   *value = payload_to_jsonb(payloads->payloads[i]);
		JsonbValue	element;

		element.type = jbvBinary;
		element.val.binary.data = &value->root;
		element.val.binary.len = VARSIZE(value) - VARHDRSZ;
		if (JB_ROOT_IS_SCALAR(value))
			JsonbExtractScalar(&value->root, &element);
		pushJsonbValue(&state, WJB_ELEM, &element);
	}
	result = pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	return JsonbValueToJsonb(result);
}

/* temporal.decode_payloads(payloads jsonb) returns jsonb */
Datum
temporal_decode_payloads(PG_FUNCTION_ARGS)
{
	Pb__Payloads *payloads = json_to_message(&pb__payloads__descriptor, PG_GETARG_JSONB_P(0));
	Jsonb	   *value = api_payloads_value(payloads);

	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(value);
}

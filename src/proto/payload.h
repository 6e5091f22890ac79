/*
 * payload.h
 *	  Payloads from jsonb values and to jsonb values.
 */
#ifndef TEMPORAL_PROTO_PAYLOAD_H
#define TEMPORAL_PROTO_PAYLOAD_H

#include "utils/jsonb.h"

#include "proto/common.pb-c.h"

extern Pb__Payload *payload_from_jsonb(Jsonb *json);
extern Pb__Payloads *payloads_from_jsonb(Jsonb *array);
extern bool payload_is_integer(const Pb__Payload *payload, int64 *value);
extern Jsonb *payload_to_jsonb(const Pb__Payload *payload);
extern Jsonb *payloads_to_jsonb(const Pb__Payloads *payloads);

#endif /* TEMPORAL_PROTO_PAYLOAD_H */

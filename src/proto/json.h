/*
 * json.h
 *	  Temporal's proto-JSON: messages from jsonb and to jsonb.
 */
#ifndef TEMPORAL_PROTO_JSON_H
#define TEMPORAL_PROTO_JSON_H

#include <protobuf-c/protobuf-c.h>

#include "utils/jsonb.h"

extern void *json_to_message(const ProtobufCMessageDescriptor *descriptor, Jsonb *json);
extern Jsonb *message_to_json(const ProtobufCMessage *message, bool shorthand);

#endif /* TEMPORAL_PROTO_JSON_H */

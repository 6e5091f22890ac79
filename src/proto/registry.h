/*
 * registry.h
 *	  Messages that an Any can hold, by name.
 */
#ifndef TEMPORAL_PROTO_REGISTRY_H
#define TEMPORAL_PROTO_REGISTRY_H

#include <protobuf-c/protobuf-c.h>

extern const ProtobufCMessageDescriptor *proto_find_message(const char *full_name);

#endif /* TEMPORAL_PROTO_REGISTRY_H */

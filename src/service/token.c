/*
 * token.c
 *	  Task tokens: what a worker hands back to say which task it means.
 */
#include "postgres.h"

#include "proto/alloc.h"
#include "proto/wire.h"
#include "service/service.h"

/* token_pack -- for the started workflow task, or for an activity's attempt. */
ProtobufCBinaryData
token_pack(const ExecutionState *state, const PendingActivity *activity)
{
	Pbi__TaskToken token = PBI__TASK_TOKEN__INIT;

	token.namespace_id.data = (uint8_t *) state->key.namespace_id.data;
	token.namespace_id.len = UUID_LEN;
	token.run_id.data = (uint8_t *) state->key.run_id.data;
	token.run_id.len = UUID_LEN;
	token.shard = state->key.shard;
	token.workflow_id = state->workflow_id;
	if (activity != NULL)
	{
		token.activity = true;
		token.scheduled_event_id = activity->scheduled_event_id;
		token.attempt = activity->state->attempt;
		token.started_time = activity->state->started_time;
	}
	else
	{
		token.scheduled_event_id = state->run->workflow_task->scheduled_event_id;
		token.started_event_id = state->run->workflow_task->started_event_id;
		token.attempt = state->run->workflow_task->attempt;
		token.started_time = state->run->workflow_task->started_time;
	}
	return proto_pack(&token.base);
}

static void
bad_token(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
			 errmsg("Error deserializing task token.")));
}

/*
 * token_unpack -- reads a token, of the kind asked for.
 *
 * The token's namespace counts; one in the request must agree with it.  Whoever
 * has no right there learns nothing about the task; for which queue it needs
 * one, the caller sees.
 */
Pbi__TaskToken *
token_unpack(ServiceCall *call, const ProtobufCBinaryData *bytes, bool activity, RunKey *key)
{
	Pbi__TaskToken *token;
	Namespace  *namespace;

	if (bytes->len == 0)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("Task token not set on request.")));
	if (wire_check(&pbi__task_token__descriptor, bytes->data, bytes->len) != NULL)
		bad_token();
	token = (Pbi__TaskToken *) protobuf_c_message_unpack(&pbi__task_token__descriptor,
														 proto_allocator(CurrentMemoryContext),
														 bytes->len, bytes->data);
	if (token == NULL || token->namespace_id.len != UUID_LEN || token->run_id.len != UUID_LEN ||
		token->activity != activity || token->shard < 0 || token->shard >= store_shard_count() ||
		token->scheduled_event_id <= 0)
		bad_token();
	memset(key, 0, sizeof(*key));
	key->shard = (int16) token->shard;
	memcpy(key->namespace_id.data, token->namespace_id.data, UUID_LEN);
	memcpy(key->run_id.data, token->run_id.data, UUID_LEN);
	if (call->namespace != NULL &&
		memcmp(&call->namespace->id, &key->namespace_id, sizeof(pg_uuid_t)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT),
				 errmsg("Operation requested with a token from a different namespace.")));
	namespace = call->namespace != NULL ? call->namespace : store_find_namespace_id(&key->namespace_id);
	if (namespace == NULL)
		bad_token();
	service_check_namespace(namespace, false);
	call->namespace = namespace;
	service_authorize(call, RIGHT_ANY, NULL);
	return token;
}

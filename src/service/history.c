/*
 * history.c
 *	  Reading the history of a run, page by page, in both directions.
 */
#include "postgres.h"

#include "proto/alloc.h"
#include "proto/wire.h"
#include "service/service.h"

#define HISTORY_PAGE 256
#define LONGEST_WAIT (20 * USECS_PER_SEC)
#define FILTER_CLOSE \
	PB__HISTORY_EVENT_FILTER_TYPE__HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT

static void
bad_token(const char *message)
{
	ereport(ERROR, (errcode(ERRCODE_TEMPORAL_INVALID_ARGUMENT), errmsg("%s", message)));
}

/* The caller's token, or NULL on the first page. */
static Pbi__HistoryToken *
read_token(const ProtobufCBinaryData *bytes, bool reverse)
{
	Pbi__HistoryToken *token;

	if (bytes->len == 0)
		return NULL;
	if (wire_check(&pbi__history_token__descriptor, bytes->data, bytes->len) != NULL)
		bad_token("Invalid NextPageToken.");
	token = (Pbi__HistoryToken *)
		protobuf_c_message_unpack(&pbi__history_token__descriptor,
								  proto_allocator(CurrentMemoryContext), bytes->len, bytes->data);
	if (token == NULL || token->run_id.len != UUID_LEN || token->reverse != reverse ||
		token->next_event_id < 0)
		bad_token("Invalid NextPageToken.");
	return token;
}

static ProtobufCBinaryData
write_token(const ExecutionState *state, int64 next, int64 end, bool reverse, bool transient)
{
	Pbi__HistoryToken token = PBI__HISTORY_TOKEN__INIT;

	token.run_id.data = (uint8_t *) state->key.run_id.data;
	token.run_id.len = UUID_LEN;
	token.next_event_id = next;
	token.end_event_id = end;
	token.reverse = reverse;
	token.transient = transient;
	return proto_pack(&token.base);
}

/* The run that the request or its token names, or that it has waited for. */
static ExecutionState *
load_run(ServiceCall *call, const Pb__WorkflowExecution *execution,
		 const Pbi__HistoryToken *token)
{
	static const pg_uuid_t none = {{0}};
	Pb__WorkflowExecution pinned = PB__WORKFLOW_EXECUTION__INIT;
	const pg_uuid_t *run_id = &call->wait.run_id;

	if (token != NULL)
		run_id = (const pg_uuid_t *) token->run_id.data;
	if (execution == NULL || memcmp(run_id, &none, UUID_LEN) == 0)
		return service_load_execution(call, execution, LOCK_NONE);
	pinned.workflow_id = execution->workflow_id;
	pinned.run_id = ident_uuid_text(run_id);
	if (execution->run_id[0] != '\0' && pg_strcasecmp(execution->run_id, pinned.run_id) != 0)
		bad_token("RunId in the request does not match the NextPageToken.");
	return service_load_execution(call, &pinned, LOCK_NONE);
}

static int
page_size(int32 asked)
{
	return asked <= 0 || asked > HISTORY_PAGE ? HISTORY_PAGE : asked;
}

/* The last event only, once the run has closed. */
static void
answer_close_event(const ExecutionState *state, bool wait,
				   Pb__GetWorkflowExecutionHistoryResponse *response)
{
	int64		last = state->run->next_event_id;
	int64		next;

	if (state_is_open(state))
	{
		response->history = proto_new(&pb__history__descriptor);
		if (wait)
			response->next_page_token = write_token(state, last, 0, false, false);
		return;
	}
	response->history = answer_history(state, last - 1, last, 1, false, &next);
}

static void
append_virtual(const ExecutionState *state, Pb__History *history)
{
	List	   *events = core_virtual_events(state);
	Pb__HistoryEvent **all = palloc((history->n_events + list_length(events) + 1) *
									sizeof(Pb__HistoryEvent *));
	ListCell   *cell;

	if (history->n_events > 0)
		memcpy(all, history->events, history->n_events * sizeof(Pb__HistoryEvent *));
	foreach(cell, events)
		all[history->n_events++] = lfirst(cell);
	history->events = all;
}

/* Is there nothing yet of what the caller wants to wait for? */
static bool
is_behind(const Pb__GetWorkflowExecutionHistoryRequest *request, const ExecutionState *state,
		  const Pbi__HistoryToken *token)
{
	if (!request->wait_new_event || !state_is_open(state))
		return false;
	if (request->history_event_filter_type == FILTER_CLOSE)
		return true;
	return token != NULL && token->end_event_id == 0 && !token->transient &&
		token->next_event_id >= state->run->next_event_id;
}

/* Lets the caller wait if there is nothing; the state that it is to get. */
static ExecutionState *
watch_run(ServiceCall *call, const Pb__GetWorkflowExecutionHistoryRequest *request,
		  ExecutionState *state, const Pbi__HistoryToken *token)
{
	if (call->watch == NULL || !is_behind(request, state, token))
		return state;
	call->wait.run_id = state->key.run_id;
	service_watch(call, request->history_event_filter_type == FILTER_CLOSE ? WAKE_CLOSED :
				  WAKE_EVENTS, ident_run_hash(&state->key.run_id), LONGEST_WAIT);
	state = load_run(call, request->execution, token);
	call->wait.wanted = is_behind(request, state, token);
	return state;
}

/*
 * Never waits.  A caller that asked to wait gets what there is, perhaps
 * nothing, and a token to ask again with while the run is open.
 */
ProtobufCMessage *
service_get_workflow_execution_history(ServiceCall *call, const void *message)
{
	const Pb__GetWorkflowExecutionHistoryRequest *request = message;
	Pb__GetWorkflowExecutionHistoryResponse *response =
		proto_new(&pb__get_workflow_execution_history_response__descriptor);
	Pbi__HistoryToken *token = read_token(&request->next_page_token, false);
	ExecutionState *state = load_run(call, request->execution, token);
	int64		from = token != NULL ? token->next_event_id : 1;
	int64		end;
	int64		next;

	service_authorize_run(call, RIGHT_VIEWER, state);
	state = watch_run(call, request, state, token);
	end = state->run->next_event_id;
	if (token != NULL && token->end_event_id != 0)
		end = Min(token->end_event_id, end);
	if (request->history_event_filter_type == FILTER_CLOSE)
	{
		answer_close_event(state, request->wait_new_event, response);
		return &response->base;
	}
	response->history = answer_history(state, from, end,
									   page_size(request->maximum_page_size), false, &next);
	if (next != 0)
		response->next_page_token = write_token(state, next, token != NULL ? token->end_event_id : 0,
												false, token != NULL && token->transient);
	else if (end == state->run->next_event_id &&
			 ((token != NULL && token->transient) ||
			  (call->sees_attempts && !request->wait_new_event)))
		append_virtual(state, response->history);
	else if (request->wait_new_event && state_is_open(state))
		response->next_page_token = write_token(state, end, 0, false, false);
	return &response->base;
}

ProtobufCMessage *
service_get_workflow_execution_history_reverse(ServiceCall *call, const void *message)
{
	const Pb__GetWorkflowExecutionHistoryReverseRequest *request = message;
	Pb__GetWorkflowExecutionHistoryReverseResponse *response =
		proto_new(&pb__get_workflow_execution_history_reverse_response__descriptor);
	Pbi__HistoryToken *token = read_token(&request->next_page_token, true);
	ExecutionState *state = load_run(call, request->execution, token);
	int64		before = token != NULL ? token->next_event_id : state->run->next_event_id;
	int64		next;

	service_authorize_run(call, RIGHT_VIEWER, state);
	response->history = answer_history(state, 1, before,
									   page_size(request->maximum_page_size), true, &next);
	if (next != 0)
		response->next_page_token = write_token(state, next, 0, true, false);
	return &response->base;
}

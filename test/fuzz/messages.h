/*
 * messages.h
 *	  Messages for fuzzers, which choose one by the first byte of an input.
 */
#ifndef TEMPORAL_FUZZ_MESSAGES_H
#define TEMPORAL_FUZZ_MESSAGES_H

#include "proto/history.pb-c.h"
#include "proto/protocol.pb-c.h"
#include "proto/service.pb-c.h"
#include "proto/worker.pb-c.h"

static const ProtobufCMessageDescriptor *const messages[] = {
	&pb__respond_workflow_task_completed_request__descriptor,
	&pb__start_workflow_execution_request__descriptor,
	&pb__poll_workflow_task_queue_request__descriptor,
	&pb__poll_workflow_task_queue_response__descriptor,
	&pb__respond_activity_task_failed_request__descriptor,
	&pb__execute_multi_operation_request__descriptor,
	&pb__create_schedule_request__descriptor,
	&pb__worker_heartbeat__descriptor,
	&pb__history__descriptor,
	&pb__message__descriptor,
	&pb__payloads__descriptor,
};

#endif /* TEMPORAL_FUZZ_MESSAGES_H */

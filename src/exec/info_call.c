/*
 * info_call.c
 *	  What a workflow function may know of time, chance and itself.
 */
#include "postgres.h"

#include "exec/pass.h"
#include "fmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(temporal_workflow_now);
PG_FUNCTION_INFO_V1(temporal_workflow_random);
PG_FUNCTION_INFO_V1(temporal_workflow_uuid);
PG_FUNCTION_INFO_V1(temporal_is_cancelled);

/* temporal.workflow_now() returns timestamptz: when the workflow task was started */
Datum
temporal_workflow_now(PG_FUNCTION_ARGS)
{
	const Pass *pass = pass_require("workflow_now");

	PG_RETURN_TIMESTAMPTZ(pass->tasks[pass->task].time);
}

/* temporal.workflow_random() returns double precision: from 0 to below 1 */
Datum
temporal_workflow_random(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("workflow_random");

	/* As many bits as the fraction of a double has. */
	PG_RETURN_FLOAT8((double) (pass_random(pass) >> 11) / (double) (UINT64CONST(1) << 53));
}

/* temporal.workflow_uuid() returns uuid: of version 4 */
Datum
temporal_workflow_uuid(PG_FUNCTION_ARGS)
{
	Pass	   *pass = pass_require("workflow_uuid");
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));
	uint64		halves[2] = {pass_random(pass), pass_random(pass)};

	memcpy(uuid->data, halves, UUID_LEN);
	uuid->data[6] = (uuid->data[6] & 0x0f) | 0x40;
	uuid->data[8] = (uuid->data[8] & 0x3f) | 0x80;
	PG_RETURN_UUID_P(uuid);
}

/* temporal.is_cancelled() returns boolean */
Datum
temporal_is_cancelled(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(pass_require("is_cancelled")->cancel_requested);
}

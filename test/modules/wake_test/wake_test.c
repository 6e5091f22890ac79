/*
 * wake_test.c
 *	  Wake-up in shared memory, callable from SQL for tests.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/clock.h"
#include "base/compat.h"
#include "base/wait_event.h"
#include "wake/shmem.h"

#define MAX_CLAIMS 100

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

PG_FUNCTION_INFO_V1(wake_test_mark_queue);
PG_FUNCTION_INFO_V1(wake_test_mark_task);
PG_FUNCTION_INFO_V1(wake_test_mark_closed);
PG_FUNCTION_INFO_V1(wake_test_lower_bound);
PG_FUNCTION_INFO_V1(wake_test_raise_bound);
PG_FUNCTION_INFO_V1(wake_test_note_claim);
PG_FUNCTION_INFO_V1(wake_test_take_lost_claims);
PG_FUNCTION_INFO_V1(wake_test_note_poller);
PG_FUNCTION_INFO_V1(wake_test_has_recent_poller);
PG_FUNCTION_INFO_V1(wake_test_listen);
PG_FUNCTION_INFO_V1(wake_test_wait);

/* Finds what temporal has made, if it was preloaded. */
void
_PG_init(void)
{
	wake_shmem_startup();
	xact_register();
}

Datum
wake_test_mark_queue(PG_FUNCTION_ARGS)
{
	wake_mark_queue(PG_GETARG_INT64(0));
	PG_RETURN_VOID();
}

Datum
wake_test_mark_task(PG_FUNCTION_ARGS)
{
	wake_mark_task(PG_GETARG_INT64(0), PG_GETARG_INT64(1));
	PG_RETURN_VOID();
}

Datum
wake_test_mark_closed(PG_FUNCTION_ARGS)
{
	wake_mark_closed(PG_GETARG_INT64(0), NULL);
	PG_RETURN_VOID();
}

Datum
wake_test_lower_bound(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(wake_lower_bound(PG_GETARG_INT64(0)));
}

Datum
wake_test_raise_bound(PG_FUNCTION_ARGS)
{
	wake_raise_bound(PG_GETARG_INT64(0), PG_GETARG_INT64(1));
	PG_RETURN_VOID();
}

Datum
wake_test_note_claim(PG_FUNCTION_ARGS)
{
	WakeClaim claim = {
		.queue_id = PG_GETARG_INT64(0), .event_id = PG_GETARG_INT64(0), .attempt = 1
	};

	wake_note_claim(&claim);
	PG_RETURN_VOID();
}

Datum
wake_test_take_lost_claims(PG_FUNCTION_ARGS)
{
	WakeClaim claims[MAX_CLAIMS];
	Datum events[MAX_CLAIMS];
	bool later;
	int count = wake_lost_claims(claims, MAX_CLAIMS, &later);

	for (int i = 0; i < count; i++)
	{
		events[i] = Int64GetDatum(claims[i].event_id);
		if (!wake_claim_is_lost(&claims[i]))
			elog(ERROR, "claim is not lost");
		wake_forget_lost_claim(&claims[i]);
		if (wake_claim_is_lost(&claims[i]))
			elog(ERROR, "claim is not forgotten");
	}
	PG_RETURN_ARRAYTYPE_P(
		construct_array(events, count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

Datum
wake_test_note_poller(PG_FUNCTION_ARGS)
{
	pg_uuid_t namespace_id = {{0}};

	wake_note_poller(PG_GETARG_INT64(0), &namespace_id, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	PG_RETURN_VOID();
}

Datum
wake_test_has_recent_poller(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(wake_queue_has_recent_poller(PG_GETARG_INT64(0), PG_GETARG_INT32(1)));
}

Datum
wake_test_listen(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(wake_listen(PG_GETARG_INT64(0)));
}

Datum
wake_test_wait(PG_FUNCTION_ARGS)
{
	TimestampTz deadline = clock_now() + PG_GETARG_INT32(2) * INT64CONST(1000);
	TupleDesc descriptor;
	Datum woken;
	bool is_null = false;

	get_call_result_type(fcinfo, NULL, &descriptor);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	SPI_commit();
	wake_register(PG_GETARG_INT32(0), PG_GETARG_INT64(1));
	woken = BoolGetDatum(wake_wait(deadline, wait_event(WAIT_EVENT_QUEUE)));
	wake_unregister();
	SPI_finish();
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(descriptor, &woken, &is_null)));
}

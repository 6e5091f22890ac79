"""The Python SDK as it comes from the registry: client, worker, replayer."""

import asyncio
import os
import sys
import uuid
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio.api.enums.v1 import EventType, IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    CreateScheduleRequest,
    DescribeTaskQueueRequest,
    UpdateWorkflowExecutionRequest,
)
from temporalio.client import Client, WorkflowFailureError, WorkflowExecutionStatus
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    TerminatedError,
    TimeoutError,
    WorkflowAlreadyStartedError,
)
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

import tap
import workflows as w
from tap import test


def name(prefix):
    return f"{prefix}-{uuid.uuid4()}"


@asynccontextmanager
async def worker(client, **options):
    queue = options.pop("task_queue", None) or name("queue")
    async with Worker(
        client,
        task_queue=queue,
        workflows=w.WORKFLOWS,
        activities=w.ACTIVITIES,
        workflow_runner=UnsandboxedWorkflowRunner(),
        graceful_shutdown_timeout=timedelta(seconds=1),
        **options,
    ):
        yield queue


async def run(client, workflow, *args, **options):
    async with worker(client) as queue:
        return await client.execute_workflow(
            workflow, *args, id=name("run"), task_queue=queue, **options
        )


async def event_types(handle):
    return [EventType.Name(e.event_type)[len("EVENT_TYPE_") :] async for e in handle.fetch_history_events()]


async def raises(kind, awaitable):
    try:
        await awaitable
    except kind as error:
        return error
    raise AssertionError(f"{kind} was not raised")


async def until(condition):
    while not condition():
        await asyncio.sleep(0.02)


@test
async def a_workflow_says_hello(client):
    assert await run(client, w.Hello.run, "World") == "Hello, World!"


@test
async def a_worker_stops_at_once_when_idle(client):
    async with worker(client):
        await asyncio.sleep(0.2)
        started = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - started < 20


@test
async def activities_follow_each_other_from_the_cache(client):
    assert len(await run(client, w.Chain.run, 8)) == 8


@test
async def every_step_is_replayed_without_a_cache(client):
    async with worker(client, max_cached_workflows=0) as queue:
        result = await client.execute_workflow(w.Chain.run, 5, id=name("run"), task_queue=queue)
    assert result == [f"Hello, {i}!" for i in range(5)]


@test
async def fifty_activities_run_side_by_side(client):
    assert await run(client, w.Fanout.run, 50) == 50


@test
async def an_activity_is_retried(client):
    assert await run(client, w.Retries.run, 4) == 4


@test
async def a_failure_arrives_with_type_and_details(client):
    error = await raises(WorkflowFailureError, run(client, w.Failures.run))
    assert isinstance(error.cause, ActivityError)
    cause = error.cause.cause
    assert isinstance(cause, ApplicationError) and cause.type == "Never"
    assert cause.message == "never" and list(cause.details) == [42]


@test
async def failures_may_hold_nul_bytes(client):
    error = await raises(WorkflowFailureError, run(client, w.NulBytes.run))
    assert error.cause.message == "?" and list(error.cause.details) == ["a?b"]


@test
async def an_activity_times_out(client):
    assert "StartToClose" in await run(client, w.Timeouts.run)


@test
async def heartbeat_details_reach_the_next_attempt(client):
    assert await run(client, w.HeartbeatDetails.run) == "from the first attempt"


@test
async def cancellation_reaches_a_heartbeating_activity(client):
    w.seen.clear()
    async with worker(client) as queue:
        handle = await client.start_workflow(w.Cancelled.run, id=name("run"), task_queue=queue)
        await until(lambda: "beating" in w.seen)
        await handle.cancel()
        error = await raises(WorkflowFailureError, handle.result())
    assert isinstance(error.cause, CancelledError), error.cause
    assert w.seen["cancelled"] and w.seen["handled"]


@test
async def timers_fire_in_order_and_can_be_cancelled(client):
    assert await run(client, w.Timers.run) == ["early", "late"]


@test
async def signals_arrive_in_order(client):
    async with worker(client) as queue:
        handle = await client.start_workflow(w.Signals.run, 20, id=name("run"), task_queue=queue)
        for i in range(20):
            await handle.signal(w.Signals.add, str(i))
        assert await handle.result() == [str(i) for i in range(20)]


@test
async def a_signal_starts_a_workflow(client):
    async with worker(client) as queue:
        workflow_id = name("run")
        for text in ("first", "second"):
            handle = await client.start_workflow(
                w.Signals.run, 2, id=workflow_id, task_queue=queue,
                start_signal="add", start_signal_args=[text],
            )
        assert await handle.result() == ["first", "second"]


@test
async def a_workflow_is_cancelled(client):
    async with worker(client) as queue:
        handle = await client.start_workflow(w.Endless.run, id=name("run"), task_queue=queue)
        await handle.cancel()
        error = await raises(WorkflowFailureError, handle.result())
        assert isinstance(error.cause, CancelledError)
        assert (await handle.describe()).status == WorkflowExecutionStatus.CANCELED


@test
async def a_workflow_is_terminated(client):
    async with worker(client) as queue:
        handle = await client.start_workflow(w.Endless.run, id=name("run"), task_queue=queue)
        await handle.terminate("enough", reason="because")
        error = await raises(WorkflowFailureError, handle.result())
        assert isinstance(error.cause, TerminatedError) and "because" in str(error.cause)


@test
async def a_run_times_out(client):
    async with worker(client) as queue:
        error = await raises(
            WorkflowFailureError,
            client.execute_workflow(
                w.Endless.run, id=name("run"), task_queue=queue, run_timeout=timedelta(seconds=1)
            ),
        )
    assert isinstance(error.cause, TimeoutError)


@test
async def local_activities_are_markers(client):
    async with worker(client) as queue:
        handle = await client.start_workflow(w.Locals.run, id=name("run"), task_queue=queue)
        assert await handle.result() == 3
        types = await event_types(handle)
    assert types.count("MARKER_RECORDED") == 2 and "ACTIVITY_TASK_SCHEDULED" not in types


@test
async def patches_and_random_values_survive_replay(client):
    async with worker(client, max_cached_workflows=0) as queue:
        handle = await client.start_workflow(w.Deterministic.run, id=name("run"), task_queue=queue)
        assert " True " in await handle.result()
        history = await handle.fetch_history()
    await Replayer(workflows=w.WORKFLOWS, workflow_runner=UnsandboxedWorkflowRunner()).replay_workflow(history)


@test
async def search_attributes_and_memo_are_kept(client):
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace="default",
                search_attributes={"Colour": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD},
            )
        )
    except RPCError as error:
        assert error.status == RPCStatusCode.ALREADY_EXISTS, error
    async with worker(client) as queue:
        handle = await client.start_workflow(
            w.Attributes.run, id=name("run"), task_queue=queue, memo={"mood": "bad", "size": 3},
            search_attributes=TypedSearchAttributes([SearchAttributePair(w.COLOUR, "red")]),
        )
        assert await handle.result() == ["red", "green", "good"]
        description = await handle.describe()
    assert description.typed_search_attributes[w.COLOUR] == "green"
    assert await description.memo() == {"mood": "good", "size": 3}


@test
async def an_activity_is_completed_from_outside(client):
    w.seen.clear()
    async with worker(client) as queue:
        handle = await client.start_workflow(w.Later.run, id=name("run"), task_queue=queue)
        await until(lambda: "token" in w.seen)
        await client.get_async_activity_handle(task_token=w.seen["token"]).complete("done")
        assert await handle.result() == "done"


@test
async def a_run_goes_on_after_its_worker(client):
    queue = name("queue")
    async with worker(client, task_queue=queue):
        handle = await client.start_workflow(w.Signals.run, 2, id=name("run"), task_queue=queue)
        await handle.signal(w.Signals.add, "one")
        await asyncio.sleep(0.3)
    await handle.signal(w.Signals.add, "two")
    async with worker(client, task_queue=queue):
        assert await handle.result() == ["one", "two"]


@test
async def two_workers_share_a_queue(client):
    queue = name("queue")
    other = await Client.connect(os.environ["TEMPORAL_ADDRESS"])
    async with worker(client, task_queue=queue), worker(other, task_queue=queue):
        results = await asyncio.gather(
            *(
                client.execute_workflow(w.Chain.run, 3, id=name("run"), task_queue=queue)
                for _ in range(20)
            )
        )
    assert len(results) == 20 and all(len(r) == 3 for r in results)


@test
async def a_workflow_starts_eagerly(client):
    async with worker(client) as queue:
        handle = await client.start_workflow(
            w.Hello.run, "you", id=name("run"), task_queue=queue, request_eager_start=True
        )
        assert handle._start_workflow_response.HasField("eager_workflow_task")
        assert await handle.result() == "Hello, you!"


@test
async def pollers_and_backlog_are_described(client):
    async with worker(client) as queue:
        await run_on(client, queue)
        answer = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace="default", task_queue=TaskQueue(name=queue), report_stats=True
            )
        )
    assert any(p.identity == client.identity for p in answer.pollers)
    assert answer.stats.approximate_backlog_count == 0


async def run_on(client, queue):
    return await client.execute_workflow(w.Hello.run, "x", id=name("run"), task_queue=queue)


@test
async def starting_twice_is_an_error_with_the_run(client):
    workflow_id, queue = name("run"), name("nobody")
    handle = await client.start_workflow(w.Hello.run, "x", id=workflow_id, task_queue=queue)
    error = await raises(
        WorkflowAlreadyStartedError,
        client.start_workflow(w.Hello.run, "x", id=workflow_id, task_queue=queue),
    )
    assert error.run_id == handle.first_execution_run_id
    await handle.terminate()
    await raises(
        WorkflowAlreadyStartedError,
        client.start_workflow(
            w.Hello.run, "x", id=workflow_id, task_queue=queue,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        ),
    )


@test
async def client_errors_have_their_status(client):
    async def status(awaitable):
        return (await raises(RPCError, awaitable)).status

    missing = client.get_workflow_handle("no such workflow")
    assert await status(missing.describe()) == RPCStatusCode.NOT_FOUND
    assert await status(missing.signal("x")) == RPCStatusCode.NOT_FOUND
    assert await status(missing.cancel()) == RPCStatusCode.NOT_FOUND
    assert await status(missing.terminate()) == RPCStatusCode.NOT_FOUND
    assert (
        await status(client.start_workflow("T", id="", task_queue="q"))
        == RPCStatusCode.INVALID_ARGUMENT
    )
    nowhere = Client(client.service_client, namespace="nowhere")
    error = await raises(RPCError, nowhere.get_workflow_handle("x").describe())
    assert error.status == RPCStatusCode.NOT_FOUND
    assert error.message == "Namespace nowhere is not found."
    assert error.grpc_status.details[0].type_url.endswith("NamespaceNotFoundFailure")


@test
async def what_is_missing_says_so(client):
    for call, method in (
        (client.workflow_service.update_workflow_execution(UpdateWorkflowExecutionRequest()), "UpdateWorkflowExecution"),
        (client.workflow_service.create_schedule(CreateScheduleRequest()), "CreateSchedule"),
    ):
        error = await raises(RPCError, call)
        assert error.status == RPCStatusCode.UNIMPLEMENTED
        assert error.message == (
            f"unknown method {method} for service temporal.api.workflowservice.v1.WorkflowService"
        )


@test
async def a_worker_of_an_unknown_namespace_does_not_start(client):
    nowhere = Client(client.service_client, namespace="nowhere")

    async def start():
        async with worker(nowhere):
            await asyncio.sleep(5)

    error = await raises(RuntimeError, start())
    assert "nowhere" in str(error)


@test
async def the_replayer_accepts_our_histories(client):
    async with worker(client) as queue:
        handles = [
            await client.start_workflow(run, *args, id=name("run"), task_queue=queue)
            for run, args in (
                (w.Chain.run, [4]),
                (w.Retries.run, [3]),
                (w.Timers.run, []),
                (w.Locals.run, []),
                (w.Fanout.run, [10]),
            )
        ]
        for handle in handles:
            await handle.result()
    replayer = Replayer(workflows=w.WORKFLOWS, workflow_runner=UnsandboxedWorkflowRunner())
    for handle in handles:
        await replayer.replay_workflow(await handle.fetch_history())


@test
async def and_those_of_functions_in_the_database(client):
    replayer = Replayer(
        workflows=[w.Flow, w.LocalFlow], workflow_runner=UnsandboxedWorkflowRunner()
    )
    for workflow, result in (("flow", "one"), ("local_flow", "at last")):
        handle = await client.start_workflow(workflow, id=name("sql"), task_queue="python")
        assert await handle.result() == result
        await replayer.replay_workflow(await handle.fetch_history())


async def main():
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"])
    assert await client.service_client.check_health()
    return await tap.main(client)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

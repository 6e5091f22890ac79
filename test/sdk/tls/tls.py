"""TLS: who may connect, and as whom."""

import asyncio
import os
import subprocess
import uuid
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode, TLSConfig
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

import tap
import temporalio.api.taskqueue.v1 as taskqueue
import temporalio.api.workflowservice.v1 as workflowservice
import workflows as w
from tap import test

FOLDER = Path(os.environ["TLS_FOLDER"])


def read(name):
    return (FOLDER / name).read_bytes()


def sql(*statements):
    commands = [word for statement in statements for word in ("-c", statement)]
    return subprocess.run(["psql", "-XAtq", *commands], check=True, capture_output=True, text=True).stdout.strip()


async def connect(name=None, key=None):
    tls = TLSConfig(
        server_root_ca_cert=read("ca.crt"),
        domain="localhost",
        client_cert=read(f"{name}.crt") if name else None,
        client_private_key=read(f"{name}.key") if name else None,
    )
    return await Client.connect(os.environ["TEMPORAL_ADDRESS"], tls=tls, api_key=key)


async def raises(kind, awaitable):
    try:
        await awaitable
    except kind as error:
        return error
    raise AssertionError(f"{kind} was not raised")


async def start(client):
    return await client.start_workflow("T", id=str(uuid.uuid4()), task_queue="tls")


@test
async def a_worker_connects_with_a_certificate():
    for _ in range(100):
        try:
            client = await connect("admin")
            break
        except RuntimeError:
            await asyncio.sleep(0.1)
    queue = str(uuid.uuid4())
    async with Worker(
        client, task_queue=queue, workflows=w.WORKFLOWS, activities=w.ACTIVITIES,
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        result = await client.execute_workflow(w.Fanout.run, 20, id=queue, task_queue=queue)
    assert result == 20


@test
async def the_name_in_the_certificate_is_the_role():
    handle = await start(await connect("admin"))
    viewer = await connect("viewer")
    assert (await viewer.get_workflow_handle(handle.id).describe()).id == handle.id
    error = await raises(RPCError, start(viewer))
    assert error.status == RPCStatusCode.PERMISSION_DENIED, error
    assert error.grpc_status.details[0].type_url.endswith("PermissionDeniedFailure")


@test
async def a_worker_needs_no_other_right():
    admin, worker = await connect("admin"), await connect("worker")
    async with Worker(
        worker, task_queue="tls-orders", workflows=w.WORKFLOWS, activities=w.ACTIVITIES,
        workflow_runner=UnsandboxedWorkflowRunner(), max_cached_workflows=0,
    ):
        result = await admin.execute_workflow(
            w.Chain.run, 3, id=str(uuid.uuid4()), task_queue="tls-orders"
        )
    assert len(result) == 3
    error = await raises(RPCError, start(worker))
    assert error.status == RPCStatusCode.PERMISSION_DENIED, error


@test
async def a_name_that_is_no_role_may_nothing():
    error = await raises(RuntimeError, connect("nobody"))
    assert "unauthorized" in str(error), error


@test
async def without_a_certificate_nobody_connects():
    await raises(RuntimeError, connect())
    await raises(RuntimeError, connect("stranger"))
    await raises(RuntimeError, Client.connect(os.environ["TEMPORAL_ADDRESS"]))


@test
async def large_messages_pass():
    client = await connect("admin")
    text = "x" * 1500000
    handle = await client.start_workflow("T", text, id=str(uuid.uuid4()), task_queue="tls")
    history = await handle.fetch_history()
    payloads = history.events[0].workflow_execution_started_event_attributes.input.payloads
    assert len(payloads[0].data) == len(text) + 2


@test
async def a_key_does_instead_of_a_certificate():
    viewer_key = os.environ["VIEWER_KEY"]
    handle = await start(await connect("admin"))
    sql("ALTER SYSTEM SET temporal.grpc_api_keys = on", "SELECT pg_reload_conf()")
    for _ in range(100):
        try:
            client = await connect(key=viewer_key)
            break
        except RuntimeError:
            await asyncio.sleep(0.1)
    assert (await client.get_workflow_handle(handle.id).describe()).id == handle.id
    error = await raises(RPCError, start(client))
    assert error.status == RPCStatusCode.PERMISSION_DENIED, error
    # The key counts, not the certificate.
    error = await raises(RPCError, start(await connect("admin", key=viewer_key)))
    assert error.status == RPCStatusCode.PERMISSION_DENIED, error
    assert await start(await connect("admin"))
    await raises(RuntimeError, connect("stranger"))
    for key in (None, "temporal_1", viewer_key + "0", viewer_key[:-1], "\u00fc", os.environ["OLD_KEY"]):
        error = await raises(RuntimeError, connect(key=key))
        assert "unauthorized" in str(error) or "header" in str(error), (key, error)
    key_id = sql("SELECT key_id FROM temporal.api_keys() WHERE description = 'a test' ORDER BY created_at DESC LIMIT 1")
    assert sql(f"SELECT temporal.revoke_api_key('{key_id}')") == "t"
    error = await raises(RPCError, client.get_workflow_handle(handle.id).describe())
    assert error.status == RPCStatusCode.PERMISSION_DENIED, error


async def parked_poll(client, queue):
    """A poll of workflow tasks that has begun to wait, under an identity of its own."""
    identity = str(uuid.uuid4())
    request = workflowservice.PollWorkflowTaskQueueRequest(
        namespace="default", identity=identity, task_queue=taskqueue.TaskQueue(name=queue)
    )
    poll = asyncio.create_task(client.workflow_service.poll_workflow_task_queue(request))
    while sql(f"SELECT count(*) FROM temporal.stat_pollers() WHERE identity = '{identity}'") == "0":
        assert not poll.done(), poll
        await asyncio.sleep(0.05)
    return poll


@test
async def a_key_that_is_revoked_gets_no_task_that_it_waits_for():
    queue = str(uuid.uuid4())
    admin = await connect("admin")
    keys = [sql(f"SELECT temporal.create_api_key('{os.environ['ADMIN_ROLE']}', '{queue}-{n}')") for n in (1, 2)]
    revoked, other = [await parked_poll(await connect(key=key), queue) for key in keys]
    key_id = sql(f"SELECT key_id FROM temporal.api_keys() WHERE description = '{queue}-1'")
    sql(f"SELECT temporal.revoke_api_key('{key_id}')")
    run_id = (await admin.start_workflow("T", id=queue, task_queue=queue)).first_execution_run_id
    error = await raises(RPCError, revoked)
    assert error.status == RPCStatusCode.PERMISSION_DENIED, error
    # The task goes to who has waited behind it.
    assert (await other).workflow_execution.run_id == run_id


if __name__ == "__main__":
    # Connections of the SDK that are still being made must not outlive Python.
    os._exit(asyncio.run(tap.main()))

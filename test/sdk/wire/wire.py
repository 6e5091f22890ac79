"""HTTP/2 and gRPC, frame by frame: what is right is answered, the rest is refused."""

import asyncio
import base64
import gzip
import random
import re
import resource
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid

from temporalio.api.workflowservice import v1 as workflowservice
from temporalio.api.common.v1 import GrpcStatus as Status
from temporalio.api.enums.v1.command_type_pb2 import COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK
from temporalio.api.enums.v1.event_type_pb2 import EventType
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeNamespaceResponse,
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    DescribeWorkflowExecutionRequest,
    GetSystemInfoResponse,
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    PollActivityTaskQueueRequest,
    PollActivityTaskQueueResponse,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    RespondActivityTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
)


import tap
from http2 import PREFACE, WORKFLOW, Client, address, frame, raw, raw_frame
from tap import test

INFO = WORKFLOW + "GetSystemInfo"
HEALTH = "/grpc.health.v1.Health/"
RUN = uuid.uuid4()


def own(name):
    return f"{RUN}-{name}"


def server_is_well():
    with Client() as client:
        assert client.call(INFO).status == 0


def namespace(name="default"):
    return DescribeNamespaceRequest(namespace=name).SerializeToString()


def poll(queue, kind=PollWorkflowTaskQueueRequest):
    return kind(namespace="default", task_queue=TaskQueue(name=own(queue)), identity="me").SerializeToString()


def start(queue, workflow_id, data=b"x"):
    request = StartWorkflowExecutionRequest(
        namespace="default", workflow_id=own(workflow_id), request_id=own(workflow_id)
    )
    request.workflow_type.name = "T"
    request.task_queue.name = own(queue)
    request.input.payloads.add().data = data
    return request.SerializeToString()


@test
def a_call_has_headers_message_and_trailers():
    with Client() as client:
        answer = client.call(INFO)
    assert answer.headers == {":status": "200", "content-type": "application/grpc"}
    assert answer.trailers == {"grpc-status": "0"}
    compressed, length = struct.unpack(">BI", answer.body[:5])
    assert compressed == 0 and length == len(answer.body) - 5
    assert GetSystemInfoResponse.FromString(answer.body[5:]).server_version


@test
def an_error_is_a_status_without_a_message():
    with Client() as client:
        answer = client.call(WORKFLOW + "DescribeNamespace", namespace("no such\n\u00fc"))
    assert answer.headers[":status"] == "200" and answer.body == b"" and answer.status == 5
    assert answer.message == "Namespace no such%0A%C3%BC is not found."
    encoded = answer.headers["grpc-status-details-bin"]
    status = Status.FromString(base64.b64decode(encoded + "=" * (-len(encoded) % 4)))
    assert status.code == 5 and status.message == "Namespace no such\n\u00fc is not found."
    detail = NamespaceNotFoundFailure()
    assert status.details[0].Unpack(detail) and detail.namespace == "no such\n\u00fc"


@test
def many_calls_share_a_connection():
    with Client() as client:
        streams = [client.start(INFO) for _ in range(90)]
        for stream in reversed(streams):
            client.send(stream, frame(b""))
        assert all(client.wait(stream).status == 0 for stream in streams)


@test
def a_message_may_come_byte_by_byte():
    with Client() as client:
        stream = client.start(WORKFLOW + "DescribeNamespace")
        for byte in frame(namespace()):
            client.send(stream, bytes([byte]), end=False)
        client.send(stream, b"")
        assert client.wait(stream).status == 0


@test
def compressed_messages_are_inflated():
    with Client() as client:
        for flag, data in ((1, gzip.compress(namespace())), (0, namespace())):
            answer = client.call(
                WORKFLOW + "DescribeNamespace", body=frame(data, flag), headers=[("grpc-encoding", "gzip")]
            )
            assert DescribeNamespaceResponse.FromString(answer.body[5:]).namespace_info.name == "default"


@test
def other_compressions_are_refused():
    with Client() as client:
        answer = client.call(INFO, headers=[("grpc-encoding", "snappy")])
        assert answer.status == 12
        assert answer.message == 'grpc: Decompressor is not installed for grpc-encoding "snappy"'
        assert answer.headers["grpc-accept-encoding"] == "identity,gzip"
        assert client.call(INFO, body=frame(b"x", 1)).status == 13
        answer = client.call(INFO, body=frame(b"not gzip", 1), headers=[("grpc-encoding", "gzip")])
        assert answer.status == 13
        cut = gzip.compress(namespace())[:-9]
        answer = client.call(INFO, body=frame(cut, 1), headers=[("grpc-encoding", "gzip")])
        assert answer.status == 13


@test
def large_messages_pass_and_too_large_ones_do_not():
    with Client() as client:
        message = start("wire", "large", b"x" * (2 * 1024 * 1024 - 100))
        assert client.call(WORKFLOW + "StartWorkflowExecution", message).status == 0
        answer = client.call(WORKFLOW + "StartWorkflowExecution", b"x" * (4 * 1024 * 1024 + 1))
        assert answer.status == 8
        assert answer.message.startswith("grpc: received message larger than max")
        bomb = gzip.compress(b"\0" * (64 * 1024 * 1024))
        answer = client.call(INFO, body=frame(bomb, 1), headers=[("grpc-encoding", "gzip")])
        assert answer.status == 8
        assert answer.message.startswith("grpc: received message after decompression larger than max")
        assert client.call(INFO).status == 0


@test
def unknown_methods_and_services_say_so():
    with Client() as client:
        for path, message in (
            (WORKFLOW + "Nope", "unknown method Nope for service temporal.api.workflowservice.v1.WorkflowService"),
            (WORKFLOW + "ListSearchAttributes", "unknown method ListSearchAttributes for service temporal.api.workflowservice.v1.WorkflowService"),
            ("/temporal.api.testservice.v1.TestService/X", "unknown service temporal.api.testservice.v1.TestService"),
            (HEALTH + "Watch", "unknown method Watch for service grpc.health.v1.Health"),
            ("/nothing", 'malformed method name: "/nothing"'),
        ):
            answer = client.call(path)
            assert (answer.status, answer.message) == (12, message), answer.message


@test
def health_is_checked_by_service():
    with Client() as client:
        for name, status in ((b"", 0), (b"temporal.api.workflowservice.v1.WorkflowService", 0), (b"nope", 5)):
            answer = client.call(HEALTH + "Check", b"\x0a" + bytes([len(name)]) + name)
            assert answer.status == status
            assert status or answer.body[5:] == b"\x08\x01"


@test
def what_is_not_grpc_is_told_so_in_http():
    with Client() as client:
        assert client.call(INFO, **{"content-type": "application/json"}).headers[":status"] == "415"
        assert client.call(INFO, **{"content-type": "application/grpc-web"}).headers[":status"] == "415"
        assert client.call(INFO, **{":method": "GET"}).headers[":status"] == "405"
        assert client.call(INFO, **{"content-type": "application/grpc+proto"}).status == 0


@test
def broken_messages_are_refused_and_the_connection_stays():
    with Client() as client:
        for body in (b"", b"\0\0", frame(b"abc")[:-1], frame(b"") + frame(b""), frame(b"", 7)):
            assert client.call(INFO, body=body).status == 13, body
        for message in (b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x02\xff\xfe", b"\x0a\x01\x00", b"\x07"):
            for path in (WORKFLOW + "DescribeNamespace", HEALTH + "Check"):
                assert client.call(path, message).status == 3, (path, message)
        unknown = b"\xfa\x3f\x03abc" + b"\xf8\x3e\x01"
        assert client.call(WORKFLOW + "DescribeNamespace", namespace() + unknown).status == 0
        assert client.call(INFO).status == 0


@test
def timeouts_are_parsed():
    with Client() as client:
        for timeout in ("1H", "99999999S", "30000m", "00000010S"):
            assert client.call(INFO, headers=[("grpc-timeout", timeout)]).status == 0, timeout
        for timeout in ("", "1", "S", "1x", "123456789S", "-1S"):
            assert client.call(INFO, headers=[("grpc-timeout", timeout)]).status == 13, timeout


@test
def a_poll_waits_and_ends_empty_before_its_deadline():
    with Client() as client:
        began = time.time()
        answer = client.call(WORKFLOW + "PollWorkflowTaskQueue", poll("empty"), headers=[("grpc-timeout", "3S")])
        assert answer.status == 0 and answer.body == b"\0\0\0\0\0"
        assert 1 < time.time() - began < 3


@test
def a_poll_gets_what_is_started_later():
    with Client() as client:
        stream = client.start(WORKFLOW + "PollWorkflowTaskQueue", headers=[("grpc-timeout", "60S")])
        client.send(stream, frame(poll("later")))
        assert client.is_quiet(stream, 0.3)
        assert client.call(WORKFLOW + "StartWorkflowExecution", start("later", "later")).status == 0
        answer = client.wait(stream)
        task = PollWorkflowTaskQueueResponse.FromString(answer.body[5:])
        assert task.workflow_execution.workflow_id == own("later") and len(task.history.events) == 3


@test
def a_poll_that_was_reset_gets_nothing():
    with Client() as client:
        gone = client.start(WORKFLOW + "PollWorkflowTaskQueue", headers=[("grpc-timeout", "60S")])
        client.send(gone, frame(poll("reset")))
        assert client.is_quiet(gone, 0.3)
        client.h2.reset_stream(gone, 8)
        stays = client.start(WORKFLOW + "PollWorkflowTaskQueue", headers=[("grpc-timeout", "60S")])
        client.send(stays, frame(poll("reset")))
        assert client.call(WORKFLOW + "StartWorkflowExecution", start("reset", "reset")).status == 0
        task = PollWorkflowTaskQueueResponse.FromString(client.wait(stays).body[5:])
        assert task.workflow_execution.workflow_id == own("reset")


@test
def tasks_go_to_as_many_polls_as_there_are():
    with Client() as client, Client() as starter:
        polls = []
        for _ in range(20):
            stream = client.start(WORKFLOW + "PollWorkflowTaskQueue", headers=[("grpc-timeout", "60S")])
            client.send(stream, frame(poll("many")))
            polls.append(stream)
        assert client.is_quiet(stream, 0.3)
        for i in range(20):
            starter.call(WORKFLOW + "StartWorkflowExecution", start("many", f"many-{i}"))
        ids = {
            PollWorkflowTaskQueueResponse.FromString(client.wait(s).body[5:]).workflow_execution.workflow_id
            for s in polls
        }
        assert ids == {own(f"many-{i}") for i in range(20)}


@test
def a_stream_may_be_reset_at_every_point():
    with Client() as client:
        for point in range(6):
            stream = client.start(WORKFLOW + "DescribeNamespace")
            body = frame(namespace())
            if point:
                client.send(stream, body[: point * 4], end=point == 5)
            client.h2.reset_stream(stream, 8)
            client.flush()
        assert client.call(INFO).status == 0


@test
def thousands_of_calls_may_be_given_up():
    with Client() as client:
        stays = waiting_poll(client, "given-up")
        for _ in range(30):
            for _ in range(100):
                stream = client.start(WORKFLOW + "PollWorkflowTaskQueue", headers=[("grpc-timeout", "60S")])
                client.send(stream, frame(poll("nobody-waits")))
                client.h2.reset_stream(stream, 8)
            client.flush()
            assert client.call(INFO).status == 0
        assert client.call(WORKFLOW + "StartWorkflowExecution", start("given-up", "given-up")).status == 0
        assert task_of(client, stays).workflow_execution.workflow_id == own("given-up")


@test
def garbage_closes_the_connection():
    with Client() as witness:
        rng = random.Random(7)
        for data in (
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"\x16\x03\x01\x02\x00" + rng.randbytes(512),
            PREFACE + rng.randbytes(4096),
            PREFACE + raw_frame(4, 0, 1, b""),
            PREFACE + raw_frame(4, 0, 0, b"") + raw_frame(1, 4, 1, rng.randbytes(64)),
            PREFACE + raw_frame(4, 0, 0, b"") + raw_frame(0, 0, 7, b"x" * 20),
            PREFACE + raw_frame(4, 0, 0, b"") + raw_frame(9, 4, 1, b"x"),
            PREFACE + raw_frame(4, 0, 0, b"") + b"\xff\xff\xff" + b"\0" * 6,
        ):
            raw(data)
            assert witness.call(INFO).status == 0


@test
def random_frames_do_no_harm():
    rng = random.Random(42)
    for _ in range(150):
        data = PREFACE + raw_frame(4, 0, 0, b"")
        for _ in range(20):
            data += raw_frame(rng.randrange(12), rng.randrange(256), rng.choice([0, 1, 1, 3, 5]), rng.randbytes(rng.randrange(40)))
        with socket.create_connection(address(), timeout=30) as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except ConnectionResetError:
                pass
    server_is_well()


@test
def random_requests_do_no_harm():
    rng = random.Random(43)
    with Client() as client:
        for i in range(600):
            valid = start("random", f"random-{i}")
            position = rng.randrange(len(valid))
            message = valid[:position] + rng.randbytes(rng.randrange(4)) + valid[position + rng.randrange(4) :]
            answer = client.call(WORKFLOW + "StartWorkflowExecution", message)
            assert answer.status in (0, 3, 5, 6), (answer.status, answer.message)


@test
def garbage_is_refused_by_every_method():
    rng = random.Random(44)
    methods = [name.removesuffix("Request") for name in dir(workflowservice) if name.endswith("Request")]
    assert len(methods) > 80
    with Client() as client:
        for method in methods:
            for size in (7, 60, 3000):
                answer = client.call(WORKFLOW + method, rng.randbytes(size))
                assert answer.status in (3, 12), (method, answer.status, answer.message)
        assert client.call(INFO).status == 0


@test
def values_that_nobody_knows_are_no_internal_errors():
    with Client() as client:
        for number, field in enumerate(
            ("workflow_id_reuse_policy", "workflow_id_conflict_policy", "task_queue.kind", "priority.priority_key")
        ):
            request = StartWorkflowExecutionRequest.FromString(start("values", f"values-{number}"))
            owner = request
            for name in field.split(".")[:-1]:
                owner = getattr(owner, name)
            setattr(owner, field.split(".")[-1], 77)
            message = request.SerializeToString() + b"\xfa\x3f\x03abc"
            answer = client.call(WORKFLOW + "StartWorkflowExecution", message)
            assert answer.status in (0, 3), (field, answer.status, answer.message)


def query(sql):
    return subprocess.run(["psql", "-qXAtc", sql], check=True, capture_output=True, text=True).stdout.strip()


def connections():
    return int(query("SELECT connections FROM temporal.stat_frontend()"))


def memory():
    """Private memory of the frontend in kB."""
    with open(f"/proc/{query('SELECT pid FROM temporal.stat_frontend()')}/status") as status:
        return int(next(line for line in status if line.startswith("RssAnon")).split()[1])


def becomes(condition, seconds=30):
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline
        time.sleep(0.05)


@test
def a_client_that_does_not_read_slows_nobody():
    with Client() as deaf, Client() as witness:
        assert deaf.call(WORKFLOW + "StartWorkflowExecution", start("deaf", "deaf", b"x" * 1900000)).status == 0
        request = GetWorkflowExecutionHistoryRequest(namespace="default")
        request.execution.workflow_id = own("deaf")
        deaf.h2.increment_flow_control_window(2**30)
        for _ in range(40):
            stream = deaf.start(WORKFLOW + "GetWorkflowExecutionHistory")
            deaf.h2.increment_flow_control_window(2**30, stream)
            deaf.send(stream, frame(request.SerializeToString()))
        began = time.time()
        for _ in range(20):
            assert witness.call(INFO).status == 0
        assert time.time() - began < 20
        # Its connection is closed in the end; the answer to the last ping waits to be read.
        while connections() > 1:
            assert witness.call(INFO).status == 0
            assert time.time() - began < 60
            time.sleep(0.1)


@test
def a_stream_may_be_reset_while_its_answer_is_on_its_way():
    with Client() as client:
        assert client.call(WORKFLOW + "StartWorkflowExecution", start("cut", "cut", b"x" * 1900000)).status == 0
        request = GetWorkflowExecutionHistoryRequest(namespace="default")
        request.execution.workflow_id = own("cut")
        for _ in range(20):
            stream = client.start(WORKFLOW + "GetWorkflowExecutionHistory")
            client.send(stream, frame(request.SerializeToString()))
            while not client.answers[stream].body:
                client.receive()
            client.h2.reset_stream(stream, 8)
            client.flush()
        assert client.call(INFO).status == 0


def rates(client, queue):
    request = DescribeTaskQueueRequest(
        namespace="default", task_queue=TaskQueue(name=own(queue)), task_queue_type=1, report_stats=True
    )
    stats = DescribeTaskQueueResponse.FromString(
        client.call(WORKFLOW + "DescribeTaskQueue", request.SerializeToString()).body[5:]
    ).stats
    return stats.approximate_backlog_count, stats.tasks_add_rate, stats.tasks_dispatch_rate


@test
def tasks_that_come_and_go_are_counted():
    with Client() as client:
        assert rates(client, "rates") == (0, 0, 0)
        for number in range(3):
            assert client.call(WORKFLOW + "StartWorkflowExecution", start("rates", f"rates-{number}")).status == 0
        backlog, added, taken = rates(client, "rates")
        assert backlog == 3 and added > 0 and taken == 0, (added, taken)
        assert client.call(WORKFLOW + "PollWorkflowTaskQueue", poll("rates")).status == 0
        backlog, added, taken = rates(client, "rates")
        assert backlog == 2 and added > taken > 0, (added, taken)
        # One that is handed over without waiting counts as well.
        waiting = client.start(WORKFLOW + "PollWorkflowTaskQueue")
        client.send(waiting, frame(poll("rates-handed")))
        assert client.is_quiet(waiting, 0.2)
        assert client.call(WORKFLOW + "StartWorkflowExecution", start("rates-handed", "rates-handed")).status == 0
        assert client.wait(waiting).status == 0
        backlog, added, taken = rates(client, "rates-handed")
        assert backlog == 0 and added == taken > 0, (added, taken)


def greet():
    """A connection that has said what it must and no more."""
    connection = socket.create_connection(address(), timeout=30)
    connection.sendall(PREFACE + raw_frame(4, 0, 0, b""))
    return connection


@test
def idle_connections_cost_little():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(10000, hard // 2 - 200)
    peaks = []
    # Memory that is free lies between what is not, so it grows for some rounds.
    for _ in range(4):
        idle = [greet() for _ in range(count)]
        becomes(lambda: connections() >= count)
        with Client() as client:
            began = time.time()
            for _ in range(100):
                assert client.call(INFO).status == 0
            assert time.time() - began < 10
        peaks.append(memory())
        for connection in idle:
            connection.close()
        becomes(lambda: connections() < 10)
    print(f"# {count} connections, kB: {peaks}")
    assert max(peaks) < 40 * count + 50000 and peaks[3] < peaks[1] * 1.4, peaks
    server_is_well()


@test
def who_is_silent_is_asked_and_then_closed():
    query("ALTER SYSTEM SET temporal.grpc_keepalive_time = '2s'")
    query("SELECT pg_reload_conf()")
    silent = socket.create_connection(address(), timeout=30)
    client = Client()
    client.call(INFO)
    began = time.time()
    while not client.closed:
        data = client.socket.recv(65536)  # and no answer to a PING
        client.closed = not data
    assert 2 < time.time() - began < 30
    assert silent.recv(65536) and not silent.recv(65536)
    query("ALTER SYSTEM RESET temporal.grpc_keepalive_time")
    query("SELECT pg_reload_conf()")


@test
def a_deadline_that_has_passed_is_an_answer():
    with Client() as client:
        stream = client.start(INFO, headers=[("grpc-timeout", "1m")])
        time.sleep(0.05)
        client.send(stream, frame(b""))
        assert client.wait(stream).status == 4


def started_poll(client, queue, method="PollWorkflowTaskQueue", kind=PollWorkflowTaskQueueRequest):
    stream = client.start(WORKFLOW + method, headers=[("grpc-timeout", "60S")])
    client.send(stream, frame(poll(queue, kind)))
    return stream


def waiting_poll(client, queue, method="PollWorkflowTaskQueue", kind=PollWorkflowTaskQueueRequest):
    stream = started_poll(client, queue, method, kind)
    assert client.is_quiet(stream, 0.3)
    return stream


def task_of(client, stream, kind=PollWorkflowTaskQueueResponse):
    task = kind.FromString(client.wait(stream).body[5:])
    assert task.task_token
    return task


def respond(client, method, request, task):
    request.namespace = "default"
    request.task_token = task.task_token
    answer = client.call(WORKFLOW + method, request.SerializeToString())
    assert answer.status == 0, answer.message


def schedule_activity(queue):
    request = RespondWorkflowTaskCompletedRequest()
    command = request.commands.add(command_type=COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK)
    attributes = command.schedule_activity_task_command_attributes
    attributes.activity_id = "a"
    attributes.activity_type.name = "A"
    attributes.task_queue.name = own(queue)
    attributes.start_to_close_timeout.FromSeconds(60)
    return request


def history(client, workflow_id, client_name, **fields):
    """The types of the events, as a client of that name is told them."""
    request = GetWorkflowExecutionHistoryRequest(namespace="default", **fields)
    request.execution.workflow_id = own(workflow_id)
    answer = client.call(
        WORKFLOW + "GetWorkflowExecutionHistory", request.SerializeToString(), headers=[("client-name", client_name)]
    )
    assert answer.status == 0, answer.message
    events = GetWorkflowExecutionHistoryResponse.FromString(answer.body[5:]).history.events
    assert [event.event_id for event in events] == list(range(1, len(events) + 1))
    return [re.sub(".*WORKFLOW_(EXECUTION_)?", "", EventType.Name(event.event_type)) for event in events]


@test
def sdks_see_the_attempt_of_a_workflow_task_that_is_not_stored():
    stored = ["STARTED", "TASK_SCHEDULED", "TASK_STARTED", "TASK_FAILED"]
    with Client() as client:
        assert client.call(WORKFLOW + "StartWorkflowExecution", start("again", "again")).status == 0
        task = task_of(client, started_poll(client, "again"))
        respond(client, "RespondWorkflowTaskFailed", RespondWorkflowTaskFailedRequest(), task)
        assert history(client, "again", "temporal-go") == stored + ["TASK_SCHEDULED"]
        task = task_of(client, started_poll(client, "again"))
        assert history(client, "again", "temporal-go") == stored + ["TASK_SCHEDULED", "TASK_STARTED"]
        assert history(client, "again", "temporal-go", wait_new_event=True) == stored
        for display in ("temporal-cli", "temporal-ui"):
            assert history(client, "again", display) == stored
        respond(client, "RespondWorkflowTaskCompleted", RespondWorkflowTaskCompletedRequest(), task)
        for reader in ("temporal-go", "temporal-cli"):
            assert history(client, "again", reader) == stored + ["TASK_SCHEDULED", "TASK_STARTED", "TASK_COMPLETED"]


def three_activities(client, queue):
    """A workflow task, and the answer to it that schedules the activities a, b and c."""
    assert client.call(WORKFLOW + "StartWorkflowExecution", start(queue, queue)).status == 0
    task = PollWorkflowTaskQueueResponse.FromString(
        client.call(WORKFLOW + "PollWorkflowTaskQueue", poll(queue)).body[5:]
    )
    request = RespondWorkflowTaskCompletedRequest()
    for name in "abc":
        request.commands.append(schedule_activity(queue).commands[0])
        request.commands[-1].schedule_activity_task_command_attributes.activity_id = name
    return task, request


def limited_poll(queue):
    limited = PollActivityTaskQueueRequest.FromString(poll(queue, PollActivityTaskQueueRequest))
    limited.task_queue_metadata.max_tasks_per_second.value = 1
    return limited


@test
def a_limit_spreads_the_tasks_of_a_queue():
    with Client() as client:
        task, request = three_activities(client, "limited")
        limited = limited_poll("limited")
        polls = []
        for _ in range(3):
            polls.append(client.start(WORKFLOW + "PollActivityTaskQueue", headers=[("grpc-timeout", "60S")]))
            client.send(polls[-1], frame(limited.SerializeToString()))
        assert client.is_quiet(polls[0], 0.3)
        began = time.time()
        respond(client, "RespondWorkflowTaskCompleted", request, task)
        names = {task_of(client, one, PollActivityTaskQueueResponse).activity_id for one in polls}
        assert names == set("abc"), names
        # The first one at once, and each of the others a second later.
        assert time.time() - began > 1.5


def looks():
    return int(query("SELECT sum(calls) FROM temporal.stat_rpc() WHERE method = 'PollActivityTaskQueue'"))


@test
def a_limit_lets_look_only_who_may_get_a_task():
    with Client() as client:
        task, request = three_activities(client, "rare")
        respond(client, "RespondWorkflowTaskCompleted", request, task)
        limited = limited_poll("rare")
        before = looks()
        polls = []
        for _ in range(40):
            polls.append(client.start(WORKFLOW + "PollActivityTaskQueue", headers=[("grpc-timeout", "60S")]))
            client.send(polls[-1], frame(limited.SerializeToString()))
        # The first has spent what there is; the limit keeps the others from two tasks.
        taken = f"FROM temporal.pending_activities WHERE task_queue = '{own('rare')}' AND state = 'Started'"
        becomes(lambda: query(f"SELECT count(*) {taken}") == "3")
        assert looks() - before < len(polls) + 20, looks() - before


def hold(statement):
    """A session that has executed this in a transaction."""
    holder = subprocess.Popen(
        ["psql", "-qXAt", "-v", "ON_ERROR_STOP=1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    holder.stdin.write(f"BEGIN; {statement};\n\\echo held\n")
    holder.stdin.flush()
    while holder.stdout.readline() != "held\n":
        pass
    return holder


@test
def who_waits_gets_tasks_that_were_never_offered():
    with Client() as client:
        first = waiting_poll(client, "handed")
        second = waiting_poll(client, "handed")
        activity = waiting_poll(client, "handed", "PollActivityTaskQueue", PollActivityTaskQueueRequest)
        holder = hold("LOCK TABLE temporal.task IN SHARE MODE")
        assert client.call(WORKFLOW + "StartWorkflowExecution", start("handed", "handed")).status == 0
        task = task_of(client, first)
        assert len(task.history.events) == 3
        respond(client, "RespondWorkflowTaskCompleted", schedule_activity("handed"), task)
        work = task_of(client, activity, PollActivityTaskQueueResponse)
        assert work.activity_id == "a" and work.attempt == 1
        respond(client, "RespondActivityTaskCompleted", RespondActivityTaskCompletedRequest(), work)
        task = task_of(client, second)
        assert [event.event_type for event in task.history.events][5:] == [11, 12, 5, 6]
        assert task.previous_started_event_id == 3 and task.started_event_id == 9
        holder.communicate("COMMIT;\n")


@test
def a_task_that_was_rolled_back_is_handed_over_later():
    with Client() as client:
        waiting = waiting_poll(client, "undone")
        holder = hold("LOCK TABLE temporal.timer IN SHARE MODE")
        started = client.start(WORKFLOW + "StartWorkflowExecution")
        client.send(started, frame(start("undone", "undone")))
        assert client.is_quiet(started, 0.5) and client.is_quiet(waiting, 0.1)
        holder.communicate("COMMIT;\n")
        assert client.wait(started).status == 0
        assert task_of(client, waiting).workflow_execution.workflow_id == own("undone")


@test
def a_call_that_meets_a_lock_waits_and_delays_nobody():
    with Client() as client:
        assert client.call(WORKFLOW + "StartWorkflowExecution", start("locked", "locked")).status == 0
        holder = hold(f"SELECT temporal.signal_workflow('{own('locked')}', 'first')")
        request = SignalWorkflowExecutionRequest(namespace="default", signal_name="second")
        request.workflow_execution.workflow_id = own("locked")
        waiting = client.start(WORKFLOW + "SignalWorkflowExecution")
        client.send(waiting, frame(request.SerializeToString()))
        for _ in range(20):
            assert client.call(WORKFLOW + "DescribeNamespace", namespace()).status == 0
        assert client.is_quiet(waiting, 0.5)
        # Whoever does not wait any longer changes nothing.
        gone = client.start(WORKFLOW + "SignalWorkflowExecution")
        client.send(gone, frame(request.SerializeToString()))
        assert client.is_quiet(gone, 0.1)
        client.h2.reset_stream(gone, 8)
        # Whoever has no time to wait hears that it did not work.
        late = client.start(WORKFLOW + "SignalWorkflowExecution", headers=[("grpc-timeout", "300m")])
        client.send(late, frame(request.SerializeToString()))
        assert client.wait(late).status == 14
        holder.communicate("COMMIT;\n")
        assert client.wait(waiting).status == 0


def signal(number, types):
    """Sends a signal to the server's processes of these types."""
    subprocess.run(
        ["psql", "-qXc", f"COPY (SELECT pid FROM pg_stat_activity WHERE backend_type IN ({types}))"
         f" TO PROGRAM 'xargs kill -{number}'"],
        capture_output=True,
    )


def crash_server():
    """One process is killed, so the server starts anew."""
    signal(9, "'temporal keeper'")


@test
def answers_wait_for_the_disk():
    flushing = "'temporal flusher', 'temporal keeper', 'walwriter', 'checkpointer'"
    with Client() as client:
        client.call(INFO)
        signal("STOP", flushing)
        try:
            client.corked = True
            streams = []
            for i in range(16):
                streams.append(client.start(WORKFLOW + "StartWorkflowExecution"))
                client.send(streams[-1], frame(start("disk", f"disk-{i}")))
            client.corked = False
            client.flush()
            assert client.is_quiet(streams[0], 1)
        finally:
            signal("CONT", flushing)
        assert all(client.wait(stream).status == 0 for stream in streams)


def start_until_crash(prefix):
    """Starts workflows, many at a time, and returns those that were answered."""
    answered = []
    with Client() as client:
        streams = {}
        try:
            for i in range(20000):
                name = f"{prefix}-{i}"
                stream = client.start(WORKFLOW + "StartWorkflowExecution")
                client.send(stream, frame(start("crash", name)))
                streams[stream] = name
                client.corked = i % 16 != 15
                while len(streams) >= 64:
                    client.corked = False
                    client.flush()
                    client.receive()
                    for done in [s for s in streams if client.answers[s].ended]:
                        name = streams.pop(done)
                        if client.answers[done].status == 0:
                            answered.append(name)
                    if client.closed:
                        return answered
                if i == 300:
                    threading.Thread(target=crash_server).start()
        except OSError:
            pass
    return answered


def reconnect():
    for _ in range(300):
        try:
            client = Client()
            if client.call(INFO).status == 0:
                return client
        except (OSError, AssertionError):
            pass
        time.sleep(0.1)
    raise AssertionError("the server does not come back")


@test
def a_frontend_that_is_ended_says_so_to_all_that_wait():
    with Client() as first, Client() as second:
        polls = []
        for client in (first, second):
            for number in range(20):
                stream = client.start(WORKFLOW + "PollWorkflowTaskQueue", headers=[("grpc-timeout", "60S")])
                client.send(stream, frame(poll(f"ended-{number % 7}")))
                polls.append((client, stream))
            assert client.is_quiet(stream, 0.3)
        query("SELECT pg_terminate_backend(pid) FROM temporal.stat_frontend()")
        for client, stream in polls:
            answer = client.wait(stream)
            assert answer.status == 14 or answer.status == 0 and answer.body == bytes(5)
        while not (first.goaway and second.goaway):
            (second if first.goaway else first).receive()
    reconnect().socket.close()


def set_frontends(count):
    query(f"ALTER SYSTEM SET temporal.frontends = {count}")
    query("SELECT pg_reload_conf()")
    becomes(lambda: query("SELECT count(*) FROM temporal.stat_frontend()") == str(count))


def poll_from_many(queues):
    """A poll each, on a connection of its own."""
    polls = []
    for queue in queues:
        client = Client()
        stream = client.start(WORKFLOW + "PollWorkflowTaskQueue", headers=[("grpc-timeout", "60S")])
        client.send(stream, frame(poll(queue)))
        polls.append((client, stream))
    becomes(lambda: int(query("SELECT sum(parked_calls) FROM temporal.stat_frontend()")) >= len(polls))
    return polls


@test
def frontends_share_the_port_and_wake_each_other():
    set_frontends(3)
    # The second and third wait until the first listens.
    while True:
        clients = [Client() for _ in range(60)]
        spread = query("SELECT min(connections) FROM temporal.stat_frontend()")
        for client in clients:
            client.socket.close()
        if int(spread) > 0:
            break
    with Client() as starter:
        for name, queues in (("own", [f"share-{i}" for i in range(40)]), ("one", ["share"] * 40)):
            polls = poll_from_many(queues)
            began = time.time()
            for number, queue in enumerate(queues):
                answer = starter.call(WORKFLOW + "StartWorkflowExecution", start(queue, f"{name}-{number}"))
                assert answer.status == 0
            ids = set()
            for client, stream in polls:
                answer = client.wait(stream)
                ids.add(PollWorkflowTaskQueueResponse.FromString(answer.body[5:]).workflow_execution.workflow_id)
                client.socket.close()
            assert ids == {own(f"{name}-{number}") for number in range(40)}
            assert time.time() - began < 20
    set_frontends(1)
    server_is_well()
    query("ALTER SYSTEM RESET temporal.frontends")


@test
def what_was_answered_survives_a_crash():
    for round in range(3):
        answered = start_until_crash(f"crash-{round}")
        assert len(answered) > 250, len(answered)
        with reconnect() as client:
            for name in answered:
                request = DescribeWorkflowExecutionRequest(namespace="default")
                request.execution.workflow_id = own(name)
                answer = client.call(WORKFLOW + "DescribeWorkflowExecution", request.SerializeToString())
                assert answer.status == 0, (name, len(answered), answer.message)


@test
def two_kinds_of_poll_on_one_queue_do_not_mix():
    with Client() as client:
        activity = client.start(WORKFLOW + "PollActivityTaskQueue", headers=[("grpc-timeout", "3S")])
        client.send(activity, frame(poll("mixed", PollActivityTaskQueueRequest)))
        workflow = client.start(WORKFLOW + "PollWorkflowTaskQueue", headers=[("grpc-timeout", "60S")])
        client.send(workflow, frame(poll("mixed")))
        assert client.call(WORKFLOW + "StartWorkflowExecution", start("mixed", "mixed")).status == 0
        assert len(client.wait(workflow).body) > 5
        assert client.wait(activity).body == b"\0\0\0\0\0"


if __name__ == "__main__":
    sys.exit(asyncio.run(tap.main()))

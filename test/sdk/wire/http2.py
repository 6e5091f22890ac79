"""A gRPC client that shows every frame, and can be told to misbehave."""

import os
import socket
import struct
import time

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2 import events

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WORKFLOW = "/temporal.api.workflowservice.v1.WorkflowService/"


def address():
    host, port = os.environ["TEMPORAL_ADDRESS"].rsplit(":", 1)
    return host, int(port)


def frame(message, compressed=0):
    return struct.pack(">BI", compressed, len(message)) + message


def raw_frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class Answer:
    """What one stream has got."""

    def __init__(self):
        self.headers = {}
        self.trailers = {}
        self.body = b""
        self.ended = False
        self.reset = None

    @property
    def status(self):
        text = self.trailers.get("grpc-status", self.headers.get("grpc-status"))
        return None if text is None else int(text)

    @property
    def message(self):
        return self.trailers.get("grpc-message", self.headers.get("grpc-message"))


class Client:
    def __init__(self, timeout=30):
        self.socket = socket.create_connection(address(), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.h2 = H2Connection(H2Configuration(header_encoding="utf-8", validate_outbound_headers=False))
        self.answers = {}
        self.closed = False
        self.corked = False  # what is said waits for the next flush()
        self.goaway = None
        self.h2.initiate_connection()
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        if self.corked:
            return
        self.socket.sendall(self.h2.data_to_send())

    def start(self, path, headers=(), end=False, **override):
        stream = self.h2.get_next_available_stream_id()
        fields = {
            ":method": "POST",
            ":scheme": "http",
            ":path": path,
            ":authority": "test",
            "te": "trailers",
            "content-type": "application/grpc",
            **override,
        }
        self.answers[stream] = Answer()
        self.h2.send_headers(stream, [*fields.items(), *headers], end_stream=end)
        self.flush()
        return stream

    def send(self, stream, data, end=True):
        """All of it, as the windows allow."""
        while data:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if room == 0:
                self.receive()
                continue
            self.h2.send_data(stream, data[:room])
            data = data[room:]
            self.flush()
        if end:
            self.h2.end_stream(stream)
            self.flush()

    def receive(self):
        data = self.socket.recv(65536)
        if not data:
            self.closed = True
            return
        for event in self.h2.receive_data(data):
            self.handle(event)
        self.flush()

    def handle(self, event):
        answer = self.answers.get(getattr(event, "stream_id", None))
        if isinstance(event, events.ResponseReceived):
            answer.headers = dict(event.headers)
        elif isinstance(event, events.TrailersReceived):
            answer.trailers = dict(event.headers)
        elif isinstance(event, events.DataReceived):
            answer.body += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, events.StreamEnded):
            answer.ended = True
        elif isinstance(event, events.StreamReset):
            answer.reset = event.error_code
            answer.ended = True
        elif isinstance(event, events.ConnectionTerminated):
            self.goaway = event

    def wait(self, stream):
        answer = self.answers[stream]
        while not answer.ended:
            self.receive()
            assert not self.closed or answer.ended, "the connection was closed"
        return answer

    def call(self, path, message=b"", headers=(), body=None, **override):
        stream = self.start(path, headers, **override)
        self.send(stream, frame(message) if body is None else body)
        return self.wait(stream)

    def is_quiet(self, stream, seconds):
        """True if the stream has no answer after that long."""
        deadline = time.time() + seconds
        while not self.answers[stream].ended and time.time() < deadline:
            self.socket.settimeout(max(deadline - time.time(), 0.001))
            try:
                self.receive()
            except socket.timeout:
                pass
        self.socket.settimeout(30)
        return not self.answers[stream].ended


def raw(data, timeout=30):
    """What the server says to these bytes until it closes the connection."""
    with socket.create_connection(address(), timeout=timeout) as connection:
        connection.sendall(data)
        answer = b""
        deadline = time.time() + timeout
        while time.time() < deadline:
            try:
                part = connection.recv(65536)
            except ConnectionResetError:
                return answer
            if not part:
                return answer
            answer += part
    raise AssertionError("the connection stays open")

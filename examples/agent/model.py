#!/usr/bin/env python3
"""Stands for the HTTP API of a language model, with its moods.

It gets a conversation and says which tool to use next, or what to answer the
customer.  No two answers are alike.  Of seven requests one is told to come
back later (429 with Retry-After) and one is never answered.

Each request is a line of the log: its number, its Idempotency-Key, what became
of it, and when.
"""

import argparse
import json
import random
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RETRY_AFTER = 2


def next_move(messages):
    """What a model that has read the conversation does: three tools, then an answer."""
    seen = [m["content"] for m in messages if m["role"] == "tool"]
    if len(seen) == 0:
        return {"tool": "look_up_order", "argument": int(re.search(r"order (\d+)", messages[0]["content"]).group(1))}
    if len(seen) == 1:
        return {"tool": "read_policy", "argument": "refunds"}
    if len(seen) == 2:
        return {"tool": "refund", "argument": round(seen[0]["price"] * random.uniform(0.2, 1), 2)}
    regret = random.choice(["We are sorry", "Please excuse us", "This should not have happened"])
    return {"content": "%s. The refund was %s." % (regret, seen[2])}


class Model(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port, log):
        super().__init__(("127.0.0.1", port), Handler)
        self.log = log
        self.lock = threading.Lock()
        self.requests = 0

    def enter(self, key):
        """Numbers a request, decides what becomes of it, and logs that."""
        with self.lock:
            self.requests += 1
            outcome = {3: "busy", 5: "hung"}.get(self.requests % 7, "answered")
            line = {"request": self.requests, "key": key, "outcome": outcome, "time": time.time()}
            print(json.dumps(line), file=self.log, flush=True)
            return self.requests, outcome


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        messages = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request, outcome = self.server.enter(self.headers["Idempotency-Key"])
        if outcome == "hung":
            time.sleep(60)
        elif outcome == "busy":
            self.answer(429, {}, {"Retry-After": str(RETRY_AFTER)})
        else:
            self.answer(200, {"role": "assistant", "request": request, **next_move(messages)})

    def answer(self, status, body, headers={}):
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--port", type=int, default=8089)
parser.add_argument("--log", type=argparse.FileType("a"), default="-")
options = parser.parse_args()
Model(options.port, options.log).serve_forever()

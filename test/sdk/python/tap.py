"""Test Anything Protocol: functions marked with @test, one point each."""

import asyncio
import inspect
import sys
import time
import traceback

_tests = []
TIMEOUT = 90
SLOW = 2


def test(function):
    _tests.append(function)
    return function


async def _run(function, *args):
    result = function(*args)
    if inspect.isawaitable(result):
        await asyncio.wait_for(result, TIMEOUT)


async def main(*args):
    """Runs all tests, or those that the command line names; the exit code."""
    wanted = [t for t in _tests if len(sys.argv) == 1 or t.__name__ in sys.argv[1:]]
    failed = 0
    print(f"1..{len(wanted)}")
    for number, function in enumerate(wanted, 1):
        name = function.__name__.replace("_", " ")
        began = time.monotonic()
        try:
            await _run(function, *args)
            print(f"ok {number} - {name}", flush=True)
        except BaseException:
            failed += 1
            print(f"not ok {number} - {name}", flush=True)
            for line in traceback.format_exc().splitlines():
                print(f"# {line}", file=sys.stderr, flush=True)
        if time.monotonic() - began > SLOW:
            print(f"# took {time.monotonic() - began:.1f} s", flush=True)
    return 1 if failed else 0

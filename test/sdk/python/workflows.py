"""Workflows and activities that the tests run."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy, SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError

SHORT = timedelta(seconds=20)
COLOUR = SearchAttributeKey.for_keyword("Colour")
seen = {}


@activity.defn
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@activity.defn
async def fail_until(attempt: int) -> int:
    if activity.info().attempt < attempt:
        raise ApplicationError("not yet", type="NotYet")
    return activity.info().attempt


@activity.defn
async def fail_for_good() -> None:
    raise ApplicationError("never", 42, type="Never", non_retryable=True)


@activity.defn
async def fail_with_nul_bytes() -> None:
    raise ApplicationError("a\0b", non_retryable=True)


@activity.defn
async def sleep_long() -> str:
    await asyncio.sleep(60)
    return "slept"


@activity.defn
async def heartbeat_until_cancelled() -> str:
    seen["beating"] = True
    try:
        while True:
            activity.heartbeat("beat")
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        seen["cancelled"] = True
        raise


@activity.defn
async def remember_heartbeat() -> str:
    details = activity.info().heartbeat_details
    if details:
        return details[0]
    activity.heartbeat("from the first attempt")
    raise ApplicationError("lost")


@activity.defn
async def complete_later() -> str:
    seen["token"] = activity.info().task_token
    activity.raise_complete_async()


@workflow.defn
class Hello:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(greet, name, start_to_close_timeout=SHORT)


@workflow.defn
class Chain:
    """Activities one after the other: every step is replayed without a cache."""

    @workflow.run
    async def run(self, steps: int) -> list[str]:
        result = []
        for step in range(steps):
            result.append(
                await workflow.execute_activity(greet, str(step), start_to_close_timeout=SHORT)
            )
            await asyncio.sleep(0.01)
        return result


@workflow.defn
class Fanout:
    @workflow.run
    async def run(self, width: int) -> int:
        results = await asyncio.gather(
            *(
                workflow.execute_activity(greet, str(i), start_to_close_timeout=SHORT)
                for i in range(width)
            )
        )
        return len(set(results))


@workflow.defn
class Retries:
    @workflow.run
    async def run(self, attempt: int) -> int:
        return await workflow.execute_activity(
            fail_until,
            attempt,
            start_to_close_timeout=SHORT,
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=20)),
        )


@workflow.defn
class Failures:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(fail_for_good, start_to_close_timeout=SHORT)


@workflow.defn
class NulBytes:
    @workflow.run
    async def run(self) -> None:
        try:
            await workflow.execute_activity(fail_with_nul_bytes, start_to_close_timeout=SHORT)
        except ActivityError as error:
            raise ApplicationError("\0", error.cause.message)


@workflow.defn
class Timeouts:
    @workflow.run
    async def run(self) -> str:
        try:
            return await workflow.execute_activity(
                sleep_long,
                start_to_close_timeout=timedelta(seconds=1),
                retry_policy=RetryPolicy(maximum_attempts=1),
            )
        except ActivityError as error:
            return str(error.cause)


@workflow.defn
class HeartbeatDetails:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(
            remember_heartbeat,
            start_to_close_timeout=SHORT,
            heartbeat_timeout=timedelta(seconds=5),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=20)),
        )


@workflow.defn
class Cancelled:
    @workflow.run
    async def run(self) -> str:
        try:
            return await workflow.execute_activity(
                heartbeat_until_cancelled,
                start_to_close_timeout=SHORT,
                heartbeat_timeout=timedelta(seconds=2),
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
        except ActivityError as error:
            if isinstance(error.cause, CancelledError):
                seen["handled"] = True
            raise


@workflow.defn
class Timers:
    @workflow.run
    async def run(self) -> list[str]:
        done = []

        async def wait(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            done.append(name)

        forgotten = asyncio.create_task(asyncio.sleep(3600))
        await asyncio.gather(wait("late", 0.3), wait("early", 0.05))
        forgotten.cancel()
        return done


@workflow.defn
class Signals:
    def __init__(self) -> None:
        self.got: list[str] = []

    @workflow.run
    async def run(self, expected: int) -> list[str]:
        await workflow.wait_condition(lambda: len(self.got) >= expected)
        return self.got

    @workflow.signal
    async def add(self, text: str) -> None:
        self.got.append(text)


@workflow.defn
class Locals:
    @workflow.run
    async def run(self) -> int:
        await workflow.execute_local_activity(greet, "x", start_to_close_timeout=SHORT)
        return await workflow.execute_local_activity(
            fail_until,
            3,
            start_to_close_timeout=SHORT,
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=10)),
        )


@workflow.defn
class Deterministic:
    """Side effects and patches: recorded once, the same in each replay."""

    @workflow.run
    async def run(self) -> str:
        first = workflow.uuid4()
        patched = workflow.patched("second-version")
        await asyncio.sleep(0.02)
        return f"{first} {patched} {workflow.random().random()}"


@workflow.defn
class Attributes:
    @workflow.run
    async def run(self) -> list[str]:
        before = workflow.info().typed_search_attributes.get(COLOUR)
        workflow.upsert_search_attributes([COLOUR.value_set("green")])
        workflow.upsert_memo({"mood": "good"})
        await asyncio.sleep(0.01)
        after = workflow.info().typed_search_attributes.get(COLOUR)
        return [before or "", after or "", workflow.memo_value("mood", type_hint=str)]


@workflow.defn
class Later:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(complete_later, start_to_close_timeout=SHORT)


@workflow.defn
class Endless:
    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


# Those of functions.sql: they are replayed here, and run there.


@workflow.defn(name="flow")
class Flow:
    @workflow.run
    async def run(self) -> str:
        said = await workflow.execute_activity("say", "one", start_to_close_timeout=SHORT)
        several = [
            workflow.start_activity("say", what, start_to_close_timeout=SHORT)
            for what in ("two", "three", "four")
        ]
        await asyncio.gather(*several)
        await asyncio.sleep(0.01)
        try:
            await workflow.execute_activity("refuse", start_to_close_timeout=SHORT)
        except ActivityError:
            return await workflow.execute_activity("say", said, start_to_close_timeout=SHORT)
        return "not refused"


@workflow.defn(name="local_flow")
class LocalFlow:
    @workflow.run
    async def run(self) -> str:
        await workflow.execute_local_activity("say", "one", start_to_close_timeout=SHORT)
        return await workflow.execute_local_activity(
            "third_time",
            start_to_close_timeout=SHORT,
            local_retry_threshold=timedelta(milliseconds=1),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=10)),
        )


ACTIVITIES = [
    greet,
    fail_until,
    fail_for_good,
    fail_with_nul_bytes,
    sleep_long,
    heartbeat_until_cancelled,
    remember_heartbeat,
    complete_later,
]
WORKFLOWS = [
    Hello,
    Chain,
    Fanout,
    Retries,
    Failures,
    NulBytes,
    Timeouts,
    HeartbeatDetails,
    Cancelled,
    Timers,
    Signals,
    Locals,
    Deterministic,
    Attributes,
    Later,
    Endless,
]

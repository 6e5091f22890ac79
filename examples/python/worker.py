"""Orders of mixed.sql in Python.

    pip install temporalio
    python worker.py
"""

import asyncio
import os
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker


@activity.defn
async def ship(order: dict) -> str:
    return f"shipped by python: {order['order_id']}"


@workflow.defn
class Order:
    @workflow.run
    async def run(self, order: dict) -> str:
        timeout = timedelta(seconds=30)
        # A function in the database, exactly once.
        charged = await workflow.execute_activity(
            "charge", order, task_queue="payments", result_type=str, start_to_close_timeout=timeout
        )
        shipped = await workflow.execute_activity(ship, order, start_to_close_timeout=timeout)
        return f"{charged}, {shipped}"


async def main() -> None:
    client = await Client.connect(os.environ.get("TEMPORAL_ADDRESS", "127.0.0.1:7233"))
    await Worker(client, task_queue="orders-python", workflows=[Order], activities=[ship]).run()


if __name__ == "__main__":
    asyncio.run(main())

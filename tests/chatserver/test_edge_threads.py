"""A request that waits in its thread does not keep another one from its own."""

import asyncio
import threading
import time
from typing import Any

from asgiref.sync import sync_to_async

from chatserver.threads import OwnThreads


async def test_requests_find_a_thread_while_others_are_held() -> None:
    release = threading.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await sync_to_async(release.wait if scope["held"] else time.monotonic)()

    served = OwnThreads(application, threads=4)
    held = [asyncio.create_task(served({"type": "http", "held": True}, None, None)) for _ in range(3)]  # type: ignore[arg-type]
    await asyncio.sleep(0.05)
    try:
        async with asyncio.timeout(5):
            for _ in range(8):
                await served({"type": "http", "held": False}, None, None)  # type: ignore[arg-type]
    finally:
        release.set()
        await asyncio.gather(*held)


async def test_many_open_requests_share_the_threads_evenly() -> None:
    names: list[str] = []
    end = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        names.append(await sync_to_async(lambda: threading.current_thread().name)())
        await end.wait()

    served = OwnThreads(application, threads=4)
    tasks = [asyncio.create_task(served({"type": "http"}, None, None)) for _ in range(12)]  # type: ignore[arg-type]
    while len(names) < 12:
        await asyncio.sleep(0.01)
    end.set()
    await asyncio.gather(*tasks)
    assert sorted(names.count(name) for name in set(names)) == [3, 3, 3, 3]

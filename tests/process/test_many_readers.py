"""Many readers at once: of one run, and all coming back in the same moment.

Proves F39, with a fifth of its clients where ``CHAOS=full`` does not ask for all, and F50. The positive control: every
one of them ends with the whole log.
"""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support.client import Client
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn
from tests.support.transcript import Transcript

pytestmark = pytest.mark.process
READERS = 1000 if os.environ.get("CHAOS") == "full" else 200


@pytest.fixture(scope="module")
def server(_maker: MakeServer) -> Iterator[ChatServer]:
    with _maker(MAX_STREAMS=2 * READERS + 10) as server:
        yield server


async def test_late_and_early_many_readers_of_one_run_see_one_history(server: ChatServer, people: People) -> None:
    async with Client(server.url, people["ada"].token) as ada:
        run = await ada.start(model="ollama/slow-20@20")
        chance = random.Random(50)

        async def read() -> Transcript:
            await asyncio.sleep(chance.uniform(0, 1.2))
            if chance.random() < 0.8:
                return await ada.replay(run["id"])
            async with ada.socket() as socket:
                await socket.subscribe(run["id"])
                return await socket.end_of(run["id"], within=60)

        seen = await asyncio.gather(*(read() for _ in range(READERS)))
    logged = server.logged(run["id"])
    assert all(transcript.texts == logged for transcript in seen)


async def test_when_all_come_back_at_once_all_are_served(server: ChatServer, people: People, standin: StandIn) -> None:
    async with Client(server.url, people["ada"].token) as ada:
        run = await ada.start(model="ollama/gated-20")
        statuses: Counter[int] = Counter()
        resumed: list[float] = []

        async def come(after: int, transcript: Transcript | None = None) -> Transcript:
            """Read up to event ``after``, or on from there to the end."""
            seen = transcript or Transcript()
            async with ada.events(run["id"], after=seen.last, timeout=60) as stream:
                statuses[stream.status] += 1
                stream.transcript = seen
                if transcript is None:
                    return await stream.until(after, within=60)
                await stream.next()
                resumed.append(time.monotonic() - begun)
                return await stream.until_end(within=60)

        cut = await asyncio.gather(*(come(2 + number % 3) for number in range(READERS)))
        begun = time.monotonic()
        coming = [asyncio.create_task(come(0, transcript)) for transcript in cut]
        async with asyncio.timeout(90):
            while len(resumed) < READERS:
                await asyncio.sleep(0.05)
        standin.release()
        await asyncio.gather(*coming)
    assert statuses == {200: 2 * READERS}
    assert max(resumed) < 30  # by the contract 10; the rest for a busy machine
    logged = server.logged(run["id"])
    assert all(transcript.texts == logged for transcript in cut)

"""What the model server does to an answer, seen from the clients' end, where a scripted double is not enough.

Proves F03, F15, F18 and F23 on both wires, Ollama's own and that of OpenAI-compatible servers; the other rows are cases
of tests/process/test_faults.py. The positive control is in each that the server answers the next question.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.proxy import FAIR, FaultProxy, Weather, Wires
from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import OpenAIStandIn, StandIn

pytestmark = pytest.mark.process
WIRES = Path(__file__).resolve().parent.parent / "wires"
MEBIBYTE = 1024 * 1024
SLACK = 1.0  # seconds that a busy machine may add


@pytest.fixture(scope="module")
def wires(standin: StandIn, compatible: OpenAIStandIn) -> Iterator[dict[str, FaultProxy]]:
    with Wires() as wires:
        yield {"ollama": wires.to(standin.port), "openai": wires.to(compatible.port)}


@pytest.fixture(scope="module")
def server(_maker: MakeServer, wires: dict[str, FaultProxy]) -> Iterator[ChatServer]:
    addresses = {"OLLAMA_BASE_URL": wires["ollama"].url, "OPENAI_BASE_URL": f"{wires['openai'].url}/v1"}
    with _maker(UPSTREAM_MAX_LINE=8 * MEBIBYTE, **addresses) as server:
        yield server


@pytest.fixture(params=["ollama", "openai"])
def of(request: pytest.FixtureRequest) -> str:
    """The model server that is asked."""
    found: str = request.param
    return found


async def assert_answers(client: Client, of: str = "ollama") -> None:
    run = await client.start(model=f"{of}/slow-3@max")
    assert (await client.ended(run["id"]))["run"]["status"] == "completed"


@pytest.mark.parametrize("model", ["hang-headers", "hang-first"])
async def test_a_model_that_loads_in_silence_is_waited_for_with_signs_of_life_and_can_be_stopped(
    ada: Client, server: ChatServer, model: str, of: str
) -> None:
    run = await ada.start(model=f"{of}/{model}")
    async with ada.events(run["id"]) as stream:
        reading = asyncio.create_task(stream.rest(within=30))
        async with asyncio.timeout(20):
            while len(stream.parser.comments) < 4 or not stream.transcript.hints:
                await asyncio.sleep(0.02)
        assert {hint.data["phase"] for hint in stream.transcript.hints} <= {"loading_model", "waiting_for_model"}
        asked = time.monotonic()
        assert (await ada.cancel(run["id"])).status_code in (200, 202)
        seen = await reading
    assert time.monotonic() - asked < 0.3 + SLACK
    assert agreed_end(server, run["id"], seen).end.name == "thread.run.cancelled"
    await assert_answers(ada, of)


async def test_a_line_that_does_not_end_costs_no_more_memory_than_the_limit(
    ada: Client, server: ChatServer, of: str
) -> None:
    await assert_answers(ada, of)
    before = most = server.memory()
    run = await ada.start(model=f"{of}/long-line")  # of 100 MiB
    ending = asyncio.create_task(ada.ended(run["id"], within=60))
    while not ending.done():
        most = max(most, server.memory())
        await asyncio.sleep(0.005)
    state = await ending
    assert (state["run"]["status"], state["run"]["error"]["code"]) == ("failed", "upstream_protocol")
    assert most - before < 4 * 8 * MEBIBYTE, (most - before) / MEBIBYTE
    agreed_end(server, run["id"])
    await assert_answers(ada, of)


@pytest.mark.process_on_both
async def test_no_character_of_a_model_hurts_the_way_to_the_reader_or_into_the_database(
    ada: Client, server: ChatServer, of: str
) -> None:
    name = "control-and-separator-characters.ndjson"
    told = json.loads((WIRES / "expected.json").read_bytes())
    expected = next(part[name]["content"] for part in (told, *told.values()) if isinstance(part, dict) and name in part)
    run = await ada.start(model=f"{of}/{'trace' if of == 'ollama' else 'told'}/{name}")
    async with ada.socket() as socket:
        await socket.subscribe(run["id"])
        seen = await socket.end_of(run["id"])
    assert seen.end.name == "thread.run.completed"
    # NUL is what PostgreSQL cannot keep; the one normaliser replaces it before anybody sees it.
    assert seen.content == expected.replace("\0", "\ufffd")
    assert agreed_end(server, run["id"], seen).texts == seen.texts
    await assert_answers(ada, of)


def connections_to(port: int) -> set[str]:
    """The near ends of connections to ``port`` that neither side has closed, as the kernel has them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {near for _, near, far, state, *_ in rows if far.endswith(f":{port:04X}") and state == "01"}


async def test_a_model_server_that_does_not_hear_the_stop_keeps_nobody_waiting(
    ada: Client, server: ChatServer, wires: dict[str, FaultProxy], of: str
) -> None:
    wire = wires[of]
    run = await ada.start(model=f"{of}/slow-10000@100")
    async with ada.events(run["id"]) as stream:
        while "t5 " not in stream.transcript.content:
            assert await stream.next() is not None
        asking = connections_to(wire.port)
        assert asking
        wire.weather = Weather(stalled=True)
        try:
            asked = time.monotonic()
            await ada.cancel(run["id"])
            seen = await stream.until_end(within=10)
            assert time.monotonic() - asked < 1.0 + SLACK
            async with asyncio.timeout(5):
                while asking & connections_to(wire.port):
                    await asyncio.sleep(0.02)
        finally:
            wire.weather = FAIR
    assert seen.end.name == "thread.run.cancelled"
    assert agreed_end(server, run["id"], seen).end.data["receipt"]["upstream_closed"] is True
    await assert_answers(ada, of)

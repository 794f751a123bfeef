"""A pull outlives its asker, its page and its server; and a second server sees it, stops it and takes it up."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.nodes import beside
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.process, pytest.mark.process_on_both]
PULLS = "/api/v1/model-pulls"
TOPPED = "UPDATE accounts_user SET is_staff = ?, is_superuser = ? WHERE username = ?"


@pytest.fixture
def own() -> Iterator[StandIn]:
    """Its list changes."""
    with StandIn() as standin:
        yield standin


@pytest.fixture
def started(make_server: MakeServer, own: StandIn) -> ChatServer:
    """A server whose administrator is Ada."""
    server = make_server(OLLAMA_BASE_URL=own.base_url, LEASE_BEAT=0.5, LEASE_EXPIRY=2).start()
    assert server.spoil(TOPPED, True, True, "ada") == 1
    return server


async def pull(client: Client, model: str) -> dict[str, Any]:
    answer = await client.post(PULLS, {"server": "ollama", "model": model})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()["pull"]
    return found


async def until(
    client: Client, pull: dict[str, Any], right: Callable[[dict[str, Any]], bool], *, within: float = 15.0
) -> dict[str, Any]:
    deadline = time.monotonic() + within
    while True:
        answer = await client.get(f"{PULLS}/{pull['id']}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["pull"]
        if right(found):
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)


def half(pull: dict[str, Any]) -> bool:
    return pull["completed"] == 4_000_000


def over(pull: dict[str, Any]) -> bool:
    return pull["finished_at"] is not None


async def test_a_pull_goes_on_after_a_kill_9(started: ChatServer, people: People, own: StandIn) -> None:
    async with Client(started.url, people["ada"].token) as ada:
        asked = await pull(ada, "gated-model:7b")
        await until(ada, asked, half)
        started.kill()
        await asyncio.to_thread(own.wait_for, lambda stats: stats["active"] == 0)
        started.start()
        done = await until(ada, asked, over)
        assert (done["status"], done["completed"], done["attempt"]) == ("done", 8_000_000, 2)
        models = (await ada.get("/api/v1/models")).json()["results"]
        assert "ollama/gated-model:7b" in [model["name"] for model in models]


async def test_a_pull_is_handed_on_by_a_server_that_stops(started: ChatServer, people: People, own: StandIn) -> None:
    async with Client(started.url, people["ada"].token) as ada:
        asked = await pull(ada, "gated-model:7b")
        await until(ada, asked, half)
        started.terminate()
        await asyncio.to_thread(started.wait, within=20)
        assert own.stats()["active"] == 0
        row = started.rows("SELECT status, holder FROM conversations_modelpull")[0]
        assert (row["status"], row["holder"]) == ("pulling", "")
        started.start()
        assert (await until(ada, asked, over))["status"] == "done"


@pytest.mark.postgres
async def test_another_server_sees_stops_and_takes_up(started: ChatServer, people: People, own: StandIn) -> None:
    with beside(started) as other:
        async with Client(started.url, people["ada"].token) as here, Client(other.url, people["ada"].token) as there:
            asked = await pull(here, "gated-one:1")
            await until(there, asked, half)
            assert (await there.post(f"{PULLS}/{asked['id']}/cancel")).status_code == 202
            await asyncio.to_thread(own.wait_for, lambda stats: stats["active"] == 0, timeout=2.0)
            assert (await until(here, asked, over))["status"] == "cancelled"

            asked = await pull(here, "gated-two:1")
            await until(there, asked, half)
            (holder,) = started.rows("SELECT holder FROM conversations_modelpull WHERE status = 'pulling'")
            holds = started if f":{started.pid}:" in holder["holder"] else other
            left = there if holds is started else here
            holds.kill()
            done = await until(left, asked, over)
            assert (done["status"], done["attempt"]) == ("done", 2)

"""One node after the other is restarted while people chat: nobody is told anything but to come again in a moment.

Proves F66 and F70 on two nodes.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import pytest

from tests.support.agreement import agreed_end
from tests.support.balancers import round_robin
from tests.support.nodes import beside
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.redis_server import redis_server
from tests.support.server import ChatServer
from tests.support.services import OwnRedis
from tests.support.sse import Parser
from tests.support.transcript import Transcript

__all__ = ["redis_server"]
pytestmark = [pytest.mark.process, pytest.mark.postgres, pytest.mark.timeout(240)]
PEOPLE = 6


@dataclass
class Visitor:
    """Sends, reads along and sends again, as the rules for clients say: the same key until there is an answer."""

    url: str
    token: str
    name: str
    done: asyncio.Event
    statuses: list[tuple[int, str | None]] = field(default_factory=list)
    seen: dict[str, Transcript] = field(default_factory=dict)

    async def chat(self) -> None:
        # Each request on a connection of its own: what waits on a connection that a node closes is not answered.
        limits = httpx.Limits(max_keepalive_connections=0)
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(
            base_url=self.url, headers=headers, trust_env=False, verify=False, limits=limits, timeout=30
        ) as http:
            thread = (await self._insist(http, "/api/v1/threads", {}, f"{self.name} thread"))["id"]
            for number in count():
                body = {"content": f"Question {number}", "model": "ollama/slow-12@30"}
                run = (await self._insist(http, f"/api/v1/threads/{thread}/runs", body, f"{self.name} {number}"))["run"]
                await self._read(http, run["id"])
                if self.done.is_set():
                    return

    async def _insist(self, http: httpx.AsyncClient, path: str, body: Any, key: str) -> dict[str, Any]:
        while True:
            with suppress(httpx.TransportError):
                answer = await http.post(path, json=body, headers={"Idempotency-Key": key})
                self._note(answer)
                if answer.status_code in (200, 201, 202):
                    found: dict[str, Any] = answer.json()
                    return found
            await asyncio.sleep(0.2)

    async def _read(self, http: httpx.AsyncClient, run_id: str) -> None:
        transcript = self.seen[run_id] = Transcript()
        while not transcript.ended:
            with suppress(httpx.TransportError):
                path = f"/api/v1/runs/{run_id}/events?snapshot=0&after={transcript.last}"
                async with http.stream("GET", path) as answer:
                    self._note(answer)
                    parser = Parser()
                    if answer.status_code == 200:
                        async for chunk in answer.aiter_bytes():
                            for message in parser.feed(chunk):
                                transcript.take(message.data)
            await asyncio.sleep(0.1)

    def _note(self, answer: httpx.Response) -> None:
        self.statuses.append((answer.status_code, answer.headers.get("Retry-After")))


async def test_nodes_are_restarted_one_by_one_and_every_answer_comes_whole(
    make_server: MakeServer, redis_server: OwnRedis, people: People
) -> None:
    first = make_server(REDIS_URL=redis_server.url, DRAIN_GRACE=10)
    nodes = [first, beside(first)]
    done = asyncio.Event()
    try:
        for node in nodes:
            node.launch()
        for node in nodes:
            await asyncio.to_thread(node.wait_until_ready)
        async with round_robin([node.port for node in nodes]) as port, asyncio.timeout(180):
            url = f"http://127.0.0.1:{port}"
            visitors = [Visitor(url, people["ada"].token, f"visitor {number}", done) for number in range(PEOPLE)]
            chats = [asyncio.create_task(visitor.chat()) for visitor in visitors]
            await asyncio.sleep(1)
            for node in nodes:
                await asyncio.to_thread(_restart, node)
                await asyncio.sleep(0.5)
            done.set()
            await asyncio.gather(*chats)
    finally:
        for node in nodes:
            node.kill()
    statuses = {status for visitor in visitors for status, _ in visitor.statuses}
    assert statuses <= {200, 201, 202, 204, 503}, statuses
    assert all(after for visitor in visitors for status, after in visitor.statuses if status == 503)
    runs = {run_id: transcript for visitor in visitors for run_id, transcript in visitor.seen.items()}
    assert len(runs) >= 2 * PEOPLE
    for run_id, transcript in runs.items():
        history = agreed_end(first, run_id, transcript)
        assert (history.end.name, history.texts) == ("thread.run.completed", transcript.texts)


def _restart(node: ChatServer) -> None:
    node.terminate()
    assert node.wait(within=10 + 3 + 5) == 0
    node.start()

"""A thin sample of the matrix against real servers: the whole way, with nothing of this process in between."""

from typing import Any

import httpx
import pytest

from chatserver.ids import new_id
from tests.support.client import Client
from tests.support.people import People
from tests.support.processes import *  # noqa: F403  fixtures
from tests.support.server import ChatServer
from tests.support.socket_client import Socket

pytestmark = pytest.mark.process
CALLS = [
    ("GET", "threads/{thread}", None),
    ("PATCH", "threads/{thread}", {"pinned": True}),
    ("GET", "threads/{thread}/messages", None),
    ("POST", "threads/{thread}/runs", {"content": "x", "model": "ollama/slow-5@max"}),
    ("GET", "runs/{run}", None),
    ("GET", "runs/{run}/events", None),
    ("POST", "runs/{run}/cancel", {}),
    ("DELETE", "threads/{thread}", None),
]


@pytest.fixture(params=["uvicorn", "daphne"])
def server(request: pytest.FixtureRequest) -> ChatServer:
    found: ChatServer = request.getfixturevalue(f"{request.param}_server")
    return found


def told(answer: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    return answer.status_code, headers, answer.content


async def test_not_yours_and_not_there_are_one_answer_to_the_last_header(
    server: ChatServer, ada: Client, bob: Client, people: People
) -> None:
    run = await ada.start(model="ollama/slow-5@max")
    await ada.ended(run["id"])
    theirs = {"thread": run["thread_id"], "run": run["id"]}
    nobodys = {"thread": str(new_id()), "run": str(new_id())}

    async def ask(
        client: Client, method: str, path: str, body: Any, ids: dict[str, str], **more: Any
    ) -> httpx.Response:
        return await client.http.request(method, "/api/v1/" + path.format(**ids), json=body, **more)

    nameless, wrong = {"Authorization": ""}, {"Authorization": "Bearer chat_000000000000_" + "x" * 43}
    reading = {"Authorization": f"Bearer {people['ada'].reading_token}"}
    for method, path, body in CALLS:
        refused = await ask(bob, method, path, body, theirs)
        assert refused.status_code == 404, (method, path)
        assert told(refused) == told(await ask(bob, method, path, body, nobodys))
        assert (await ask(ada, method, path, body, theirs, headers=nameless)).status_code == 401
        assert (await ask(ada, method, path, body, theirs, headers=wrong)).status_code == 401
        if method != "GET":
            assert (await ask(ada, method, path, body, theirs, headers=reading)).status_code == 403
    async with bob.socket() as socket:
        replies = [
            {**(await socket.call(event, {"run_id": ids["run"]})), "req": None}
            for event in ("subscribe", "run.cancel", "unsubscribe")
            for ids in (theirs, nobodys)
        ]
        assert all(reply == replies[0] for reply in replies)
        assert replies[0]["data"]["code"] == "not_found"
    async with Socket(server.url, token=people["ada"].reading_token) as socket:
        assert (await socket.call("run.cancel", {"run_id": run["id"]}))["data"]["code"] == "forbidden"
        await socket.subscribe(run["id"])
        await socket.end_of(run["id"])
    for method, path, body in CALLS:  # and she can do all of it
        allowed = await ask(ada, method, path, body, theirs)
        assert allowed.status_code in (200, 202, 204), (method, path)
        if path.endswith("/runs"):
            await ada.ended(allowed.json()["run"]["id"])

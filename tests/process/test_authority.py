"""Whoever loses the right to read is cut off at once on every kind of connection, and what they had started goes on.

Proves F47, F48, A10 and A11 on both servers. The positive control is in each case: all four connections carry events or
wait until the right is gone, and somebody else of the same name, where there is one, reads on to the end.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.people import PASSWORD, People
from tests.support.server import ChatServer, key
from tests.support.sign_in import Browser
from tests.support.socket_client import Socket
from tests.support.standin import StandIn

pytestmark = pytest.mark.process
MODEL = "ollama/gated-4"
AT_ONCE = 5.0  # seconds: one by the protocol, the rest for a busy machine


@dataclass
class WayIn:
    """A way in, and how it is lost. ``status`` is what a request that waits is told, ``code`` how a socket closes."""

    name: str
    lose: Callable[[], Awaitable[Any]]
    token: str | None = None
    session: str | None = None
    status: int = 401
    code: int = 4401

    def client(self, server: ChatServer) -> Client:
        client = Client(server.url, self.token)
        if self.session:
            client.http.cookies.set("session", self.session)
            client.http.cookies.set("csrf", "c" * 32)
            client.http.headers.update({"X-CSRFToken": "c" * 32, "Origin": server.origin})
        return client

    def socket(self, server: ChatServer) -> Socket:
        if self.token:
            return Socket(server.url, token=self.token)
        return Socket(server.url, headers={"Cookie": f"session={self.session}", "Origin": server.origin})


@pytest.fixture(params=["uvicorn", "daphne"])
def server(request: pytest.FixtureRequest) -> ChatServer:
    found: ChatServer = request.getfixturevalue(f"{request.param}_server")
    return found


async def test_a_lost_right_ends_every_live_connection_and_no_run(
    server: ChatServer, people: People, standin: StandIn
) -> None:
    async with AsyncExitStack() as stack:
        ways = await ways_in(server, people, stack)
        begun = await asyncio.gather(*(lose(server, way) for way in ways))
        runs = [run for each in begun for run in each]
        async with Client(server.url, people["bob"].token) as bob:
            bobs = [run for run in runs if (await bob.get(f"/api/v1/runs/{run}")).status_code == 200]
            assert bobs
            reading = [asyncio.create_task(bob.replay(run)) for run in bobs]
            standin.release()
            assert {(await each).end.name for each in reading} == {"thread.run.completed"}
    async with asyncio.timeout(20):
        while {server.run_row(run)["status"] for run in runs} != {"completed"}:
            await asyncio.sleep(0.1)


async def lose(server: ChatServer, way: WayIn) -> list[str]:
    """Hold all kinds of connections open by one way in, and lose it; the runs that were begun by it."""
    async with way.client(server) as client, way.socket(server) as socket:
        await socket.ready()
        run = await client.start(model=MODEL)
        await socket.subscribe(run["id"])
        await socket.until(lambda: "t3" in socket.runs[run["id"]].content, within=30)
        middle = socket.runs[run["id"]].last
        async with client.events(run["id"]) as stream, AsyncExitStack() as stack:
            await stream.until(middle, within=30)
            polling = asyncio.create_task(client.get(f"/api/v1/runs/{run['id']}?wait=60&after={middle}", timeout=70))
            feed = await stack.enter_async_context(client.stream("GET", "/api/v1/events"))
            assert b"open" in await anext(feed._chunks)
            body = {"message": way.name, "model": MODEL}
            waiting = asyncio.create_task(client.post("/api/chat", body, timeout=70))
            begun = await begun_by(server, way.name)
            assert not polling.done()
            assert socket.close_code is None
            await way.lose()
            lost = time.monotonic()
            code, seen, polled, waited = await asyncio.gather(
                socket.closed(within=20), stream.rest(within=20), polling, waiting
            )
            async with asyncio.timeout(20):
                async for _ in feed._chunks:
                    pass
            took = time.monotonic() - lost
        assert took < AT_ONCE, way.name
        assert (code, polled.status_code, waited.status_code) == (way.code, way.status, way.status), way.name
        assert not seen.ended
        assert seen.last == socket.runs[run["id"]].last == middle, way.name
        again = await client.get(f"/api/v1/runs/{run['id']}")
        assert again.status_code == {"scopes": 403, "staff": 200}.get(way.name, 401), way.name
    return [run["id"], begun]


async def begun_by(server: ChatServer, question: str) -> str:
    """The newest run that answers ``question``, once it is being worked on."""
    sql = """SELECT r.id FROM conversations_run r JOIN conversations_message m ON m.id = r.question_id
             WHERE m.content = ? AND r.status = 'in_progress'"""
    async with asyncio.timeout(20):
        while not (found := server.rows(sql, question)):
            await asyncio.sleep(0.05)
    identifier: str = found[-1]["id"]
    return identifier


async def ways_in(server: ChatServer, people: People, stack: AsyncExitStack) -> list[WayIn]:
    bob = await stack.enter_async_context(Client(server.url, people["bob"].token))

    async def browser() -> Browser:
        return await stack.enter_async_context(Browser(server.url))

    async def token(client: Client, **fields: Any) -> dict[str, Any]:
        made = await client.post("/api/v1/tokens", {"name": "for this test", **fields})
        assert made.status_code == 201, made.text
        found: dict[str, Any] = made.json()
        return found

    def changes(sql: str, *values: Any) -> Callable[[], Awaitable[Any]]:
        async def change() -> None:
            assert await asyncio.to_thread(server.spoil, sql, *values) == 1

        return change

    leaving, deleted, expired = await browser(), await browser(), await browser()
    careful, elsewhere, switched_off, promoted = await browser(), await browser(), await browser(), await browser()
    for each in (leaving, deleted, expired):
        await each.sign_in("bob")
    await careful.sign_up("cyd")
    await elsewhere.sign_in("cyd")
    await switched_off.sign_up("dee")
    await promoted.sign_up("eve")
    async with WayIn("dee", leaving.http.aclose, session=switched_off.session).client(server) as client:
        dees = await token(client)
    revoked, outlived, narrowed = await token(bob), await token(bob), await token(bob)

    async def revoke() -> None:
        assert (await bob.http.delete(f"/api/v1/tokens/{revoked['id']}")).status_code == 204

    new = {"oldpassword": PASSWORD, "password1": "another horse entirely", "password2": "another horse entirely"}
    in_the_past = "2020-01-01 00:00:00"
    delete_session = "DELETE FROM django_session WHERE session_key = ?"
    expire_session = f"UPDATE django_session SET expire_date = '{in_the_past}' WHERE session_key = ?"
    expire_token = f"UPDATE accounts_apitoken SET expires_at = '{in_the_past}' WHERE id = ?"
    narrow = """UPDATE accounts_apitoken SET scopes = '["chat"]' WHERE id = ?"""
    switch_off = "UPDATE accounts_user SET is_active = 0 WHERE username = 'dee'"
    promote = "UPDATE accounts_user SET is_staff = 1 WHERE username = 'eve'"
    return [
        WayIn("logout", lambda: leaving.fill_in("/accounts/logout/"), session=leaving.session),
        WayIn("password", lambda: elsewhere.fill_in("/accounts/password/change/", **new), session=careful.session),
        WayIn("session deleted", changes(delete_session, deleted.session), session=deleted.session),
        WayIn("session expired", changes(expire_session, expired.session), session=expired.session),
        WayIn("switched off", changes(switch_off), token=dees["token"]),
        WayIn("token revoked", revoke, token=revoked["token"]),
        WayIn("token expired", changes(expire_token, key(outlived["id"])), token=outlived["token"]),
        WayIn("scopes", changes(narrow, key(narrowed["id"])), token=narrowed["token"], status=503, code=4001),
        WayIn("staff", changes(promote), session=promoted.session, status=503, code=4001),
    ]

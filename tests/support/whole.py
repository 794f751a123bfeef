"""The whole ASGI application in the test's own loop, without a server: an engine, requests, sockets."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db import connections as database_connections

from chatserver.application import application
from chatserver.threads import OwnThreads
from conversations.models import Run
from streaming import wiring
from streaming.protocol.codec import Entry, dumps
from streaming.protocol.events import TERMINAL_EVENTS
from streaming.providers.base import Provider
from streaming.transports.beginning import beginning_of
from streaming.transports.follow import follow
from streaming.transports.live import forget_connections
from streaming.wiring import Engine
from tests.support.sse import Parser

# Without Lifetime, which would take the test's own signals.
_application: Any = application._application
Published = Callable[[UUID, Sequence[Entry]], None]


class Exchange:
    """One scope of the application: what it says is in ``said``. Leaving it is the client's going."""

    def __init__(self, scope: dict[str, Any]) -> None:
        self._heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._gone = {"type": f"{scope['type']}.disconnect"}
        self._serving = asyncio.ensure_future(_application(scope, self._heard.get, self.said.put))

    def tell(self, message: dict[str, Any]) -> None:
        self._heard.put_nowait(message)

    async def __aenter__(self) -> "Exchange":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.tell(self._gone)
        await asyncio.wait({self._serving}, timeout=10)
        self._serving.cancel()
        await asyncio.gather(self._serving, return_exceptions=True)


@dataclass
class Whole:
    """``engine`` is the process's one; ``token`` says who asks."""

    engine: Engine
    token: str

    def exchange(self, kind: str, path: str, **more: Any) -> Exchange:
        path, _, query = path.partition("?")
        headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {self.token}".encode())]
        scope = {
            "type": kind,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "scheme": "http" if kind == "http" else "ws",
            "http_version": "1.1",
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
            "headers": [*headers, *more.pop("headers", [])],
            **more,
        }
        return Exchange(scope)

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        parts = [part async for part in self._answer(method, path, body)]
        text = b"".join(part for part in parts[1:])
        return parts[0], json.loads(text) if text else None

    async def _answer(self, method: str, path: str, body: Any = None) -> AsyncGenerator[Any, None]:
        """The status, and then the body in its pieces."""
        headers = [(b"content-type", b"application/json")] if body is not None else []
        async with self.exchange("http", path, method=method, headers=headers) as exchange:
            content = b"" if body is None else json.dumps(body).encode()
            exchange.tell({"type": "http.request", "body": content, "more_body": False})
            more = True
            while more:
                message = await exchange.said.get()
                if message["type"] == "http.response.start":
                    yield message["status"]
                else:
                    yield message.get("body", b"")
                    more = message.get("more_body", False)

    # --- readers: the texts of a run's events after ``after``, until its end or the end of the connection -----------

    async def over_sse(self, run_id: str, after: int, **query: Any) -> AsyncGenerator[str, None]:
        parser = Parser()
        words = urlencode({"after": after, **query})
        async with aclosing(self._answer("GET", f"/api/v1/runs/{run_id}/events?{words}")) as parts:
            async for part in parts:
                if isinstance(part, int):
                    assert part in (200, 204), part
                    continue
                for message in parser.feed(part):
                    yield message.data

    async def over_socket(self, run_id: str, after: int) -> AsyncGenerator[str, None]:
        async with self.exchange("websocket", "/ws/v1", subprotocols=["chat.v1"]) as exchange:
            exchange.tell({"type": "websocket.connect"})
            frame = {"event": "subscribe", "req": 1, "data": {"run_id": run_id, "after": after}}
            exchange.tell({"type": "websocket.receive", "text": dumps(frame)})
            while True:
                message = await exchange.said.get()
                if message["type"] == "websocket.close":
                    return
                if message["type"] == "websocket.accept":
                    continue
                told = json.loads(message["text"])
                if told["event"] == "session.ready":
                    continue
                if "req" in told:
                    assert told["event"] == "ack", told
                    if told["data"]["mode"] == "ended":
                        return
                    continue
                yield message["text"]
                if told["event"] in TERMINAL_EVENTS:
                    return

    async def over_poll(self, run_id: str, after: int) -> AsyncGenerator[str, None]:
        while True:
            status, state = await self.call("GET", f"/api/v1/runs/{run_id}?wait=1&after={after}")
            assert status == 200, state
            events = state.pop("events")
            if (events and events[0]["id"] != after + 1) or (not events and state["head"] > after):
                # The log does not go back so far; the state in this answer does.
                about = {"run_id": run_id, "thread_id": state["run"]["thread_id"], "gap": False, "reason": "polled"}
                head = state.pop("head")
                yield dumps({"event": "thread.run.snapshot", "id": head, "data": {**about, **state, "as_of": head}})
                events, after = [], head
            for event in events:
                after = event["id"]
                yield dumps(event)
            if state["run"]["finished_at"] and (not events or events[-1]["event"] in TERMINAL_EVENTS):
                return

    async def in_process(self, run_id: str, after: int) -> AsyncGenerator[str, None]:
        run = await Run.objects.aget(pk=run_id)
        start = await beginning_of(self.engine, run, after=after, wish="auto")
        if start.mode == "ended":
            return
        if start.snapshot is not None:
            yield start.snapshot
        news = follow(tailer=self.engine.tailer, run_id=run.pk, after=start.after, heartbeat=1.0)
        async with aclosing(news):
            async for piece in news:
                for entry in piece.entries:
                    yield entry.text


TRANSPORTS = {"sse": Whole.over_sse, "socket": Whole.over_socket, "poll": Whole.over_poll, "none": Whole.in_process}


@asynccontextmanager
async def the_whole(
    token: str, providers: Sequence[Provider] = (), *, weather: Callable[[Published], Published] | None = None
) -> AsyncIterator[Whole]:
    """``weather`` is put between the log and whoever it wakes. What was missed is found within 50 ms."""
    engine = Engine(providers=providers)
    tailer = engine.tailer
    tailer._interval = 0.05
    if weather is not None:
        tailer.published = weather(tailer.published)  # type: ignore[method-assign]
    await engine.start()
    if weather is not None:
        del tailer.published  # what the poll finds is not lost
    forget_connections()
    wiring._engine = engine
    try:
        yield Whole(engine, token)
    finally:
        wiring._engine = None
        await engine.stop()
        forget_connections()
        leave_no_connection()


def leave_no_connection() -> None:
    """Close those of the threads in which requests ask the database; PostgreSQL drops none that is in use."""
    for thread in _threads_of(_application):
        thread.submit(database_connections.close_all).result()


def _threads_of(wrapped: Any) -> list[Any]:
    """Those in which requests ask the database, however deep their owner is wrapped."""
    while not isinstance(wrapped, OwnThreads):
        wrapped = wrapped._application
    return list(wrapped._threads)

"""A small strict HTTP client of ``chat.v1``, written from the protocol alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from tests.support.socket_client import Socket
from tests.support.sse import Message, Parser
from tests.support.transcript import Event, Transcript

PATIENCE = 15.0


class Client:
    """One person's way in: ``async with Client(url, token) as client``. JSON in, JSON out, and streams."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url
        self.token = token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.AsyncClient(
            base_url=url,
            headers=headers,
            trust_env=False,
            verify=False,  # saves the reading of all the world's certificates
            timeout=PATIENCE,
            limits=httpx.Limits(max_connections=None),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.http.get(path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return await self.http.post(path, json=body, **options)

    async def start(
        self, message: str = "Hello", *, model: str, thread: str | None = None, **fields: Any
    ) -> dict[str, Any]:
        """Start a run and come back at once; the run object. Without ``thread``, in a new one."""
        if thread is None:
            made = await self.post("/api/v1/threads", {})
            assert made.status_code == 201, made.text
            thread = made.json()["id"]
        answer = await self.post(f"/api/v1/threads/{thread}/runs", {"content": message, "model": model, **fields})
        assert answer.status_code == 202, answer.text
        run: dict[str, Any] = answer.json()["run"]
        return run

    async def new_thread(self) -> str:
        made = await self.post("/api/v1/threads", {})
        assert made.status_code == 201, made.text
        identifier: str = made.json()["id"]
        return identifier

    async def look(self, run_id: str) -> dict[str, Any]:
        answer = await self.get(f"/api/v1/runs/{run_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def cancel(self, run_id: str) -> httpx.Response:
        return await self.post(f"/api/v1/runs/{run_id}/cancel")

    async def ended(self, run_id: str, *, within: float = PATIENCE) -> dict[str, Any]:
        """The run's state when it has ended, by long poll."""
        async with asyncio.timeout(within):
            while True:
                state = await self.look(run_id)
                if state["run"]["finished_at"] is not None:
                    return state
                await self.get(f"/api/v1/runs/{run_id}?wait=5&after={state['head']}", timeout=30)

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, *, body: Any = None, after: int = 0, **options: Any
    ) -> AsyncIterator["Stream"]:
        """An SSE response, from its headers on. ``after`` is where the reader's transcript begins."""
        options.setdefault("headers", {})["Accept"] = "text/event-stream"
        if body is not None:
            options["json"] = body
        async with self.http.stream(method, path, **options) as response:
            yield Stream(response, after=after)

    @asynccontextmanager
    async def events(
        self, run_id: str, *, after: int | None = None, query: str = "", **options: Any
    ) -> AsyncIterator["Stream"]:
        words = [query] if query else []
        if after is not None:
            words.append(f"after={after}")
        path = f"/api/v1/runs/{run_id}/events" + ("?" + "&".join(words) if words else "")
        async with self.stream("GET", path, after=after or 0, **options) as stream:
            yield stream

    async def replay(self, run_id: str, *, after: int = 0, query: str = "") -> Transcript:
        """Everything after ``after``, until the run's end."""
        async with self.events(run_id, after=after, query=query) as stream:
            return await stream.until_end()

    def socket(self, **options: Any) -> Socket:
        return Socket(self.url, token=self.token, **options)


class Stream:
    """``events()`` yields what is dispatched; the transcript checks it on the way."""

    def __init__(self, response: httpx.Response, *, after: int) -> None:
        self.response = response
        self.parser = Parser()
        self.transcript = Transcript(after=after)
        self.messages: list[Message] = []
        self.done = False
        self.names = True
        self._chunks = response.aiter_bytes()
        self._waiting: list[Message] = []

    @property
    def status(self) -> int:
        return self.response.status_code

    async def next(self) -> Event | None:
        """The next event or hint; None at the end of the response. The transcript has what was asked for, no more."""
        while True:
            while self._waiting:
                event = self._take(self._waiting.pop(0))
                if event is not None:
                    return event
            try:
                chunk = await anext(self._chunks)
            except StopAsyncIteration:
                assert not self.parser.in_the_middle, "the response ended in the middle of an event"
                return None
            self._waiting += self.parser.feed(chunk)

    async def until(self, id: int, *, within: float = PATIENCE) -> Transcript:
        """Read until event ``id`` has come, and not one more."""
        async with asyncio.timeout(within):
            while True:
                event = await self.next()
                assert event is not None, f"the response ended before event {id}: {self.transcript.names}"
                if event.id is not None and event.id >= id:
                    assert event.id == id
                    return self.transcript

    async def until_end(self, *, within: float = PATIENCE) -> Transcript:
        """Read the whole response; it ends with the run's terminal event, or this fails."""
        await self.rest(within=within)
        assert self.transcript.ended, self.transcript.names
        return self.transcript

    async def rest(self, *, within: float = PATIENCE) -> Transcript:
        """Read to the end of the response, however that is."""
        try:
            async with asyncio.timeout(within):
                while await self.next() is not None:
                    pass
        except TimeoutError:
            raise AssertionError(f"no end in {within} s: {self.transcript.names}") from None
        return self.transcript

    def _take(self, message: Message) -> Event | None:
        self.messages.append(message)
        if message.data == "[DONE]":
            assert self.transcript.ended
            self.done = True
            return None
        assert not self.done
        event = self.transcript.take(message.data)
        assert message.id == (None if event.id is None else str(event.id))
        assert message.event == (event.name if self.names else "message")
        return event

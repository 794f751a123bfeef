"""A small strict WebSocket client of ``chat.v1``, written from the protocol alone."""

import asyncio
import json
from collections.abc import Callable
from itertools import count
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.transcript import Transcript

PATIENCE = 15.0


class Socket:
    """``async with Socket(url, token=…) as socket``: connected, authenticated, and reading in the background.

    Without ``token`` nothing is said at first, and ``session.ready`` is waited for by ``ready`` only.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        subprotocols: tuple[str, ...] = ("chat.v1",),
    ) -> None:
        self._url = url.replace("http", "ws", 1) + "/ws/v1"
        self._token = token
        self._headers = headers or {}
        self._subprotocols = subprotocols
        self._requests = count(1)
        self._news = asyncio.Condition()
        self._connection: ClientConnection
        self._reading: asyncio.Task[None]
        self.frames: list[dict[str, Any]] = []  # all of them, in order
        self.runs: dict[str, Transcript] = {}
        self.close_code: int | None = None
        self._problem: BaseException | None = None

    async def __aenter__(self) -> Self:
        self._connection = await connect(
            self._url,
            additional_headers=self._headers,
            subprotocols=list(self._subprotocols) or None,  # type: ignore[arg-type]
            proxy=None,
            compression=None,
            max_size=16 * 1024 * 1024,
        )
        self._reading = asyncio.create_task(self._read())
        if self._token is not None:
            reply = await self.call("auth", {"token": self._token})
            assert reply["event"] == "ack", reply
            await self.ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connection.close()
        await asyncio.gather(self._reading, return_exceptions=True)
        if error is None:
            self._check()

    def cut(self) -> None:
        """Leave without a word, as a lost network does."""
        self._connection.transport.abort()

    async def call(self, event: str, data: Any = None, **envelope: Any) -> dict[str, Any]:
        """The one reply to a frame."""
        req = envelope.pop("req", None) or next(self._requests)
        await self.send(json.dumps({"event": event, "req": req, "data": data or {}, **envelope}))
        return await self.frame(lambda frame: frame.get("req") == req)

    async def send(self, frame: str | bytes) -> None:
        await self._connection.send(frame)

    async def subscribe(self, run_id: str, *, after: int = 0, **data: Any) -> dict[str, Any]:
        """The ack's data; what follows is collected in ``runs[run_id]``."""
        self.runs[run_id] = Transcript(after=after)
        reply = await self.call("subscribe", {"run_id": run_id, "after": after, **data})
        assert reply["event"] == "ack", reply
        found: dict[str, Any] = reply["data"]
        return found

    async def ready(self) -> dict[str, Any]:
        return await self.frame(lambda frame: frame["event"] == "session.ready")

    async def frame(self, wanted: Callable[[dict[str, Any]], bool], *, within: float = PATIENCE) -> dict[str, Any]:
        """The first frame that is ``wanted``, whenever it came."""
        await self.until(lambda: any(map(wanted, self.frames)), within=within)
        return next(filter(wanted, self.frames))

    async def end_of(self, run_id: str, *, within: float = PATIENCE) -> Transcript:
        transcript = self.runs[run_id]
        await self.until(lambda: transcript.ended, within=within)
        return transcript

    async def reaches(self, run_id: str, id: int, *, within: float = PATIENCE) -> Transcript:
        transcript = self.runs[run_id]
        await self.until(lambda: transcript.last >= id, within=within)
        return transcript

    async def closed(self, *, within: float = PATIENCE) -> int:
        """The code with which the server closes."""
        await self.until(lambda: self.close_code is not None, within=within)
        assert self.close_code is not None
        return self.close_code

    async def until(self, condition: Callable[[], bool], *, within: float) -> None:
        async with self._news:
            try:
                async with asyncio.timeout(within):
                    await self._news.wait_for(lambda: condition() or self._problem or self.close_code is not None)
            except TimeoutError:
                raise AssertionError(f"waited {within} s in vain; came: {self._came}") from None
        self._check()
        assert condition(), f"closed with {self.close_code}; came: {self._came}"

    @property
    def _came(self) -> list[str]:
        return [json.dumps(frame)[:200] for frame in self.frames[-20:]]

    def _check(self) -> None:
        if self._problem is not None:
            raise self._problem

    async def _read(self) -> None:
        try:
            async for text in self._connection:
                assert isinstance(text, str), "a binary frame"
                self._take(text)
                async with self._news:
                    self._news.notify_all()
        except ConnectionClosed:
            pass
        except Exception as problem:
            self._problem = problem
        finally:
            self.close_code = self._connection.close_code or 1006
            async with self._news:
                self._news.notify_all()

    def _take(self, text: str) -> None:
        frame = json.loads(text)
        self.frames.append(frame)
        if "req" in frame:
            assert "id" not in frame, f"a reply with an id: {text}"
            if frame["event"] == "ack" and "run_id" in frame["data"]:
                for run_id in (frame["data"]["run_id"], *(run["id"] for run in frame["data"].get("runs", ()))):
                    self.runs.setdefault(run_id, Transcript())
        elif "feed" in frame:
            assert "id" not in frame, f"a feed event that could be taken for a run's: {text[:300]}"
        elif frame["event"] != "session.ready":
            run_id = frame["data"]["run_id"]
            assert run_id in self.runs, f"an event of a run that was not subscribed to: {text[:300]}"
            self.runs[run_id].take(text)

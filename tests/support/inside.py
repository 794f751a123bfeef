"""The whole ASGI application in this process, spoken to without a socket: what a server would send it, fed by hand.

Everything that stands in front of Django is there too, and the engine; a request costs a few milliseconds.
"""

import asyncio
import json
import threading
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from streaming.tools.base import Tool
from streaming.tools.registry import BUILT_IN
from streaming.wiring import start_engine

Headers = dict[str, str]
T = TypeVar("T")
PATIENCE = 15.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key == name.lower())

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Inside:
    """``with Inside(providers=…) as inside``: the application runs in the loop of a thread of its own."""

    def __init__(self, *, providers: Any = None, tools: Sequence[Tool] = BUILT_IN) -> None:
        self._providers = providers
        self._tools = tools
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="inside")

    def __enter__(self) -> Self:
        self._thread.start()
        self.do(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def request(
        self, method: str, address: str, *, headers: Headers | None = None, body: bytes | None = None, parts: int = 0
    ) -> Answer:
        """The whole answer; with ``parts``, of one that does not end, only so many pieces."""
        return self.do(self._request(method, address, headers or {}, body or b"", parts))

    def talk(self, *frames: dict[str, Any], headers: Headers | None = None, patience: bool = False) -> "Talk":
        """Open a socket, send each frame when the one before has been replied to, where it has a ``req``, and close;
        with ``patience`` wait until the server does.
        """
        return self.do(self._talk(frames, headers or {}, patience))

    async def _start(self) -> None:
        from chatserver.application import application  # noqa: PLC0415  it is made once, from settings that tests change

        if self._providers is not None:
            await start_engine(providers=self._providers, tools=self._tools)
        self._application: Any = application
        self._lifespan = _Pipe()
        self._living = asyncio.create_task(self._call({"type": "lifespan"}, self._lifespan))
        self._lifespan.incoming.put_nowait({"type": "lifespan.startup"})
        assert (await self._lifespan.said())["type"] == "lifespan.startup.complete"

    async def _stop(self) -> None:
        self._lifespan.incoming.put_nowait({"type": "lifespan.shutdown"})
        assert (await self._lifespan.said())["type"] == "lifespan.shutdown.complete"
        await self._living

    async def _call(self, scope: dict[str, Any], pipe: "_Pipe") -> None:
        await self._application({"asgi": {"version": "3.0"}, **scope}, pipe.incoming.get, pipe.outgoing.put)

    async def _request(self, method: str, address: str, headers: Headers, body: bytes, most: int) -> Answer:
        pipe = _Pipe()
        pipe.incoming.put_nowait({"type": "http.request", "body": body, "more_body": False})
        scope = {"type": "http", "method": method, **_address(address), "headers": _raw(headers, len(body))}
        serving = asyncio.create_task(self._call(scope, pipe))
        serving.add_done_callback(lambda _: pipe.outgoing.put_nowait({"type": "over"}))
        start = await pipe.said()
        assert start["type"] == "http.response.start", serving.exception()
        parts = []
        while (part := await pipe.said())["type"] == "http.response.body":
            parts.append(part.get("body", b""))
            if not part.get("more_body", False) or len(parts) == most:
                break
        pipe.incoming.put_nowait({"type": "http.disconnect"})
        await serving
        told = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in start["headers"]]
        return Answer(status=start["status"], headers=told, body=b"".join(parts))

    async def _talk(self, frames: tuple[dict[str, Any], ...], headers: Headers, patience: bool) -> "Talk":
        pipe = _Pipe()
        raw = _raw({"Host": "localhost", **headers}, 0)
        scope = {"type": "websocket", **_address("/ws/v1"), "headers": raw, "subprotocols": ["chat.v1"]}
        serving = asyncio.create_task(self._call(scope, pipe))
        pipe.incoming.put_nowait({"type": "websocket.connect"})
        assert (await pipe.said())["type"] == "websocket.accept"
        talk = Talk(replies=[], others=[], close_code=None)
        for frame in frames:
            pipe.incoming.put_nowait({"type": "websocket.receive", "text": json.dumps(frame)})
            while "req" in frame and talk.close_code is None and not talk.has(frame["req"]):
                talk.take(await pipe.said())
        while patience and talk.close_code is None:
            talk.take(await pipe.said())
        pipe.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await serving
        while not pipe.outgoing.empty():
            talk.take(pipe.outgoing.get_nowait())
        return talk


@dataclass
class Talk:
    """What was said on a socket: ``replies`` in order, everything else in ``others``."""

    replies: list[dict[str, Any]]
    others: list[dict[str, Any]]
    close_code: int | None

    def has(self, req: Any) -> bool:
        return any(reply["req"] == req for reply in self.replies)

    def take(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.close":
            self.close_code = message["code"]
            return
        frame = json.loads(message["text"])
        (self.replies if "req" in frame else self.others).append(frame)


class _Pipe:
    def __init__(self) -> None:
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def said(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            return await self.outgoing.get()


def _address(address: str) -> dict[str, Any]:
    path, _, query = address.partition("?")
    return {
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "client": ("127.0.0.1", 40_000),
        "server": ("localhost", 80),
    }


def _raw(headers: Headers, length: int) -> list[tuple[bytes, bytes]]:
    told = {"Host": "localhost", **headers, **({"Content-Length": str(length)} if length else {})}
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in told.items()]

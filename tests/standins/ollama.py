"""A stand-in Ollama server: real bytes over real sockets, steered by the name of the model.

    python tests/standins/ollama.py --port 0

prints one JSON line with the port it listens on. How models answer stands in ollama_behaviours.py, how they come and go
in ollama_shelf.py. Besides Ollama's own addresses it has GET /_standin/stats, POST /_standin/reset and POST
/_standin/release.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import socket
import struct
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

import ollama_answers as answers
from ollama_behaviours import Act, Behaviours, Record, Refusal, check
from ollama_shelf import Shelf

NDJSON = "application/x-ndjson"
JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
ROUTES = {
    "/": "GET",
    "/api/version": "GET",
    "/api/tags": "GET",
    "/api/ps": "GET",
    "/api/show": "POST",
    "/api/chat": "POST",
    "/api/generate": "POST",
    "/api/pull": "POST",
    "/api/delete": "DELETE",
    "/_standin/stats": "GET",
    "/_standin/reset": "POST",
    "/_standin/release": "POST",
}


class Stats:
    """What a test may ask: how many, what is open now, who left early and when, and what was sent."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.chats = 0
        self.active = 0
        self.peak = 0  # the most that were active at once
        self.finished = 0
        self.aborted: list[dict[str, Any]] = []
        self.bodies: deque[Record] = deque(maxlen=100)
        self.headers: deque[dict[str, str]] = deque(maxlen=100)

    def began(self, *, chat: bool = True) -> None:
        self.chats += chat
        self.active += 1
        self.peak = max(self.peak, self.active)

    def as_json(self, connections: int) -> dict[str, Any]:
        lists = {"bodies": list(self.bodies), "headers": list(self.headers), "aborted": self.aborted}
        counts = {"active": self.active, "peak": self.peak, "finished": self.finished, "connections": connections}
        return {"requests": dict(self.requests), "chats": self.chats, **counts, **lists}


class Server:
    def __init__(self, *, rate: float, older: bool) -> None:
        self.older = older
        self.behaviours = Behaviours(rate=rate)
        self.shelf = Shelf()
        self.stats = Stats()
        self.connections: set[Connection] = set()

    def reset(self) -> None:
        active = self.stats.active
        self.stats = Stats()
        self.stats.active = self.stats.peak = active
        self.behaviours.failures.clear()
        self.behaviours.release()
        self.shelf.restore()


class Connection(asyncio.Protocol):
    """One client: requests one after the other, each answered by a task that ends with the connection."""

    routes = ROUTES
    half = b'{"model":"m","created_at":"2026-08-21T12:00:00.1Z","message":{"role":"assistant","content":" \xf0'

    def __init__(self, server: Server) -> None:
        self.server = server
        self.transport: asyncio.Transport
        self.buffer = bytearray()
        self.task: asyncio.Task[None] | None = None
        self.chat: dict[str, Any] | None = None  # the request with a long answer that is being answered
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.connections.add(self)

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        """Also after a half-close: leaving is how a client cancels."""
        self.server.connections.discard(self)
        if self.chat is not None:
            self.server.stats.active -= 1
            self.server.stats.aborted.append({**self.chat, "at": time.time()})
            self.chat = None
        if self.task is not None:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.task is None:
            self.next_request()

    def next_request(self) -> None:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        request, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(self.buffer) < end + 4 + length:
            return
        body = bytes(self.buffer[end + 4 : end + 4 + length])
        del self.buffer[: end + 4 + length]
        method, target, _ = request.split(" ", 2)
        self.task = asyncio.get_running_loop().create_task(self.handle(method, target.partition("?")[0], headers, body))
        self.task.add_done_callback(self.handled)

    def handled(self, task: asyncio.Task[None]) -> None:
        self.task = None
        if task.cancelled():
            return
        if error := task.exception():
            self.transport.abort()
            raise error
        if not self.transport.is_closing():
            self.next_request()

    async def handle(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        if path not in self.routes:
            return self.reply(404, b"404 page not found", "text/plain")
        if method != self.routes[path]:
            return self.reply(405, b"405 method not allowed", "text/plain", Allow=self.routes[path])
        if path.startswith("/_standin/"):
            return self.control(path)
        if "origin" in headers:
            return self.reply(403, b"", "")
        self.server.stats.requests[path] += 1
        try:
            self.admit(headers)
            if method == "GET":
                return self.get(path)
            asked = parsed(body)
            self.server.stats.headers.append(headers)
            await self.answer_of(path)(asked)
        except Refusal as refusal:
            self.finish()
            self.refuse(refusal)

    def answer_of(self, path: str) -> Callable[[Record], Awaitable[None]]:
        others = {"/api/show": self.show, "/api/generate": self.generate, "/api/pull": self.pull}
        return {**others, "/api/delete": self.delete}.get(path, self.chat_answer)

    def admit(self, headers: dict[str, str]) -> None:
        """Raises Refusal for who may not ask."""

    def refuse(self, refusal: Refusal) -> None:
        self.reply(refusal.status, refusal.body, refusal.content_type, **refusal.headers)

    def control(self, path: str) -> None:
        if path.endswith("reset"):
            self.server.reset()
        elif path.endswith("release"):
            self.server.behaviours.release()
        stats = self.server.stats.as_json(len(self.server.connections) - 1)
        self.reply(200, json.dumps(stats).encode(), JSON)

    def get(self, path: str) -> None:
        if path == "/":
            return self.reply(200, b"Ollama is running", TEXT)
        body = {
            "/api/version": {"version": answers.VERSION},
            "/api/tags": answers.tags(older=self.server.older),
            "/api/ps": {"models": self.server.shelf.in_memory()},
        }[path]
        return self.reply(200, answers.go_json(body), JSON)

    async def show(self, asked: Record) -> None:
        name = named(asked)
        if not name:
            raise Refusal(400, {"error": "model is required"})
        model = answers.listed(name)
        if model is None:
            raise Refusal(404, {"error": f"model '{answers.full_name(name)}' not found"})
        body = answers.show(model)
        if self.server.older and "thinking" not in model["capabilities"]:
            del body["capabilities"]
        self.reply(200, answers.go_json(body), JSON)

    async def delete(self, asked: Record) -> None:
        name = named(asked)
        if not name:
            raise Refusal(400, {"error": 'name "" is invalid'})
        self.server.stats.bodies.append(asked)
        self.server.shelf.delete(name)
        self.reply(200, b"", "")

    async def pull(self, asked: Record) -> None:
        name = named(asked)
        if not name or re.search(r"[^\w./:@-]", name):
            raise Refusal(400, {"error": "invalid model name"})
        self.server.stats.bodies.append(asked)
        self.server.stats.began(chat=False)
        self.chat = {"model": name, "lines": 0}
        lines = self.server.shelf.pull(name, self.server.behaviours.gate)
        if asked.get("stream", True):
            return await self.stream(lines)
        records = [line async for line in self.without_hanging(lines) if isinstance(line, dict)]
        if "error" in records[-1]:
            raise Refusal(500, records[-1], content_type="application/json")
        self.finish()
        self.reply(200, answers.go_json(records[-1]), "application/json")

    async def generate(self, asked: Record) -> None:
        """Without a prompt it loads the model, or unloads it; with one it answers like /api/chat, in its own lines."""
        self.server.stats.bodies.append(asked)
        messages = [{"role": "user", "content": asked["prompt"]}] if asked.get("prompt") else []
        await self.answer({**asked, "messages": messages}, told=answers.as_generated)

    async def chat_answer(self, asked: Record) -> None:
        self.server.stats.bodies.append(asked)
        await self.answer(asked, told=lambda record: record)

    async def answer(self, asked: Record, *, told: Callable[[Record], Record]) -> None:
        shelf = self.server.shelf
        if not asked.get("messages"):
            check(asked)
            if asked["model"].startswith("slow-load") and asked.get("keep_alive") != 0:
                self.server.stats.began(chat=False)
                self.chat = {"model": asked["model"], "lines": 0}
                await asyncio.sleep(2)
                self.finish()
            done = answers.line(asked["model"], done=True) | {"done_reason": shelf.use(asked)}
            return self.reply(200, answers.go_json(told(done)), JSON)
        self.server.stats.began()
        self.chat = {"model": asked.get("model"), "lines": 0}
        check(asked)
        shelf.use(asked, answering=True)
        items = self.server.behaviours.answer(asked)
        try:
            if not asked.get("stream", True) or asked["model"] == "json-only":
                await self.whole([item async for item in self.without_hanging(items)], JSON, told=told)
            else:
                await self.stream(retold(items, told))
        finally:
            shelf.use(asked)

    async def whole(
        self, items: list[Any], content_type: str, *, told: Callable[[Record], Record] = lambda record: record
    ) -> None:
        """All lines as one object, as with stream:false."""
        records = [item for item in items if isinstance(item, dict)]
        records += [json.loads(item) for item in items if isinstance(item, bytes) and item.endswith(b"}\n")]
        error = next((record for record in records if "error" in record), None)
        if error is not None:
            raise Refusal(500, error)
        if not records:
            raise Refusal(500, {"error": "no answer"})
        answer = records[-1]
        for key in ("content", "thinking"):
            text = "".join(record["message"].get(key, "") for record in records)
            if text or key == "content":
                answer["message"][key] = text
        calls = [call for record in records for call in record["message"].get("tool_calls", [])]
        if calls:
            answer["message"]["tool_calls"] = calls
        self.finish()
        self.reply(200, answers.go_json(told(answer)), content_type)

    async def without_hanging(self, items: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for item in items:
            if item is Act.HANG:
                await asyncio.Event().wait()
            yield item

    async def stream(self, items: AsyncIterator[Any]) -> None:
        begun = False
        async for item in items:
            if item is Act.HANG:
                await asyncio.Event().wait()
            if not begun:
                begun = True
                self.head(200, NDJSON, {"Transfer-Encoding": "chunked"})
            match item:
                case dict():
                    self.finish() if is_last(item) else None
                    await self.chunk(answers.go_json(item) + b"\n")
                case bytes():
                    await self.chunk(item)
                case Act.RESET | Act.CUT:
                    return await self.break_off(reset=item is Act.RESET)
                case _:
                    pass
        self.finish()
        self.transport.write(b"0\r\n\r\n")

    async def chunk(self, data: bytes) -> None:
        if self.chat is not None:
            self.chat["lines"] += 1
        self.transport.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self.writable.wait()

    async def break_off(self, *, reset: bool) -> None:
        await self.chunk(self.half)
        await asyncio.sleep(0.05)  # let the client read what is whole before the connection breaks
        self.finish()
        if reset:
            raw = self.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def finish(self) -> None:
        """This request is answered: whoever leaves now does not cancel."""
        if self.chat is not None:
            self.chat = None
            self.server.stats.active -= 1
            self.server.stats.finished += 1

    def reply(self, status: int, body: bytes, content_type: str, **headers: str) -> None:
        self.head(status, content_type, {**headers, "Content-Length": str(len(body))})
        self.transport.write(body)

    def head(self, status: int, content_type: str, headers: dict[str, str]) -> None:
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = ""
        named = {"Content-Type": content_type, "Date": formatdate(usegmt=True), **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value)
        self.transport.write(f"HTTP/1.1 {status} {phrase}\r\n{lines}\r\n".encode())


async def retold(items: AsyncIterator[Any], told: Callable[[Record], Record]) -> AsyncIterator[Any]:
    async for item in items:
        yield told(item) if isinstance(item, dict) and "error" not in item else item


def is_last(line: Record) -> bool:
    return bool(line.get("done") or "error" in line or line.get("status") == "success")


def named(asked: Record) -> str:
    """The model that is meant; ``name`` is the older word."""
    return str(asked.get("model") or asked.get("name") or "")


def parsed(body: bytes) -> Record:
    if not body:
        raise Refusal(400, {"error": "missing request body"})
    try:
        asked = json.loads(body)
    except ValueError:
        raise Refusal(400, {"error": "unexpected EOF"}) from None
    if not isinstance(asked, dict):
        raise Refusal(400, {"error": "json: cannot unmarshal array into Go value of type api.ChatRequest"})
    return asked


async def main(options: argparse.Namespace, connection: type[Connection] = Connection) -> None:
    if options.no_models:
        answers.LISTED.clear()
    answers.LISTED += [answers.capable(answers.full_name(name)) for name in options.listed]
    server = Server(rate=options.rate, older=options.older)
    listening = await asyncio.get_running_loop().create_server(
        lambda: connection(server), "127.0.0.1", options.port, backlog=4096
    )
    print(json.dumps({"port": listening.sockets[0].getsockname()[1]}), flush=True)
    while options.parent is None or os.getppid() == options.parent:
        await asyncio.sleep(1)


def options_of(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=11434, help="0 picks a free one")
    parser.add_argument(
        "--rate", type=float, default=200.0, help="tokens a second of the ordinary models; 0 is no pause"
    )
    parser.add_argument("--parent", type=int, help="end when this process, its parent, has ended")
    parser.add_argument("--listed", nargs="*", default=[], help="names that are listed too, as able to do everything")
    parser.add_argument("--no-models", action="store_true", help="have none but those that are named or pulled")
    parser.add_argument("--older", action="store_true", help="list models as servers before capabilities did")
    return parser


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(options_of(__doc__).parse_args()))

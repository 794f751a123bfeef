"""A model server that costs next to nothing: Ollama's wire, every line built once, tokens by the clock.

``python -m tests.bench.upstream PORT``. The model's name says what it does (``words.Paced``). All streams share one
timer of a millisecond, so that hundreds of them do not become the bottleneck that is looked for elsewhere.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from functools import cache
from typing import cast

import uvloop

from tests.bench.rich_words import RICH
from tests.bench.words import PIECES, Paced, mark, piece

LISTED = ("200@50", "20000@max")
_MADE_AT = "2026-01-01T00:00:00.000000000Z"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
_DETAILS = {
    "format": "gguf",
    "family": "paced",
    "families": ["paced"],
    "parameter_size": "1B",
    "quantization_level": "Q4_0",
}
_BURST = 64  # lines a write where no rate is asked for
_UNSENT = 256 * 1024  # bytes that may wait for a reader before it is waited for


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@cache
def _line(model: str, text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    return _chunk(_json({"model": model, "created_at": _MADE_AT, "message": message, "done": False}) + b"\n")


@cache
def _lines(model: str, rich: bool) -> tuple[bytes, ...]:
    return tuple(_line(model, text) for text in (RICH if rich else PIECES))


def _last(model: str, tokens: int, nanoseconds: int) -> bytes:
    told = {
        "model": model,
        "created_at": _MADE_AT,
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": "stop",
        "total_duration": nanoseconds,
        "load_duration": 1,
        "prompt_eval_count": 7,
        "prompt_eval_duration": 1,
        "eval_count": tokens,
        "eval_duration": nanoseconds,
    }
    return _chunk(_json(told) + b"\n") + b"0\r\n\r\n"


class Clock:
    """Calls streams when their next token is due, to a millisecond."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: dict[int, list[Answer]] = {}
        self._at = 0
        self._ticks = False

    def call(self, at: float, answer: "Answer") -> None:
        now = int(self._loop.time() * 1000)
        if not self._ticks:
            self._ticks, self._at = True, now
            self._loop.call_later(0.001, self._tick)
        self._due.setdefault(max(int(at * 1000), self._at + 1), []).append(answer)

    def _tick(self) -> None:
        now = int(self._loop.time() * 1000)
        while self._at < now:
            self._at += 1
            for answer in self._due.pop(self._at, ()):
                answer.go_on()
        if self._due:
            self._loop.call_later(0.001, self._tick)
        else:
            self._ticks = False


class Answer:
    def __init__(self, connection: "Connection", model: str, paced: Paced) -> None:
        self._connection = connection
        self._model = model
        self._paced = paced
        self._said = 0
        self._asked = time.monotonic_ns()
        self._begins = connection.loop.time() + paced.after

    def begin(self) -> None:
        self._connection.transport.write(_HEAD)
        if self._paced.after:
            self._connection.clock.call(self._begins, self)
        else:
            self.go_on()

    def go_on(self) -> None:
        if self._connection.answer is not self:
            return  # its reader has gone
        if self._paced.rate:
            self._say(1)
        else:
            while self._said < self._paced.tokens and not self._connection.full:
                self._say(_BURST)
        if self._said >= self._paced.tokens:
            self._connection.transport.write(_last(self._model, self._paced.tokens, time.monotonic_ns() - self._asked))
            self._connection.finished()
        elif self._paced.rate:
            self._connection.clock.call(self._begins + self._said / self._paced.rate, self)

    def _say(self, most: int) -> None:
        upto = min(self._said + most, self._paced.tokens)
        self._connection.transport.write(b"".join(self._texts(self._said, upto)))
        self._said = upto

    def _texts(self, first: int, upto: int) -> Iterator[bytes]:
        lines = _lines(self._model, self._paced.rich)
        for number in range(first, upto):
            if number == 0:
                yield _line.__wrapped__(self._model, mark(time.monotonic_ns()))
            else:
                yield lines[number % len(lines)]


class Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self.loop = loop
        self.clock = clock
        self.answer: Answer | None = None
        self.full = False
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none of asyncio's classes
        self.transport.set_write_buffer_limits(high=_UNSENT)

    def connection_lost(self, fault: Exception | None) -> None:
        self.answer = None

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        if self.answer is not None:
            self.answer.go_on()

    def data_received(self, data: bytes) -> None:
        self._read += data
        self.finished()

    def finished(self) -> None:
        """Nothing is being answered: take the next request, once all of it has come."""
        self.answer = None
        head, found, rest = self._read.partition(b"\r\n\r\n")
        if not found:
            return
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        if len(rest) < length:
            return
        self._read = rest[length:]
        self._serve(head.split(b" ", 2)[1].decode(), rest[:length])

    def _serve(self, path: str, body: bytes) -> None:
        match path:
            case "/api/chat":
                model = json.loads(body)["model"]
                paced = Paced.named(model)
                if paced is None:
                    self._reply({"error": f"model '{model}' not found"}, b"404 Not Found")
                else:
                    self.answer = Answer(self, model, paced)
                    self.answer.begin()
            case "/api/version":
                self._reply({"version": "0.12.0"})
            case "/api/tags":
                self._reply({"models": [_described(number, name) for number, name in enumerate(LISTED)]})
            case "/api/ps":
                self._reply({"models": []})
            case "/api/show":
                capabilities = ["completion"]
                self._reply(
                    {"details": _DETAILS, "model_info": {"paced.context_length": 8192}, "capabilities": capabilities}
                )
            case _:
                self._reply({"error": "not found"}, b"404 Not Found")

    def _reply(self, value: object, status: bytes = b"200 OK") -> None:
        body = _json(value)
        head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.transport.write(head % (status, len(body)) + body)
        self.finished()


def _described(number: int, name: str) -> dict[str, object]:
    known = {"name": name, "model": name, "modified_at": _MADE_AT, "size": 1_000_000}
    return {**known, "digest": f"{number:064x}", "details": _DETAILS}


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    clock = Clock(loop)
    server = await loop.create_server(lambda: Connection(loop, clock), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    assert piece(len(PIECES)) == PIECES[0]
    uvloop.run(serve(int(sys.argv[1])))

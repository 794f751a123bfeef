"""Everything that a model server can do wrong to an answer, byte by byte, on both wires: one fault a test.

What comes of it for a reader is shown by tests/process/test_faults.py; the rows are those of docs/proofs.md.
"""

import asyncio
import json
import socket
import struct
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest

from streaming.protocol.errors import (
    ContextExceeded,
    ModelMissing,
    UpstreamBusy,
    UpstreamDropped,
    UpstreamError,
    UpstreamFailed,
    UpstreamKey,
    UpstreamProtocol,
    UpstreamRefused,
    UpstreamStalled,
    UpstreamTimeout,
    UpstreamTls,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from streaming.providers.attempts import attempts
from streaming.providers.base import Chunk, Finish, Provider, Text, ToolCall
from streaming.providers.ollama import OllamaProvider
from streaming.providers.openai import OpenAIProvider
from tests.support.asked import asking, everything, text_of
from tests.support.certificates import own_certificate

Answers = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Outcome = tuple[list[Chunk], UpstreamError | None]


@dataclass(frozen=True)
class Wire:
    """How one kind of model server says things."""

    kind: type[OllamaProvider] | type[OpenAIProvider]
    path: str
    content_type: str

    @property
    def head(self) -> bytes:
        return f"HTTP/1.1 200 OK\r\nContent-Type: {self.content_type}\r\nConnection: close\r\n\r\n".encode()

    @property
    def ollama(self) -> bool:
        return self.kind is OllamaProvider

    def record(self, body: bytes) -> bytes:
        return body + b"\n" if self.ollama else b"data: " + body + b"\n\n"

    def said(self, content: bytes) -> bytes:
        """A piece of text; ``content`` is the inside of a JSON text."""
        before, after = (b'{"message":', b"}") if self.ollama else (b'{"choices":[{"delta":', b"}]}")
        return self.record(before + b'{"content":"' + content + b'"}' + after)

    def called(self, *calls: dict[str, Any]) -> bytes:
        told = {"tool_calls": list(calls)}
        return self.record(json.dumps({"message": told} if self.ollama else {"choices": [{"delta": told}]}).encode())

    def error(self, words: str) -> bytes:
        return self.record(json.dumps({"error": words if self.ollama else {"message": words}}).encode())

    def done(self, reason: str = "stop", *, prompt: Any = 3, tokens: Any = 5) -> bytes:
        if self.ollama:
            counts = {"prompt_eval_count": prompt, "eval_count": tokens}
            return self.record(json.dumps({"done": True, "done_reason": reason, **counts}).encode())
        usage = {"prompt_tokens": prompt, "completion_tokens": tokens}
        ended = {"choices": [{"delta": {}, "finish_reason": reason}], "usage": usage}
        return self.record(json.dumps(ended).encode()) + self.record(b"[DONE]")


WIRES = {
    "ollama": Wire(OllamaProvider, "", "application/x-ndjson"),
    "openai": Wire(OpenAIProvider, "/v1", "text/event-stream"),
}


@pytest.fixture(params=WIRES.values(), ids=WIRES.keys())
def wire(request: pytest.FixtureRequest) -> Wire:
    found: Wire = request.param
    return found


@asynccontextmanager
async def serving(wire: Wire, answers: Answers, *, tls: Any = None, **numbers: Any) -> AsyncIterator[Provider]:
    """A provider whose model server does what ``answers`` does, with each request that has come whole."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"content-length: " in head:
            await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        with suppress(ConnectionError, asyncio.CancelledError):  # the test is over before it has said all
            await answers(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    scheme = "https" if tls else "http"
    address = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}{wire.path}"
    async with server:
        provider = wire.kind(base_url=address, **{"pace": 0.0, **numbers})
        try:
            yield provider
        finally:
            await provider.close()


def saying(*pieces: bytes) -> Answers:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return answer


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def told(wire: Wire, *pieces: bytes, **numbers: Any) -> Outcome:
    """What is made of an answer of these bytes."""
    async with serving(wire, saying(wire.head, *pieces), **numbers) as provider:
        return await everything(provider, asking("m"))


def refused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def test_a_refused_connection_is_tried_three_times_and_no_more(wire: Wire) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    provider = wire.kind(base_url=f"http://127.0.0.1:{refused_port()}{wire.path}")
    begun = time.monotonic()
    with pytest.raises(UpstreamUnreachable):
        async for _ in attempts(
            provider, asking("m"), attempts=3, delay=1.0, fallback_to_non_streaming=True, sleep=sleep
        ):
            pass
    assert waits == [1.0, 2.0]
    assert time.monotonic() - begun < 2.0
    await provider.close()


async def test_a_name_that_leads_nowhere_is_unreachable(wire: Wire) -> None:
    provider = wire.kind(base_url=f"http://no-such-host.invalid{wire.path}", connect=2.0)
    _, error = await everything(provider, asking("m"))
    assert (type(error), error.details) == (UpstreamUnreachable, {"reason": "dns"})
    await provider.close()


async def test_a_certificate_that_nobody_vouches_for_is_told_without_it(wire: Wire, tmp_path: Any) -> None:
    async with serving(wire, saying(wire.head), tls=own_certificate(tmp_path, "secret.internal")) as provider:
        _, error = await everything(provider, asking("m"))
    assert (type(error), error.message, error.details) == (UpstreamTls, UpstreamTls.sentence, None)


@pytest.mark.parametrize("after", ["nothing", "headers"])
async def test_silence_before_the_first_byte_ends_at_its_deadline(wire: Wire, after: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if after == "headers":
            writer.write(wire.head)
        await silence(reader, writer)

    begun = time.monotonic()
    async with serving(wire, answer, first_byte=0.2, idle=30.0) as provider:
        chunks, error = await everything(provider, asking("m"))
    assert (chunks, type(error)) == ([], UpstreamTimeout)
    assert 0.2 <= time.monotonic() - begun < 3.0


@pytest.mark.parametrize("pace", [0.0, 0.02])
async def test_silence_in_the_middle_is_a_stall_and_keeps_the_text(wire: Wire, pace: float) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(wire.head + wire.said(b"kept") + wire.said(b" too")[:-3])
        await silence(reader, writer)

    async with serving(wire, answer, first_byte=30.0, idle=0.2, pace=pace) as provider:
        chunks, error = await everything(provider, asking("m"))
    assert (text_of(chunks), type(error)) == ("kept", UpstreamStalled)


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("pace", [0.0, 0.02])
async def test_a_connection_that_breaks_inside_a_line_is_dropped_and_whole_lines_are_kept(
    wire: Wire, reset: bool, pace: float
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A chunk that is announced and does not come whole: without it, FIN would be a good end of the body.
        body = wire.said(b"kept") + wire.said(b" and lost")[:-3]
        writer.write(wire.head.replace(b"Connection: close", b"Transfer-Encoding: chunked"))
        writer.write(b"%x\r\n" % (len(body) + 9) + body)
        await writer.drain()
        await asyncio.sleep(0.05)  # a reset takes from the other side what it has not read yet
        if reset:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()

    async with serving(wire, answer, pace=pace) as provider:
        chunks, error = await everything(provider, asking("m"))
    assert (text_of(chunks), type(error)) == ("kept", UpstreamDropped)


@pytest.mark.parametrize("rest", [b"", b'{"half'])
async def test_a_clean_end_without_the_end_mark_completes_nothing(wire: Wire, rest: bytes) -> None:
    chunks, error = await told(wire, wire.said(b"kept"), rest)
    assert (text_of(chunks), type(error)) == ("kept", UpstreamTruncated)
    assert not any(isinstance(chunk, Finish) for chunk in chunks)


BODIES = {
    "JSON": ("application/json", b'{"error":"it broke"}'),
    "a page": ("text/html", b"<html><body>a secret</body></html>"),
    "nothing": ("", b""),
    "10 MB": ("application/json", b"x" * 10_000_000),
}
STATUSES = {
    400: UpstreamRefused,
    401: UpstreamKey,
    404: (ModelMissing, UpstreamProtocol),  # the latter where it is an address that is wrong
    429: UpstreamBusy,
    500: (UpstreamFailed, UpstreamError),
    502: UpstreamFailed,
    503: UpstreamBusy,
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("status", STATUSES)
async def test_every_error_status_has_its_code_whatever_its_body(wire: Wire, status: int, body: str) -> None:
    kind, text = BODIES[body]
    head = f"HTTP/1.1 {status} No\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}\r\nRetry-After: 7\r\n\r\n"
    async with serving(wire, saying(head.encode() + text)) as provider:
        chunks, error = await everything(provider, asking("m"))
    assert chunks == []
    assert isinstance(error, STATUSES[status]), error
    assert "secret" not in error.message + str(error.details)
    assert (error.retry_after_ms == 7000) == (status in (429, 500, 502, 503))
    assert ("administrator must check the key" in error.message) == (status == 401)


async def test_what_a_busy_server_asks_for_is_honoured_once(wire: Wire) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    busy = b"HTTP/1.1 429 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    async with serving(wire, saying(busy)) as provider:
        with pytest.raises(UpstreamBusy):
            async for _ in attempts(
                provider, asking("m"), attempts=3, delay=1.0, fallback_to_non_streaming=True, sleep=sleep
            ):
                pass
    assert waits == [7.0, 2.0]


async def test_a_page_instead_of_an_answer_is_a_protocol_error_and_is_not_shown(wire: Wire) -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html>a secret</html>"
    async with serving(wire, saying(page)) as provider:
        chunks, error = await everything(provider, asking("m"))
    assert (chunks, type(error)) == ([], UpstreamProtocol)
    assert "secret" not in error.message + str(error.details)


async def test_a_line_that_is_no_json_is_told_by_its_number_and_the_text_before_it_is_kept(wire: Wire) -> None:
    chunks, error = await told(wire, wire.said(b"kept"), wire.record(b"{nope}"), wire.said(b"after"))
    assert (text_of(chunks), type(error)) == ("kept", UpstreamProtocol)
    assert error.details == {"reason": "not_json", ("line" if wire.ollama else "event"): 2}


async def test_valid_characters_are_intact_wherever_they_are_cut(wire: Wire) -> None:
    said = "Grüße 👩‍💻 日本"
    body = wire.said(said.encode()) + wire.done()
    cuts = iter(range(1, len(body)))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at = next(cuts)
        writer.write(wire.head + body[:at])
        await writer.drain()
        await asyncio.sleep(0.001)
        writer.write(body[at:])

    async with serving(wire, answer) as provider:
        for _ in body[1:]:
            chunks, error = await everything(provider, asking("m"))
            assert (error, text_of(chunks)) == (None, said)


async def test_invalid_utf8_is_replaced_and_the_answer_goes_on(wire: Wire) -> None:
    chunks, error = await told(wire, wire.said(b"a\xff\xc3b"), wire.said("ü".encode()), wire.done())
    assert (error, text_of(chunks)) == (None, "a\ufffd\ufffdbü")


async def test_separators_and_controls_are_what_was_said(wire: Wire) -> None:
    raw = "a\u2028b\u2029c\u0085d\u007fe"
    escaped = rb"\u000b\f\u001b\u0000\ud800\udc01\ud800"
    chunks, error = await told(wire, wire.said(raw.encode() + escaped), wire.done())
    assert (error, text_of(chunks)) == (None, raw + "\v\f\x1b\0\U00010001\ud800")


async def test_a_line_without_an_end_stops_at_the_limit_and_costs_no_more(wire: Wire) -> None:
    sent = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(wire.head + wire.said(b"kept") + wire.said(b"")[:-8])
        while sent < 100_000_000:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent += 65_536

    async with serving(wire, answer, max_line=1_000_000) as provider:
        tracemalloc.start()
        try:
            chunks, error = await everything(provider, asking("m"))
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (text_of(chunks), type(error)) == ("kept", UpstreamProtocol)
    assert error.details == {"reason": "line_too_long", "max_line": 1_000_000}
    assert most < 8_000_000  # the line, and what stands in the buffers of both ends, which are here
    assert sent < 20_000_000


async def test_an_error_in_the_middle_ends_the_answer_with_its_words_where_they_are_safe(wire: Wire) -> None:
    for words, shown in (("the engine died", True), ("at http://me:pass@host/", False)):
        chunks, error = await told(wire, wire.said(b"kept"), wire.error(words), wire.done())
        assert (text_of(chunks), type(error)) == ("kept", UpstreamError)
        assert (words in error.message) is shown
    _, error = await told(wire, wire.error("request (9000 tokens) exceeds the available context size (8192 tokens)"))
    assert type(error) is ContextExceeded


async def test_words_with_the_key_in_them_are_shown_by_neither_a_refusal_nor_an_error_in_the_middle(wire: Wire) -> None:
    """A gateway in front of Ollama has a key as well. One that looks like none is known by being it."""
    key, words = "quiet-river", "no model for quiet-river today"
    for status in (400, 403, 500):
        body = wire.error(words).removeprefix(b"data: ").strip()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        async with serving(wire, saying(head.encode() + body), api_key=key) as provider:
            _, refused = await everything(provider, asking("m"))
        async with serving(wire, saying(head.encode() + body), api_key="another-one") as provider:
            _, shown = await everything(provider, asking("m"))
        assert ("river" in str(refused), words in str(shown)) == (False, True)
    _, failed = await told(wire, wire.said(b"a"), wire.error(words), api_key=key)
    _, shown = await told(wire, wire.said(b"a"), wire.error(words), api_key="another-one")
    assert ("river" in str(failed), words in str(shown)) == (False, True)


async def test_done_without_a_word_is_an_empty_answer(wire: Wire) -> None:
    chunks, error = await told(wire, wire.done())
    assert (error, [type(chunk) for chunk in chunks]) == (None, [Finish])


HOSTILE = {
    "NaN": b'{"n":NaN}',
    "Infinity": b'{"n":-Infinity}',
    "a number that is infinite": b'{"n":1e999}',
    "5,000 digits": b'{"n":' + b"9" * 5000 + b"}",
    "depth 10,000": b'{"n":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
}


@pytest.mark.parametrize("record", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_json_is_a_protocol_error_that_keeps_the_text_before_it(wire: Wire, record: bytes) -> None:
    chunks, error = await told(wire, wire.said(b"kept"), wire.record(record), wire.said(b"after"))
    assert (text_of(chunks), type(error)) == ("kept", UpstreamProtocol)


async def test_calls_without_ids_or_with_one_id_are_each_their_own(wire: Wire) -> None:
    def call(id: str | None, value: int) -> dict[str, Any]:
        arguments = {"n": value}
        function = {"name": "f", "arguments": arguments if wire.ollama else json.dumps(arguments)}
        return {"index": value, **({"id": id} if id else {}), "function": function}

    chunks, error = await told(
        wire, wire.called(call(None, 0), call("a", 1)), wire.called(call("a", 2)), wire.done("tool_calls")
    )
    calls = [chunk for chunk in chunks if isinstance(chunk, ToolCall)]
    assert error is None
    assert [call.arguments for call in calls] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert len({call.id for call in calls}) == 3


async def test_a_call_whose_stream_breaks_is_never_made(wire: Wire) -> None:
    function = {"name": "f", "arguments": {} if wire.ollama else '{"expression": "1'}
    whole = wire.called({"index": 0, "id": "a", "function": function})
    chunks, error = await told(wire, wire.said(b"kept"), whole[:-4] if wire.ollama else whole)
    assert (text_of(chunks), type(error)) == ("kept", UpstreamTruncated)
    assert not any(isinstance(chunk, ToolCall) for chunk in chunks)


async def test_a_server_that_ignores_the_stop_keeps_nobody_waiting(wire: Wire) -> None:
    left = asyncio.get_running_loop().create_future()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(wire.head)
            while True:
                writer.write(wire.said(b"on and on "))
                await writer.drain()
                await asyncio.sleep(0.005)
        except ConnectionError:
            left.set_result(time.monotonic())

    async with serving(wire, answer, pace=0.02) as provider:
        running = asyncio.ensure_future(everything(provider, asking("m")))
        await asyncio.sleep(0.1)
        asked = time.monotonic()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert time.monotonic() - asked < 1.0
        async with asyncio.timeout(5):
            assert await left - asked < 1.0


@pytest.mark.parametrize("reason", ["length", "content_filter"])
async def test_why_it_stopped_is_passed_on_and_absurd_counts_are_none(wire: Wire, reason: str) -> None:
    for count in (-1, 1.5, "7", 10**30, None, True):
        chunks, error = await told(wire, wire.said(b"cut"), wire.done(reason, prompt=count, tokens=count))
        assert (error, chunks[0]) == (None, Text("cut"))
        finish = chunks[-1]
        assert isinstance(finish, Finish)
        assert (finish.reason, finish.usage.prompt_tokens, finish.usage.completion_tokens) == (reason, None, None)


async def test_an_answer_that_nobody_asked_to_stream_costs_no_more_memory_than_its_bytes(wire: Wire) -> None:
    blank = b"\n" * 1_000_000
    async with serving(wire, saying(wire.head, wire.said(b"kept"), blank, wire.done())) as provider:
        tracemalloc.start()
        try:
            chunks = await provider.complete(asking("m"))
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (text_of(chunks), type(chunks[-1])) == ("kept", Finish)
    assert most < 4 * len(blank)


async def test_signs_of_life_are_read_no_faster_than_any_model_writes(wire: Wire) -> None:
    line = wire.said(b"") if wire.ollama else b": PROCESSING\n\n"
    noise = line * (1_500_000 // len(line))
    begun = time.monotonic()
    chunks, error = await told(wire, noise, wire.said(b"at last"), wire.done(), pace=0.02)
    assert (error, text_of(chunks)) == (None, "at last")
    assert time.monotonic() - begun > 0.4  # at a core's full speed it would be a tenth of that


async def test_a_long_call_does_not_wait_for_anything(wire: Wire) -> None:
    arguments = {"text": "x" * 4_000_000}
    function = {"name": "f", "arguments": arguments if wire.ollama else json.dumps(arguments)}
    begun = time.monotonic()
    chunks, error = await told(
        wire, wire.called({"index": 0, "id": "a", "function": function}), wire.done("tool_calls"), pace=0.02
    )
    assert (error, [type(chunk) for chunk in chunks]) == (None, [ToolCall, Finish])
    assert time.monotonic() - begun < 3.0


async def test_a_list_of_models_with_millions_of_values_is_none_and_holds_nobody_up(wire: Wire) -> None:
    body = b'{"models":[],"data":[' + b"{}," * 2_500_000 + b"{}]}"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with serving(wire, saying(head, body)) as provider:
        with pytest.raises(UpstreamProtocol):
            await provider.models()

"""The provider against a server in another process, over real sockets."""

import asyncio
import json
import socket
import time
from contextlib import aclosing, asynccontextmanager

import pytest

from streaming.protocol.errors import (
    InvalidRequest,
    ModelMissing,
    StreamingRefused,
    UpstreamBusy,
    UpstreamDropped,
    UpstreamError,
    UpstreamFailed,
    UpstreamProtocol,
    UpstreamRefused,
    UpstreamStalled,
    UpstreamTimeout,
    UpstreamTls,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from streaming.protocol.parameters import Parameters
from streaming.protocol.response_format import JsonSchema, ResponseFormat
from streaming.providers.base import ChatRequest, Finish, PromptMessage, Text, Thinking, ToolCall, ToolSpec
from streaming.providers.ollama import OllamaProvider
from tests.support.certificates import own_certificate

CALCULATOR = ToolSpec(name="calculator", description="Calculates", parameters={"type": "object", "properties": {}})


def asking(model: str, content: str = "Why is the sky blue?", **fields) -> ChatRequest:
    return ChatRequest(model=model, messages=(PromptMessage(role="user", content=content),), **fields)


@asynccontextmanager
async def provider_at(base_url: str, **numbers):
    provider = OllamaProvider(base_url=base_url, **{"pace": 0.0, **numbers})
    try:
        yield provider
    finally:
        await provider.close()


@pytest.fixture
async def ollama(standin):
    async with provider_at(standin.base_url, first_byte=5.0, idle=5.0) as provider:
        yield provider


async def everything(provider, request) -> tuple[list, UpstreamError | None]:
    chunks = []
    try:
        async with aclosing(provider.stream(request)) as batches:
            async for batch in batches:
                chunks += batch
    except UpstreamError as error:
        return chunks, error
    return chunks, None


async def seen(standin, condition, timeout=1.0) -> dict:
    """The stand-in's stats when they meet ``condition``; meanwhile the loop goes on, which has sockets to close."""
    return await asyncio.to_thread(standin.wait_for, condition, timeout=timeout)


def text_of(chunks, kind=Text) -> str:
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, kind))


async def test_an_answer_ends_with_its_finish(ollama):
    chunks, error = await everything(ollama, asking("llama3.2"))
    assert error is None
    assert text_of(chunks).startswith('You wrote: "Why is the sky blue?".')
    assert text_of(chunks).endswith("2 < 3 & 5 > 4. Grüße 👩‍💻!")
    assert chunks[-1].reason == "stop"
    assert chunks[-1].usage.completion_tokens > 30


async def test_tokens_come_while_the_answer_is_written(ollama, standin):
    async with aclosing(ollama.stream(asking("gated-3"))) as batches:
        first = ""
        while first != "t0 t1 t2":
            first += text_of(await anext(batches))
        standin.release()
        rest = [chunk async for batch in batches for chunk in batch]
    assert text_of(rest) == " t3 t4 t5"


async def test_thinking_and_tool_calls_come_as_chunks(ollama):
    chunks, _ = await everything(ollama, asking("qwen3:8b", "What is 2 + 3*4?", tools=(CALCULATOR,)))
    assert "Let me think." in text_of(chunks, Thinking)
    (call,) = (chunk for chunk in chunks if isinstance(chunk, ToolCall))
    assert (call.name, call.arguments) == ("calculator", {"expression": "2 + 3*4"})


async def test_think_tags_are_taken_out(ollama):
    chunks, _ = await everything(ollama, asking("think-tags"))
    assert (text_of(chunks, Thinking), text_of(chunks)) == ("Let me think.", "The answer is 4 < 5.")


async def test_the_request_carries_nothing_that_ollama_turns_down(ollama, standin):
    await everything(ollama, asking("llama3.2", parameters=Parameters(seed=7), think=False))
    stats = standin.stats()
    assert stats["bodies"] == [
        {
            "model": "llama3.2",
            "messages": [{"role": "user", "content": "Why is the sky blue?"}],
            "stream": True,
            "think": False,
            "options": {"seed": 7},
        }
    ]
    headers = stats["headers"][0]
    assert headers["accept-encoding"] == "identity"
    assert headers["host"] == f"127.0.0.1:{standin.port}"
    assert not {"origin", "cookie", "authorization"} & headers.keys()


async def test_parameters_that_are_not_json_are_the_callers_fault(ollama):
    with pytest.raises(InvalidRequest):
        await anext(ollama.stream(asking("llama3.2", parameters=Parameters(temperature=float("nan")))))


FAULTS = {
    "hang-headers": (UpstreamTimeout, ""),
    "hang-first": (UpstreamTimeout, ""),
    "hang-mid": (UpstreamStalled, "One two three"),
    "reset-mid": (UpstreamDropped, "One two three"),
    "eof-mid": (UpstreamDropped, "One two three"),
    "end-early": (UpstreamTruncated, "One two three"),
    "error-mid": (UpstreamError, "One two three"),
    "bad-json": (UpstreamProtocol, "One two three"),
    "html": (UpstreamProtocol, ""),
    "long-line": (UpstreamProtocol, ""),
    "nope": (ModelMissing, ""),
    "no-stream": (StreamingRefused, ""),
    "json-only": (StreamingRefused, ""),
    "flaky-1": (UpstreamFailed, ""),
    "nomic-embed-text": (UpstreamRefused, ""),
    "status-429": (UpstreamBusy, ""),
    "status-302": (UpstreamProtocol, ""),
    "trace/mid-stream-error.ndjson": (UpstreamError, "Once upon a"),
    "trace/first-line-error.ndjson": (UpstreamError, ""),
    "trace/empty-body.ndjson": (UpstreamTruncated, ""),
    "cut/empty-body.ndjson": (UpstreamDropped, ""),
    "trace/truncated-clean-eof.ndjson": (UpstreamTruncated, "partial answer"),
    "cut/truncated-clean-eof.ndjson": (UpstreamDropped, "partial answer"),
    "trace/truncated-mid-line.ndjson": (UpstreamTruncated, "partial text"),
    "cut/truncated-mid-line.ndjson": (UpstreamDropped, "partial text"),
}


@pytest.mark.parametrize("pace", [0.0, 0.02])
@pytest.mark.parametrize("model", FAULTS)
async def test_every_fault_has_its_error_and_keeps_what_came(model, pace, standin):
    kind, text = FAULTS[model]
    async with provider_at(standin.base_url, first_byte=0.4, idle=0.4, max_line=100_000, pace=pace) as provider:
        chunks, error = await everything(provider, asking(model))
    assert type(error) is kind
    assert text_of(chunks) == text
    assert not any(isinstance(chunk, Finish) for chunk in chunks)
    await seen(standin, lambda stats: (stats["active"], stats["connections"]) == (0, 0))


async def test_a_line_error_tells_the_line(ollama):
    _, error = await everything(ollama, asking("bad-json"))
    assert error.details == {"reason": "not_json", "line": 4}


async def test_an_error_body_is_not_shown_where_it_is_a_page(ollama):
    _, error = await everything(ollama, asking("html"))
    assert "secret" not in json.dumps([error.message, error.details])


async def test_retry_after_reaches_the_error(ollama):
    _, error = await everything(ollama, asking("status-429"))
    assert error.retry_after_ms == 1000


@pytest.mark.parametrize(
    "name", ["unicode-emoji.ndjson", "control-and-separator-characters.ndjson", "plain-answer.ndjson"]
)
async def test_text_arrives_unharmed(name, ollama, expected):
    chunks, error = await everything(ollama, asking(f"trace/{name}"))
    assert (error, text_of(chunks)) == (None, expected[name]["content"])


async def test_a_stream_that_is_paced_brings_the_same_in_fewer_batches(standin):
    async def batches(pace: float) -> list:
        async with provider_at(standin.base_url, pace=pace) as provider:
            return [batch async for batch in provider.stream(asking("slow-60@200"))]

    at_once, paced = await batches(0.0), await batches(0.06)
    joined = [text_of([chunk for batch in some for chunk in batch]) for some in (at_once, paced)]
    assert joined[0] == joined[1] == " ".join(f"t{i}" for i in range(60))
    assert len(paced) <= 8 < len(at_once)


async def test_the_pause_does_not_slow_a_fast_answer(standin):
    async def seconds(pace: float) -> float:
        begun = time.monotonic()
        async with provider_at(standin.base_url, pace=pace) as provider:
            chunks, _ = await everything(provider, asking("slow-8000@max"))
        assert isinstance(chunks[-1], Finish)
        return time.monotonic() - begun

    assert await seconds(0.5) < await seconds(0.0) + 1.5


async def test_the_first_token_does_not_wait(standin):
    async with (
        provider_at(standin.base_url, pace=5.0) as provider,
        aclosing(provider.stream(asking("slow-9@5"))) as batches,
    ):
        begun = time.monotonic()
        assert text_of(await anext(batches)) == "t0"
        assert time.monotonic() - begun < 4.0


def refused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


async def test_a_refused_connection_is_unreachable_at_once():
    begun = time.monotonic()
    async with provider_at(f"http://127.0.0.1:{refused_port()}") as provider:
        _, error = await everything(provider, asking("llama3.2"))
    assert type(error) is UpstreamUnreachable
    assert time.monotonic() - begun < 3.0


async def test_a_name_that_leads_nowhere_is_unreachable():
    async with provider_at("http://no-such-host.invalid:11434", connect=2.0) as provider:
        _, error = await everything(provider, asking("llama3.2"))
    assert (type(error), error.details) == (UpstreamUnreachable, {"reason": "dns"})
    assert "no-such-host" not in error.message


async def test_an_address_that_swallows_connections_is_unreachable_in_time():
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        filling = [socket.socket() for _ in range(4)]
        for one in filling:
            one.setblocking(False)
            one.connect_ex(deaf.getsockname())
        async with provider_at(f"http://127.0.0.1:{deaf.getsockname()[1]}", connect=0.3) as provider:
            _, error = await everything(provider, asking("llama3.2"))
        for one in filling:
            one.close()
    assert type(error) is UpstreamUnreachable


@pytest.mark.parametrize("tls", [True, False])
async def test_tls_that_fails_is_told_without_the_certificate(tls, tmp_path):
    async def serve(reader, writer):
        writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n")
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(
        serve, "127.0.0.1", 0, ssl=own_certificate(tmp_path, "secret.internal") if tls else None
    )
    async with server, provider_at(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}") as provider:
        _, error = await everything(provider, asking("llama3.2"))
    assert (type(error), error.message, error.details) == (UpstreamTls, UpstreamTls.sentence, None)


async def raw_server(answer: bytes):
    """A server that says ``answer`` to whatever it is asked, and closes."""

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", UpstreamDropped),
        (b"SSH-2.0-OpenSSH_9.2\r\n", UpstreamProtocol),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 99\r\n\r\n{", UpstreamDropped),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi", UpstreamProtocol),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Encoding: gzip\r\n"
            b"Content-Length: 1\r\n\r\n{",
            UpstreamProtocol,
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", UpstreamProtocol),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", UpstreamRefused),
    ],
)
async def test_whatever_answers_there_has_its_error(answer, kind):
    server = await raw_server(answer)
    async with server, provider_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as provider:
        _, error = await everything(provider, asking("llama3.2"))
    assert type(error) is kind


STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b'{"message":{"content":"kept"}}\n{"message":{"content":"' + b"x" * 3000, UpstreamProtocol, "kept"),
        (b'{"message":{"content":"4 <"}}\n', UpstreamTruncated, "4 <"),
    ],
)
async def test_everything_that_came_whole_is_kept(body, kind, text):
    server = await raw_server(STREAM + body)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, provider_at(address, max_line=2000) as provider:
        chunks, error = await everything(provider, asking("llama3.2"))
    assert (type(error), text_of(chunks)) == (kind, text)


async def test_a_body_over_the_limit_is_told_as_such():
    server = await raw_server(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b"x" * 5000)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, provider_at(address, max_line=2000) as provider:
        with pytest.raises(UpstreamProtocol) as caught:
            await provider.complete(asking("llama3.2"))
    assert caught.value.details == {"reason": "body_too_long", "max_line": 2000}


async def test_a_huge_error_body_is_not_read():
    head = b"HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\nContent-Length: 99000000\r\n\r\n"
    read = 0

    async def serve(reader, writer):
        nonlocal read
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        try:
            while read < 99_000_000:
                writer.write(b"x" * 65_536)
                await writer.drain()
                read += 65_536
        except ConnectionError:
            pass

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, provider_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as provider:
        _, error = await everything(provider, asking("llama3.2"))
        assert type(error) is UpstreamFailed
        await asyncio.sleep(0.05)
    assert read < 20_000_000


async def test_an_error_body_that_never_ends_does_not_hold_the_error_back_for_long(monkeypatch):
    monkeypatch.setattr("streaming.providers.upstream._ERROR_BODY_DEADLINE", 0.2)

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 Busy\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, provider_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as provider:
        _, error = await everything(provider, asking("llama3.2"))
    assert type(error) is UpstreamBusy


async def test_closing_the_iterator_stops_the_model(ollama, standin):
    async with aclosing(ollama.stream(asking("slow-1000@50"))) as batches:
        await anext(batches)
        assert standin.stats()["active"] == 1
    (left,) = (await seen(standin, lambda stats: stats["aborted"]))["aborted"]
    assert left["lines"] < 200


@pytest.mark.parametrize("model", ["hang-headers", "hang-first", "hang-mid", "slow-1000@50"])
@pytest.mark.parametrize("pace", [0.0, 10.0])
async def test_cancelling_stops_the_model_within_a_second(model, pace, standin):
    async with provider_at(standin.base_url, pace=pace) as provider:
        run = asyncio.ensure_future(everything(provider, asking(model)))
        await seen(standin, lambda stats: stats["active"])
        await asyncio.sleep(0.1)
        cancelled = time.time()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        (left,) = (await seen(standin, lambda stats: stats["aborted"]))["aborted"]
    assert left["at"] - cancelled < 1.0


async def test_cancelling_stops_an_answer_without_streaming_too(ollama, standin):
    run = asyncio.ensure_future(ollama.complete(asking("hang-mid")))
    await seen(standin, lambda stats: stats["active"])
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await seen(standin, lambda stats: len(stats["aborted"]) == 1)


async def test_hundreds_of_cancelled_requests_leave_nothing_behind(standin):
    async with provider_at(standin.base_url) as provider:
        for _ in range(10):
            models = ["hang-headers", "hang-first", "slow-1000@100"] * 10
            runs = [asyncio.ensure_future(everything(provider, asking(model))) for model in models]
            for number, run in enumerate(runs):
                asyncio.get_running_loop().call_later(number * 0.002, run.cancel)
            await asyncio.gather(*runs, return_exceptions=True)
        await seen(standin, lambda stats: (stats["active"], stats["connections"]) == (0, 0))
        chunks, error = await everything(provider, asking("llama3.2"))
    assert (error, type(chunks[-1])) == (None, Finish)


async def test_many_more_streams_than_a_usual_pool_run_at_once(standin):
    async with provider_at(standin.base_url) as provider:
        runs = [asyncio.ensure_future(everything(provider, asking("gated-1"))) for _ in range(250)]
        await seen(standin, lambda stats: stats["active"] == 250, timeout=10)
        standin.release()
        results = await asyncio.gather(*runs)
    assert all(error is None for _, error in results)


async def test_an_answer_without_streaming_is_one_batch(ollama, standin):
    chunks = await ollama.complete(asking("no-stream"))
    assert [type(chunk) for chunk in chunks] == [Text, Finish]
    assert standin.stats()["bodies"][0]["stream"] is False


async def test_an_answer_without_streaming_may_think_and_call(ollama):
    chunks = await ollama.complete(asking("qwen3:8b", "What is 1+1?", tools=(CALCULATOR,)))
    assert [type(chunk) for chunk in chunks] == [Thinking, ToolCall, Finish]


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("end-early", UpstreamTruncated),
        ("error-mid", UpstreamFailed),
        ("html", UpstreamProtocol),
        ("nope", ModelMissing),
        ("long-line", UpstreamFailed),
    ],
)
async def test_an_answer_without_streaming_has_its_errors(model, kind, ollama):
    with pytest.raises(UpstreamError) as caught:
        await ollama.complete(asking(model))
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"x" * 5000, UpstreamProtocol),
        (b"{nope}", UpstreamProtocol),
        (b"", UpstreamTruncated),
        (b'{"error":"no"}', UpstreamError),
    ],
)
async def test_a_bad_body_without_streaming_has_its_error(body, kind):
    server = await raw_server(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + body)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, provider_at(address, max_line=2000) as provider:
        with pytest.raises(UpstreamError) as caught:
            await provider.complete(asking("llama3.2"))
    assert type(caught.value) is kind


async def test_a_password_in_the_address_is_sent_and_never_shown():
    asked = asyncio.get_running_loop().create_future()

    async def serve(reader, writer):
        asked.set_result(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, provider_at(f"http://me:hush@127.0.0.1:{port}/") as provider:
        await everything(provider, asking("llama3.2"))
        assert provider.shown_url == f"http://127.0.0.1:{port}"
    assert b"authorization: basic bwu6ahvzaa==" in (await asked).lower()


FORM = ResponseFormat(type="json_schema", json_schema=JsonSchema(name="person", schema={"type": "object"}))


@pytest.mark.parametrize("whole", [False, True])
async def test_a_form_of_which_it_can_make_no_grammar_is_left_out_at_once_and_that_is_told(whole, ollama, standin):
    request = asking("no-form", response_format=FORM)
    chunks = await ollama.complete(request) if whole else (await everything(ollama, request))[0]
    assert (text_of(chunks), chunks[-1].left_out) == ('{"name": "Ada", "age": 36}', ("response_format",))
    assert ["format" in body for body in standin.stats()["bodies"]] == [True, False]


async def test_another_fault_of_a_request_with_a_form_is_that_fault(ollama, standin):
    _, error = await everything(ollama, asking("status-400", response_format=FORM))
    assert isinstance(error, UpstreamRefused)
    assert len(standin.stats()["bodies"]) == 1

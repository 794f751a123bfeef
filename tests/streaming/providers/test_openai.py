"""The provider against a server in another process, over real sockets."""

import asyncio
import json
import socket
import time
from contextlib import aclosing, asynccontextmanager

import openai as official
import pytest

from streaming.protocol.errors import (
    ContextExceeded,
    InvalidRequest,
    ModelMissing,
    StreamingRefused,
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
from streaming.protocol.objects import Usage
from streaming.protocol.parameters import Parameters
from streaming.protocol.response_format import JsonSchema, ResponseFormat
from streaming.providers.base import (
    ChatRequest,
    Finish,
    PromptCall,
    PromptMessage,
    Text,
    Thinking,
    ToolCall,
    ToolSpec,
)
from streaming.providers.openai import OpenAIProvider
from streaming.providers.openai_errors import NOT_OPENAI
from tests.support.asked import asking, everything, raw_server, text_of
from tests.support.standin import OpenAIStandIn

CALCULATOR = ToolSpec(name="calculator", description="Calculates", parameters={"type": "object", "properties": {}})
KEY = "sk-of-nobody-0123456789"


@asynccontextmanager
async def provider_at(base_url: str, **numbers):
    provider = OpenAIProvider(base_url=base_url, **{"pace": 0.0, **numbers})
    try:
        yield provider
    finally:
        await provider.close()


@pytest.fixture
async def provider(compatible):
    async with provider_at(compatible.base_url, first_byte=5.0, idle=5.0) as provider:
        yield provider


async def seen(compatible, condition, timeout=1.0) -> dict:
    """The stand-in's stats when they meet ``condition``; meanwhile the loop goes on, which has sockets to close."""
    return await asyncio.to_thread(compatible.wait_for, condition, timeout=timeout)


def refused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


async def test_an_answer_ends_with_its_finish_and_is_counted(provider):
    chunks, error = await everything(provider, asking("llama3.2"))
    assert error is None
    assert text_of(chunks).startswith('You wrote: "Why is the sky blue?".')
    assert text_of(chunks).endswith("2 < 3 & 5 > 4. Grüße 👩‍💻!")
    assert chunks[-1].reason == "stop"
    assert chunks[-1].usage.completion_tokens > 30


async def test_tokens_come_while_the_answer_is_written(provider, compatible):
    async with aclosing(provider.stream(asking("gated-3"))) as batches:
        first = ""
        while first != "t0 t1 t2":
            first += text_of(await anext(batches))
        compatible.release()
        rest = [chunk async for batch in batches for chunk in batch]
    assert text_of(rest) == " t3 t4 t5"


async def test_thinking_and_tool_calls_come_as_chunks(provider):
    chunks, _ = await everything(provider, asking("qwen3:8b", "What is 2 + 3*4?", tools=(CALCULATOR,)))
    assert "Let me think." in text_of(chunks, Thinking)
    (call,) = (chunk for chunk in chunks if isinstance(chunk, ToolCall))
    assert (call.name, call.arguments) == ("calculator", {"expression": "2 + 3*4"})


async def test_the_request_is_what_was_asked_and_no_more(provider, compatible):
    await everything(provider, asking("llama3.2", parameters=Parameters(temperature=0.5)))
    stats = compatible.stats()
    assert stats["bodies"] == [
        {
            "temperature": 0.5,
            "model": "llama3.2",
            "messages": [{"role": "user", "content": "Why is the sky blue?"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ]
    headers = stats["headers"][0]
    assert headers["accept-encoding"] == "identity"
    assert headers["content-type"] == "application/json"
    assert not {"origin", "cookie", "authorization"} & headers.keys()


async def test_parameters_that_are_not_json_are_the_callers_fault(provider):
    with pytest.raises(InvalidRequest):
        await anext(provider.stream(asking("llama3.2", parameters=Parameters(temperature=float("nan")))))


THREE_WORDS = "One two three"
FAULTS = {
    "hang-headers": (UpstreamTimeout, ""),
    "hang-first": (UpstreamTimeout, ""),
    "hang-mid": (UpstreamStalled, THREE_WORDS),
    "reset-mid": (UpstreamDropped, THREE_WORDS),
    "eof-mid": (UpstreamDropped, THREE_WORDS),
    "end-early": (UpstreamTruncated, THREE_WORDS),
    "only-mark": (UpstreamTruncated, THREE_WORDS),
    "error-mid": (UpstreamError, THREE_WORDS),
    "error-event": (UpstreamError, THREE_WORDS),
    "error-beside": (UpstreamError, THREE_WORDS),
    "error-first": (UpstreamError, ""),
    "bad-json": (UpstreamProtocol, THREE_WORDS),
    "html": (UpstreamProtocol, ""),
    "long-line": (UpstreamProtocol, ""),
    "broken-call": (UpstreamDropped, ""),
    "nope": (ModelMissing, ""),
    "no-stream": (StreamingRefused, ""),
    "json-only": (StreamingRefused, ""),
    "flaky-1": (UpstreamFailed, ""),
    "nomic-embed-text": (UpstreamRefused, ""),
    "status-302": (UpstreamProtocol, ""),
    "status-400": (ContextExceeded, ""),
    "status-401": (UpstreamKey, ""),
    "status-404": (ModelMissing, ""),
    "status-413": (UpstreamRefused, ""),
    "status-429": (UpstreamBusy, ""),
    "status-500": (UpstreamFailed, ""),
    "status-502": (UpstreamFailed, ""),
    "status-503": (UpstreamBusy, ""),
    "trace/mid-stream-error.sse": (UpstreamError, "Once upon"),
    "trace/mid-stream-error-named-event.sse": (UpstreamError, ""),
    "trace/mid-stream-error-swallowed-ollama-v1.sse": (UpstreamTruncated, "Hello"),
    "cut/mid-stream-error-swallowed-ollama-v1.sse": (UpstreamDropped, "Hello"),
    "trace/truncated-no-finish.sse": (UpstreamTruncated, "partial answer"),
    "cut/truncated-no-finish.sse": (UpstreamDropped, "partial answer"),
    "trace/empty-body.ndjson": (UpstreamTruncated, ""),
    "cut/empty-body.ndjson": (UpstreamDropped, ""),
}


@pytest.mark.parametrize("pace", [0.0, 0.02])
@pytest.mark.parametrize("model", FAULTS)
async def test_every_fault_has_its_error_and_keeps_what_came(model, pace, compatible):
    kind, text = FAULTS[model]
    async with provider_at(compatible.base_url, first_byte=0.4, idle=0.4, max_line=100_000, pace=pace) as provider:
        chunks, error = await everything(provider, asking(model))
    assert type(error) is kind
    assert text_of(chunks) == text
    assert not any(isinstance(chunk, Finish | ToolCall) for chunk in chunks)
    await seen(compatible, lambda stats: (stats["active"], stats["connections"]) == (0, 0))


COMPLETE = [
    "openai-plain-usage.sse",
    "openai-tool-calls-incremental.sse",
    "reasoning-content-deepseek.sse",
    "ollama-v1-reasoning-usage.sse",
    "ollama-v1-tool-calls-whole.sse",
    "vllm-tool-call-id-every-chunk.sse",
    "openrouter-keepalive-comments.sse",
    "sse-framing-variants.sse",
]


@pytest.mark.parametrize("way", ["trace", "cut", "slow", "sliced-1", "sliced-7"])
@pytest.mark.parametrize("name", COMPLETE)
async def test_every_trace_arrives_unharmed_in_every_slice(name, way, compatible, expected):
    async with provider_at(compatible.base_url, pace=0.01) as provider:
        chunks, error = await everything(provider, asking(f"{way}/{name}"))
    row = expected[name]
    assert (error, chunks[-1].reason) == (None, row["finish_reason"])
    assert (text_of(chunks), text_of(chunks, Thinking)) == (row["content"], row["thinking"])
    calls = [(call.id, call.name, call.arguments) for call in chunks if isinstance(call, ToolCall)]
    assert calls == [(call["id"], call["name"], call["arguments"]) for call in row["tool_calls"]]


@pytest.mark.parametrize("model", ["no-mark", "hangs-on", "pings-on"])
async def test_after_its_reason_to_stop_an_answer_is_whole_and_a_server_that_goes_on_is_not_waited_for(
    model, provider, compatible, monkeypatch
):
    monkeypatch.setattr("streaming.providers.http_provider._LAST_WORDS", 0.3)
    begun = time.monotonic()
    chunks, error = await everything(provider, asking(model))
    assert (error, text_of(chunks), chunks[-1]) == (None, THREE_WORDS, Finish(reason="stop", usage=Usage()))
    assert time.monotonic() - begun < 2.0
    await seen(compatible, lambda stats: (stats["active"], stats["connections"]) == (0, 0))


async def test_comments_are_signs_of_life(compatible):
    async with provider_at(compatible.base_url, first_byte=0.3, idle=0.3) as provider:
        chunks, error = await everything(provider, asking("pings-first"))
    assert (error, text_of(chunks)) == (None, THREE_WORDS)


async def test_a_call_that_the_length_cut_is_not_whole(provider):
    chunks, error = await everything(provider, asking("cut-call"))
    calls = [(call.name, call.arguments) for call in chunks if isinstance(call, ToolCall)]
    assert (error, chunks[-1].reason) == (None, "length")
    assert calls == [("calculator", {"expression": "0 * 7"}), ("calculator", None)]


async def test_an_event_error_tells_the_event(provider):
    _, error = await everything(provider, asking("bad-json"))
    assert error.details == {"reason": "not_json", "event": 5}


async def test_an_error_body_is_not_shown_where_it_is_a_page(provider):
    _, error = await everything(provider, asking("html"))
    assert "secret" not in json.dumps([error.message, error.details])


async def test_retry_after_reaches_the_error(provider):
    _, error = await everything(provider, asking("status-429"))
    assert error.retry_after_ms == 1000


@pytest.mark.parametrize(("model", "left_out"), [("no-tools", "tools"), ("no-options", "stream_options")])
async def test_what_a_server_does_not_take_is_left_out_at_once_and_from_then_on(model, left_out, provider, compatible):
    for _ in range(2):
        chunks, error = await everything(provider, asking(model, tools=(CALCULATOR,)))
        assert (error, text_of(chunks)) == (None, THREE_WORDS)
    assert [left_out in body for body in compatible.stats()["bodies"]] == [True, False, False]


async def test_thinking_that_is_not_taken_back_is_left_out(provider, compatible):
    call = PromptCall(id="a", name="calculator", arguments={})
    said = PromptMessage(role="assistant", content="", thinking="Hm.", tool_calls=(call,))
    messages = (*asking("m").messages, said, PromptMessage(role="tool", content="4", tool_call_id="a"))
    request = ChatRequest(model="no-thoughts", messages=messages, tools=(CALCULATOR,))
    for _ in range(2):
        chunks, error = await everything(provider, request)
        assert (error, text_of(chunks)) == (None, THREE_WORDS)
    bodies = compatible.stats()["bodies"]
    assert ["reasoning_content" in body["messages"][1] for body in bodies] == [True, False, False]
    assert all("tools" in body for body in bodies)


async def test_who_asked_is_told_each_time_what_the_server_did_not_take(provider):
    async def told(**asked) -> tuple[str, ...]:
        chunks, _ = await everything(provider, asking("no-tools", **asked))
        return chunks[-1].left_out

    assert [await told(tools=(CALCULATOR,), tools_wished=True) for _ in range(2)] == [("tools",)] * 2
    assert await told(tools=(CALCULATOR,)) == ()  # merely offered: nobody misses them
    assert await told() == ()


async def test_what_was_learnt_is_not_believed_for_ever(provider, compatible, monkeypatch):
    monkeypatch.setattr("streaming.providers.openai._BELIEVED", 0.0)
    for _ in range(2):
        await everything(provider, asking("no-tools", tools=(CALCULATOR,)))
    assert ["tools" in body for body in compatible.stats()["bodies"]] == [True, False, True, False]


async def test_a_model_that_does_not_take_tools_is_listed_without_them():
    with OpenAIStandIn("--listed", "no-tools") as standin:
        async with provider_at(standin.base_url) as provider:
            assert "tools" in (await provider.models())[-1].capabilities
            await everything(provider, asking("no-tools", tools=(CALCULATOR,)))
            assert (await provider.models())[-1].capabilities == ("completion",)


async def test_a_stream_that_is_paced_brings_the_same_in_fewer_batches(compatible):
    async def batches(pace: float) -> list:
        async with provider_at(compatible.base_url, pace=pace) as provider:
            return [batch async for batch in provider.stream(asking("slow-60@200"))]

    at_once, paced = await batches(0.0), await batches(0.06)
    joined = [text_of([chunk for batch in some for chunk in batch]) for some in (at_once, paced)]
    assert joined[0] == joined[1] == " ".join(f"t{i}" for i in range(60))
    assert len(paced) <= 10 < len(at_once)


async def test_a_refused_connection_is_unreachable_at_once():
    begun = time.monotonic()
    async with provider_at(f"http://127.0.0.1:{refused_port()}/v1") as provider:
        _, error = await everything(provider, asking("llama3.2"))
    assert type(error) is UpstreamUnreachable
    assert time.monotonic() - begun < 3.0


async def test_a_name_that_leads_nowhere_is_unreachable():
    async with provider_at("https://no-such-host.invalid/v1", connect=2.0) as provider:
        _, error = await everything(provider, asking("llama3.2"))
    assert (type(error), error.details) == (UpstreamUnreachable, {"reason": "dns"})
    assert "no-such-host" not in error.message


async def test_tls_that_fails_is_told_without_a_word_of_the_other_side():
    async def serve(reader, writer):
        writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n")
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server, provider_at(address, api_key=KEY) as provider:
        _, error = await everything(provider, asking("llama3.2"))
    assert (type(error), error.message, error.details) == (UpstreamTls, UpstreamTls.sentence, None)


STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", UpstreamDropped),
        (b"SSH-2.0-OpenSSH_9.2\r\n", UpstreamProtocol),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 99\r\n\r\nd", UpstreamDropped),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi", UpstreamProtocol),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 2\r\n\r\n{}", UpstreamProtocol),
        (STREAM[:-2] + b"Content-Encoding: gzip\r\n\r\nd", UpstreamProtocol),
        (b"HTTP/1.1 204 No Content\r\n\r\n", UpstreamProtocol),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", UpstreamRefused),
    ],
)
async def test_whatever_answers_there_has_its_error(answer, kind):
    server, address = await raw_server(answer)
    async with server, provider_at(address) as provider:
        _, error = await everything(provider, asking("llama3.2"))
    assert type(error) is kind


WORD = b'data: {"choices":[{"delta":{"content":"kept"}}]}\n\n'


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (WORD + b'data: {"choices":[{"delta":{"content":"' + b"x" * 3000, UpstreamProtocol, "kept"),
        (WORD + b"data: {}\n" * 800, UpstreamProtocol, "kept"),
        (WORD.replace(b"kept", b"4 <"), UpstreamTruncated, "4 <"),
        (WORD.rstrip() + b"\n", UpstreamTruncated, "kept"),
        (WORD + b'data: {"choices":\n', UpstreamTruncated, "kept"),
    ],
)
async def test_everything_that_came_whole_is_kept(body, kind, text):
    server, address = await raw_server(STREAM + body)
    async with server, provider_at(address, max_line=2000) as provider:
        chunks, error = await everything(provider, asking("llama3.2"))
    assert (type(error), text_of(chunks)) == (kind, text)


async def test_a_huge_error_body_is_not_read():
    head = b"HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\nContent-Length: 99000000\r\n\r\n"
    sent = 0

    async def serve(reader, writer):
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        try:
            while sent < 99_000_000:
                writer.write(b"x" * 65_536)
                await writer.drain()
                sent += 65_536
        except ConnectionError:
            pass

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, provider_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as provider:
        _, error = await everything(provider, asking("llama3.2"))
        assert type(error) is UpstreamFailed
        await asyncio.sleep(0.05)
    assert sent < 20_000_000


async def test_closing_the_iterator_stops_the_model(provider, compatible):
    async with aclosing(provider.stream(asking("slow-1000@50"))) as batches:
        await anext(batches)
        assert compatible.stats()["active"] == 1
    (left,) = (await seen(compatible, lambda stats: stats["aborted"]))["aborted"]
    assert left["lines"] < 200


@pytest.mark.parametrize("model", ["hang-headers", "hang-first", "hang-mid", "slow-1000@50", "hangs-on"])
@pytest.mark.parametrize("pace", [0.0, 10.0])
async def test_cancelling_stops_the_model_within_a_second(model, pace, compatible):
    async with provider_at(compatible.base_url, pace=pace) as provider:
        run = asyncio.ensure_future(everything(provider, asking(model)))
        await seen(compatible, lambda stats: stats["active"])
        await asyncio.sleep(0.1)
        cancelled = time.time()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        (left,) = (await seen(compatible, lambda stats: stats["aborted"]))["aborted"]
    assert left["at"] - cancelled < 1.0


async def test_cancelling_stops_an_answer_without_streaming_too(provider, compatible):
    run = asyncio.ensure_future(provider.complete(asking("hang-mid")))
    await seen(compatible, lambda stats: stats["active"])
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await seen(compatible, lambda stats: len(stats["aborted"]) == 1)


async def test_hundreds_of_cancelled_requests_leave_nothing_behind(compatible):
    async with provider_at(compatible.base_url) as provider:
        for _ in range(10):
            models = ["hang-headers", "hang-first", "slow-1000@100"] * 10
            runs = [asyncio.ensure_future(everything(provider, asking(model))) for model in models]
            for number, run in enumerate(runs):
                asyncio.get_running_loop().call_later(number * 0.002, run.cancel)
            await asyncio.gather(*runs, return_exceptions=True)
        await seen(compatible, lambda stats: (stats["active"], stats["connections"]) == (0, 0))
        chunks, error = await everything(provider, asking("llama3.2"))
    assert (error, type(chunks[-1])) == (None, Finish)


async def test_an_answer_without_streaming_is_one_batch(provider, compatible):
    chunks = await provider.complete(asking("no-stream"))
    assert [type(chunk) for chunk in chunks] == [Text, Finish]
    body = compatible.stats()["bodies"][0]
    assert (body["stream"], "stream_options" in body) == (False, False)


async def test_an_answer_without_streaming_may_think_and_call(provider):
    chunks = await provider.complete(asking("qwen3:8b", "What is 1+1?", tools=(CALCULATOR,)))
    assert [type(chunk) for chunk in chunks] == [Thinking, ToolCall, Finish]


async def test_a_server_that_streams_all_the_same_is_taken_at_its_word():
    stop = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
    server, address = await raw_server(STREAM + WORD + stop)
    async with server, provider_at(address) as provider:
        assert [type(chunk) for chunk in await provider.complete(asking("llama3.2"))] == [Text, Finish]


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("end-early", UpstreamTruncated),
        ("error-mid", UpstreamFailed),
        ("html", UpstreamProtocol),
        ("nope", ModelMissing),
        ("status-401", UpstreamKey),
    ],
)
async def test_an_answer_without_streaming_has_its_errors(model, kind, provider):
    with pytest.raises(UpstreamError) as caught:
        await provider.complete(asking(model))
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"x" * 5000, UpstreamProtocol),
        (b"{nope}", UpstreamProtocol),
        (b"", UpstreamTruncated),
        (b'{"error":"no"}', UpstreamError),
        (b'{"error":{"message":"maximum context length is 7"}}', ContextExceeded),
    ],
)
async def test_a_bad_body_without_streaming_has_its_error(body, kind):
    server, address = await raw_server(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + body
    )
    async with server, provider_at(address, max_line=2000) as provider:
        with pytest.raises(UpstreamError) as caught:
            await provider.complete(asking("llama3.2"))
    assert type(caught.value) is kind


async def test_the_key_is_sent_and_who_has_another_one_is_told_so_without_it():
    with OpenAIStandIn("--key", KEY) as standin:
        async with provider_at(standin.base_url, api_key=KEY) as provider:
            assert (await everything(provider, asking("llama3.2")))[1] is None
            assert await provider.models()
        async with provider_at(standin.base_url, api_key="another-key-of-theirs") as provider:
            _, error = await everything(provider, asking("llama3.2"))
            with pytest.raises(UpstreamKey) as caught:
                await provider.models()
            told = [
                error.message,
                error.details,
                repr(error),
                repr(caught.value),
                repr(provider),
                repr(provider._client),
            ]
    assert type(error) is UpstreamKey
    assert "administrator must check the key" in error.message
    assert "another-key" not in json.dumps(told)


async def test_a_key_that_comes_back_in_an_error_is_not_shown():
    said = json.dumps({"error": {"message": "no access for tiny-key here"}}).encode()
    frame = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nConnection: close\r\n\r\n"
    refused = frame % (b"403 Forbidden", b"application/json") + said
    broken = frame % (b"200 OK", b"text/event-stream") + b"data: " + said + b"\n\n"
    for answer in (refused, broken):
        server, address = await raw_server(answer)
        async with server, provider_at(address, api_key="tiny-key") as provider:
            _, error = await everything(provider, asking("llama3.2"))
        assert isinstance(error, UpstreamError)
        assert "tiny-key" not in repr(error) + error.message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_nobody_else_gets_the_key_by_a_redirect(status, compatible):
    head = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {compatible.base_url}/models\r\nContent-Length: 0\r\n\r\n"
    server, address = await raw_server(head.encode())
    async with server, provider_at(address, api_key=KEY) as provider:
        _, error = await everything(provider, asking("llama3.2"))
        with pytest.raises(UpstreamProtocol):
            await provider.models()
    assert type(error) is UpstreamProtocol
    assert compatible.stats()["requests"] == {}


async def test_the_models_that_can_chat_are_listed(provider):
    models = await provider.models()
    assert [model.full_name for model in models] == ["openai/qwen3:8b", "openai/llama3.2", "openai/plain"]
    assert {model.capabilities for model in models} == {("completion", "tools")}


async def test_a_dead_server_is_told_with_its_remedy():
    port = refused_port()
    async with provider_at(f"http://127.0.0.1:{port}/v1", api_key=KEY) as provider:
        with pytest.raises(UpstreamUnreachable) as caught:
            await provider.models()
    address = f"http://127.0.0.1:{port}/v1"
    assert caught.value.message == (
        f"No OpenAI-compatible server answers at {address}. Start it, or set OPENAI_BASE_URL otherwise."
    )


async def test_a_server_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr("streaming.providers.openai._LISTING_DEADLINE", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        async with provider_at(f"http://127.0.0.1:{silent.getsockname()[1]}/v1") as provider:
            with pytest.raises(UpstreamTimeout):
                await provider.models()


@pytest.mark.parametrize("path", ["/elsewhere", ""])
async def test_an_address_that_is_wrong_is_told_as_such(path, compatible):
    async with provider_at(f"http://127.0.0.1:{compatible.port}{path}") as provider:
        with pytest.raises(UpstreamProtocol) as caught:
            await provider.models()
    assert caught.value.message == NOT_OPENAI


@pytest.mark.parametrize("body", [b"{nope}", b"<html>", b"{}", b'"ok"'])
async def test_what_is_no_list_of_models_is_told_as_such(body):
    server, address = await raw_server(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" + body
    )
    async with server, provider_at(address) as provider:
        with pytest.raises(UpstreamProtocol) as caught:
            await provider.models()
    assert caught.value.message == NOT_OPENAI


# --- the official client, asked about the stand-in: does it speak the wire that everything above is proved with? ---


@pytest.fixture
async def client(compatible):
    async with official.AsyncOpenAI(base_url=compatible.base_url, api_key="any", max_retries=0) as client:
        yield client


TOOL = {"type": "function", "function": {"name": "calculator", "parameters": {"type": "object", "properties": {}}}}
QUESTION = [{"role": "user", "content": "What is 2 + 3*4?"}]


async def test_the_official_client_reads_the_stand_ins_stream_as_we_do(client, provider):
    ours, _ = await everything(provider, asking("llama3.2"))
    stream = await client.chat.completions.create(
        model="llama3.2",
        messages=[{"role": "user", "content": "Why is the sky blue?"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    text, reasons, usage = "", [], None
    async for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reasons += [choice.finish_reason] if choice.finish_reason else []
    assert (text, reasons) == (text_of(ours), [ours[-1].reason])
    assert (usage.prompt_tokens, usage.completion_tokens) == (
        ours[-1].usage.prompt_tokens,
        ours[-1].usage.completion_tokens,
    )


async def test_the_official_client_joins_the_stand_ins_calls_as_we_do(client, provider):
    ours, _ = await everything(provider, asking("parallel-tools", "What is 2 + 3*4?", tools=(CALCULATOR,)))
    async with client.chat.completions.stream(model="parallel-tools", messages=QUESTION, tools=[TOOL]) as stream:
        whole = await stream.get_final_completion()
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in whole.choices[0].message.tool_calls]
    assert calls == [(call.name, call.arguments) for call in ours if isinstance(call, ToolCall)]
    assert len(calls) == 2


async def test_the_official_client_takes_the_stand_ins_whole_answer_and_its_list(client):
    whole = await client.chat.completions.create(model="qwen3:8b", messages=QUESTION, tools=[TOOL])
    (call,) = whole.choices[0].message.tool_calls
    assert (whole.choices[0].finish_reason, call.function.name) == ("tool_calls", "calculator")
    assert [model.id async for model in client.models.list()] == ["qwen3:8b", "llama3.2", "nomic-embed-text", "plain"]


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("status-401", official.AuthenticationError),
        ("status-429", official.RateLimitError),
        ("nope", official.NotFoundError),
        ("error-mid", official.APIError),
    ],
)
async def test_the_official_client_sees_the_stand_ins_errors(model, kind, client):
    async def ask() -> None:
        async for _ in await client.chat.completions.create(model=model, messages=QUESTION, stream=True):
            pass

    with pytest.raises(kind):
        await ask()


FORM = ResponseFormat(type="json_schema", json_schema=JsonSchema(name="person", schema={"type": "object"}))


async def test_a_form_that_a_server_does_not_take_is_left_out_from_then_on_and_each_time_that_is_told(
    provider, compatible
):
    for _ in range(2):
        chunks, _ = await everything(provider, asking("no-form", response_format=FORM))
        assert (text_of(chunks), chunks[-1].left_out) == ('{"name": "Ada", "age": 36}', ("response_format",))
    assert ["response_format" in body for body in compatible.stats()["bodies"]] == [True, False, False]

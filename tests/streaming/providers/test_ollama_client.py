"""The official client of Ollama, asked about the stand-in: does it speak the wire that so much is proved with?"""

import asyncio
from datetime import UTC, datetime

import ollama as official
import pytest

from streaming.providers.base import ChatRequest, PromptMessage, Text, Thinking, ToolCall, ToolSpec
from streaming.providers.ollama import OllamaProvider

QUESTION = [{"role": "user", "content": "What is 2 + 3*4?"}]
TOOL = {"type": "function", "function": {"name": "calculator", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
async def client(standin):
    async with official.AsyncClient(host=standin.base_url) as client:
        yield client


@pytest.fixture
async def provider(standin):
    provider = OllamaProvider(base_url=standin.base_url, pace=0)
    yield provider
    await provider.close()


async def ours(provider, model, *, tools=()):
    messages = (PromptMessage(role="user", content=QUESTION[0]["content"]),)
    request = ChatRequest(model=model, messages=messages, tools=tools)
    return [chunk async for batch in provider.stream(request) for chunk in batch]


async def lines_of(answer):
    return [line async for line in await answer]


async def in_memory(client):
    return {model.name: model for model in (await client.ps()).models}


@pytest.mark.parametrize("model", ["llama3.2", "qwen3:8b", "think-3@max"])
async def test_it_reads_the_stream_as_we_do(model, client, provider):
    chunks = await ours(provider, model)
    lines = await lines_of(client.chat(model=model, messages=QUESTION, stream=True))
    for kind, name in ((Text, "content"), (Thinking, "thinking")):
        said = "".join(getattr(line.message, name) or "" for line in lines)
        assert said == "".join(chunk.text for chunk in chunks if isinstance(chunk, kind))
    assert [line.done for line in lines] == [False] * (len(lines) - 1) + [True]
    assert (lines[-1].done_reason, lines[-1].prompt_eval_count, lines[-1].eval_count) == (
        chunks[-1].reason,
        chunks[-1].usage.prompt_tokens,
        chunks[-1].usage.completion_tokens,
    )


@pytest.mark.parametrize("streamed", [True, False])
async def test_it_takes_the_calls_as_we_do(streamed, client, provider):
    tool = ToolSpec(name="calculator", description="", parameters={"type": "object", "properties": {}})
    expected = [
        (chunk.name, chunk.arguments)
        for chunk in await ours(provider, "parallel-tools", tools=(tool,))
        if isinstance(chunk, ToolCall)
    ]
    if streamed:
        lines = await lines_of(client.chat(model="parallel-tools", messages=QUESTION, tools=[TOOL], stream=True))
    else:
        lines = [await client.chat(model="parallel-tools", messages=QUESTION, tools=[TOOL])]
    calls = [call.function for line in lines for call in line.message.tool_calls or []]
    assert [(call.name, dict(call.arguments)) for call in calls] == expected
    assert len(calls) == 2


async def test_it_takes_a_whole_answer_with_its_thinking(client):
    whole = await client.chat(model="qwen3:8b", messages=QUESTION, think=True)
    assert whole.message.thinking.startswith("The user asks")
    assert "Rayleigh" in whole.message.content
    assert (whole.done, whole.done_reason) == (True, "stop")
    without = await client.chat(model="qwen3:8b", messages=QUESTION, think=False)
    assert without.message.thinking is None


async def test_it_reads_what_there_is(client):
    listed = (await client.list()).models
    assert [model.model for model in listed] == [
        "qwen3:8b",
        "llama3.2:latest",
        "nomic-embed-text:latest",
        "plain:latest",
    ]
    assert listed[0].details.parameter_size == "8.2B"
    shown = await client.show("qwen3:8b")
    assert shown.capabilities == ["completion", "tools", "thinking"]
    assert shown.modelinfo[f"{shown.modelinfo['general.architecture']}.context_length"] == 40960
    (loaded,) = (await client.ps()).models
    assert (loaded.model, loaded.context_length) == ("qwen3:8b", 8192)
    assert loaded.expires_at > datetime.now(UTC)
    version = await client._client.get("/api/version")  # it has no call for this one
    assert version.json() == {"version": "0.32.15"}


@pytest.mark.parametrize(
    ("model", "more", "status", "error"),
    [
        ("nope", {}, 404, "model 'nope' not found"),
        ("a b!!", {}, 400, "invalid model name"),
        ("plain", {"think": True}, 400, '"plain" does not support thinking'),
        ("plain", {"tools": [TOOL]}, 400, "registry.ollama.ai/library/plain:latest does not support tools"),
        ("nomic-embed-text", {}, 400, '"nomic-embed-text" does not support chat'),
        ("qwen3:8b", {"keep_alive": "soon"}, 400, 'time: invalid duration "soon"'),
        (
            "qwen3:8b",
            {"think": "ultra"},
            400,
            'invalid think value: "ultra" (must be "high", "medium", "low", "max", true, or false)',
        ),
        ("status-503", {}, 503, "server busy, please try again.  maximum pending requests exceeded"),
        ("error-mid", {}, -1, "an error was encountered while running the model: unexpected EOF"),
    ],
)
async def test_it_sees_the_errors_that_are_on_record(model, more, status, error, client, http_errors):
    with pytest.raises(official.ResponseError) as caught:
        await lines_of(client.chat(model=model, messages=QUESTION, stream=True, **more))
    assert (caught.value.status_code, caught.value.error) == (status, error)
    assert status in (-1, 503) or any(error in row["body"].replace("\\", "") for row in http_errors["ollama"])


async def test_nobody_shows_or_deletes_what_is_not_there(client):
    for ask, name in ((client.show, "nope:latest"), (client.delete, "nope")):
        with pytest.raises(official.ResponseError) as caught:
            await ask("nope")
        assert (caught.value.status_code, caught.value.error) == (404, f"model '{name}' not found")


async def test_a_model_is_loaded_kept_and_unloaded(client):
    answer = await client.generate(model="llama3.2", keep_alive="10m")
    assert (answer.done, answer.done_reason, answer.response) == (True, "load", "")
    loaded = await in_memory(client)
    assert set(loaded) == {"qwen3:8b", "llama3.2:latest"}
    left = loaded["llama3.2:latest"].expires_at - datetime.now(UTC)
    assert 590 < left.total_seconds() <= 600
    answer = await client.generate(model="llama3.2", keep_alive=0)
    assert (answer.done, answer.done_reason) == (True, "unload")
    assert set(await in_memory(client)) == {"qwen3:8b"}
    assert (await client.chat(model="llama3.2", messages=[])).done_reason == "load"
    assert (await client.chat(model="llama3.2", messages=[], keep_alive=0)).done_reason == "unload"


async def test_whoever_is_asked_is_loaded_for_as_long_as_the_request_says(client):
    await client.chat(model="llama3.2", messages=QUESTION, keep_alive=-1, options={"num_ctx": 2048})
    kept = (await in_memory(client))["llama3.2:latest"]
    assert (kept.context_length, kept.expires_at.year > 2300) == (2048, True)
    await client.chat(model="llama3.2", messages=QUESTION, keep_alive=0)
    assert set(await in_memory(client)) == {"qwen3:8b"}


async def test_a_generated_answer_is_the_one_of_a_chat_in_its_own_lines(client):
    chat = await client.chat(model="qwen3:8b", messages=QUESTION)
    lines = await lines_of(client.generate(model="qwen3:8b", prompt=QUESTION[0]["content"], stream=True))
    assert "".join(line.response for line in lines) == chat.message.content
    assert "".join(line.thinking or "" for line in lines) == chat.message.thinking


async def test_a_model_is_pulled_listed_answers_and_is_deleted(client):
    progress = await lines_of(client.pull("smollm2:135m", stream=True))
    said = [line.status.partition(" ")[0] for line in progress]
    assert (said[0], said[-3:]) == ("pulling", ["verifying", "writing", "success"])
    (*_, last) = [line for line in progress if line.total and line.total > 10_000]
    assert (last.completed, last.digest.startswith("sha256:")) == (last.total, True)
    assert (await client.list()).models[0].model == "smollm2:135m"
    assert (await client.chat(model="smollm2:135m", messages=QUESTION)).done
    assert (await client.delete("smollm2:135m")).status == "success"
    assert "smollm2:135m" not in [model.model for model in (await client.list()).models]


async def test_the_lines_of_a_pull_are_those_on_record(client, standin):
    async with client._client.stream("POST", "/api/pull", json={"model": "pull-2@max"}) as answer:
        assert answer.headers["content-type"] == "application/x-ndjson"
        lines = [line async for line in answer.aiter_lines()]
    assert lines[0] == '{"status":"pulling manifest"}'
    assert [list(line.split('"')[1::2]) for line in lines[1:3]] == [
        ["status", lines[1].split('"')[3], "digest", lines[1].split('"')[7], "total"],
        ["status", lines[1].split('"')[3], "digest", lines[1].split('"')[7], "total", "completed"],
    ]
    assert lines[-3:] == [
        '{"status":"verifying sha256 digest"}',
        '{"status":"writing manifest"}',
        '{"status":"success"}',
    ]


async def test_what_cannot_be_pulled_says_so_in_a_line_and_is_not_listed(client):
    for name, error in (
        ("missing", "pull model manifest: file does not exist"),
        ("error-pull", "max retries exceeded: unexpected EOF"),
    ):
        with pytest.raises(official.ResponseError, match=error) as caught:
            await lines_of(client.pull(name, stream=True))
        assert caught.value.status_code == -1  # the status was 200 already
        with pytest.raises(official.ResponseError, match=error) as caught:
            await client.pull(name)
        assert caught.value.status_code == 500
    assert len((await client.list()).models) == 4


async def test_a_pull_whose_client_leaves_ends_and_one_that_waits_goes_on(client, standin):
    answer = await client.pull("gated-pull", stream=True)
    while (await anext(answer)).completed is None:
        pass
    await answer.aclose()
    assert standin.wait_for(lambda stats: stats["aborted"])["aborted"][0]["model"] == "gated-pull"
    whole = asyncio.create_task(client.pull("gated-pull"))
    await asyncio.to_thread(standin.wait_for, lambda stats: stats["active"] == 1)
    await asyncio.sleep(0.05)  # until it waits
    standin.release()
    assert (await whole).status == "success"
    assert (await client.list()).models[0].model == "gated-pull:latest"

"""A real llama.cpp server, asked over real sockets: what stand-ins show holds for the server that many run."""

import asyncio

import pytest

from streaming.protocol.errors import ContextExceeded, UpstreamDropped, UpstreamUnreachable
from streaming.protocol.parameters import Parameters
from streaming.providers.base import ChatRequest, PromptMessage, Text, ToolSpec
from streaming.providers.openai import OpenAIProvider
from tests.support.standin import LlamaCpp

pytestmark = pytest.mark.live

CALCULATOR = ToolSpec(name="calculator", description="Adds.", parameters={"type": "object", "properties": {}})


@pytest.fixture(scope="module")
def llama():
    with LlamaCpp() as llama:
        yield llama


@pytest.fixture
async def provider(llama):
    provider = OpenAIProvider(base_url=llama.base_url)
    yield provider
    await provider.close()


def asking(question="hello", *, tools=(), **parameters):
    messages = (PromptMessage(role="system", content="be brief"), PromptMessage(role="user", content=question))
    return ChatRequest(
        model="tiny", messages=messages, tools=tools, parameters=Parameters(temperature=0, seed=1, **parameters)
    )


async def everything(provider, request):
    return [chunk async for batch in provider.stream(request) for chunk in batch]


def text_of(chunks):
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, Text))


async def test_its_model_is_listed_with_the_context_that_is_in_force(provider):
    (model,) = await provider.models()
    assert (model.full_name, model.capabilities, model.context_length) == ("openai/tiny", ("completion", "tools"), 8192)
    assert model.size_bytes > 100_000


@pytest.mark.parametrize("tools", [(), (CALCULATOR,)])
async def test_a_stream_says_what_the_whole_answer_says_and_ends_by_length(tools, provider):
    request = asking(max_tokens=60, tools=tools)
    streamed, whole = await everything(provider, request), await provider.complete(request)
    assert text_of(streamed) == text_of(whole) != ""
    for chunks in (streamed, whole):
        assert chunks[-1].reason == "length"
        assert chunks[-1].usage.completion_tokens == 60
        assert chunks[-1].usage.prompt_tokens > len("hello")


async def test_a_stop_word_ends_it(provider):
    whole = text_of(await everything(provider, asking(max_tokens=60)))
    stopped = await everything(provider, asking(max_tokens=60, stop=whole[10:12]))
    assert (text_of(stopped), stopped[-1].reason) == (whole[:10], "stop")


@pytest.mark.parametrize("way", ["stream", "complete"])
async def test_what_does_not_fit_has_the_right_code_and_both_numbers(way, provider):
    request = asking("x" * 9000)
    with pytest.raises(ContextExceeded) as caught:
        await (provider.complete(request) if way == "complete" else everything(provider, request))
    assert caught.value.details["n_ctx"] == 8192
    assert caught.value.details["n_prompt_tokens"] > 9000


async def test_closing_the_stream_frees_its_slot(llama, provider):
    answer = provider.stream(asking())  # it would write for a quarter of a minute
    await anext(answer)
    assert await asyncio.to_thread(lambda: llama.busy)
    await answer.aclose()
    await asyncio.to_thread(llama.wait_until_free)


async def test_a_server_that_is_killed_in_mid_answer_has_dropped_it_and_then_is_not_there():
    with LlamaCpp() as llama:
        provider = OpenAIProvider(base_url=llama.base_url)
        answer = provider.stream(asking())
        await anext(answer)
        llama.stop()
        with pytest.raises(UpstreamDropped):
            [_ async for _ in answer]
        with pytest.raises(UpstreamUnreachable):
            await everything(provider, asking())
        await provider.close()

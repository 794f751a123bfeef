"""The models of a server, asked over real sockets."""

import socket
import time

import pytest

from streaming.protocol.errors import UpstreamError, UpstreamProtocol, UpstreamTimeout, UpstreamUnreachable
from streaming.protocol.parameters import Parameters
from streaming.providers.base import ModelInfo
from streaming.providers.ollama import OllamaProvider
from tests.support.asked import asking, everything
from tests.support.standin import StandIn


@pytest.fixture
async def provider_at():
    made = []

    def make(base_url: str, **numbers) -> OllamaProvider:
        made.append(OllamaProvider(base_url=base_url, **numbers))
        return made[-1]

    yield make
    for provider in made:
        await provider.close()


async def test_the_models_that_can_chat_are_listed_with_what_they_can_do(standin, provider_at):
    models = await provider_at(standin.base_url).models()
    assert [model.full_name for model in models] == ["ollama/qwen3:8b", "ollama/llama3.2:latest", "ollama/plain:latest"]
    assert models[0] == ModelInfo(
        provider="ollama",
        name="qwen3:8b",
        capabilities=("completion", "tools", "thinking"),
        context_length=8192,
        size_bytes=5225388164,
        parameter_size="8.2B",
        loaded=True,
        thinking_levels=(),
        cannot_see=True,
    )
    assert (models[1].loaded, models[1].context_length) == (False, 131072)


async def test_where_the_list_says_all_nothing_more_is_asked(standin, provider_at):
    await provider_at(standin.base_url).models()
    assert standin.stats()["requests"] == {"/api/tags": 1, "/api/ps": 1}


async def test_a_model_is_always_asked_for_with_the_context_that_was_configured(standin, provider_at):
    provider = provider_at(standin.base_url, num_ctx={"": 16384, "qwen3:8b": 999_999})
    contexts = {model.name: model.context_length for model in await provider.models()}
    assert contexts == {"qwen3:8b": 40960, "llama3.2:latest": 16384, "plain:latest": 8192}  # never above what it can
    for model in ("qwen3:8b", "llama3.2:latest", "llama3.2:latest"):
        await everything(provider, asking(model, parameters=Parameters(context_length=512)))
    assert [body["options"] for body in standin.stats()["bodies"]] == [
        {"num_ctx": 40960},
        {"num_ctx": 16384},
        {"num_ctx": 16384},
    ]


async def test_older_servers_are_asked_about_each_model_once(provider_at):
    with StandIn("--older") as older:
        provider = provider_at(older.base_url)
        first = await provider.models()
        assert await provider.models() == first
        assert older.stats()["requests"]["/api/show"] == 4
    assert [model.name for model in first] == ["qwen3:8b", "llama3.2:latest", "plain:latest"]
    assert first[0].capabilities == ("completion", "tools", "thinking")
    assert (first[1].capabilities, first[1].context_length) == ((), 131072)


async def test_what_was_shown_is_believed_for_a_while_only(provider_at):
    with StandIn("--older") as older:
        provider = provider_at(older.base_url, models_ttl=0.0)
        await provider.models()
        await provider.models()
        assert older.stats()["requests"]["/api/show"] == 8


async def test_a_dead_server_is_told_with_its_remedy(provider_at):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UpstreamUnreachable) as caught:
        await provider_at(f"http://me:hush@127.0.0.1:{port}").models()
    assert caught.value.message == (
        f"Ollama does not answer at http://127.0.0.1:{port}. Start it with `ollama serve`, or set OLLAMA_BASE_URL."
    )


async def test_a_server_that_hangs_is_given_up(provider_at, monkeypatch):
    monkeypatch.setattr("streaming.providers.ollama._LISTING_DEADLINE", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        begun = time.monotonic()
        with pytest.raises(UpstreamTimeout):
            await provider_at(f"http://127.0.0.1:{silent.getsockname()[1]}").models()
        assert time.monotonic() - begun < 2


async def test_another_kind_of_server_is_told(standin, provider_at):
    with pytest.raises(UpstreamError) as caught:
        await provider_at(standin.base_url + "/elsewhere").models()
    assert type(caught.value) is UpstreamProtocol

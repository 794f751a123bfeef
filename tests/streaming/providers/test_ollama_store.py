"""Pulling, loading and deleting at an Ollama, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from streaming.protocol.errors import (
    ModelMissing,
    PullUnknown,
    UpstreamDiskFull,
    UpstreamDropped,
    UpstreamFailed,
    UpstreamProtocol,
    UpstreamStalled,
    UpstreamTimeout,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from streaming.providers.demo import DemoProvider
from streaming.providers.model_store import ModelStore, store_of
from streaming.providers.ollama import OllamaProvider
from streaming.providers.pull_wire import PullProgress
from tests.support.environment import free_port
from tests.support.standin import OpenAIStandIn, StandIn


@pytest.fixture
def own() -> AsyncIterator[StandIn]:
    """Its list changes."""
    with StandIn() as standin:
        yield standin


@pytest.fixture
async def provider(own: StandIn) -> AsyncIterator[OllamaProvider]:
    made = OllamaProvider(base_url=own.base_url)
    yield made
    await made.close()


@pytest.fixture
def store(provider: OllamaProvider) -> ModelStore:
    return provider.store


async def pulled(store: ModelStore, name: str) -> list[PullProgress]:
    return [progress async for progress in store.pull(name)]


async def test_what_was_pulled_is_listed_and_the_progress_is_told(store, provider):
    told = await pulled(store, "paced-5-100")
    assert told[-1] == PullProgress(status="success", completed=5_000_000, total=5_000_000)
    assert [each.completed for each in told] == sorted(each.completed for each in told)
    assert len({each.completed for each in told}) > 2
    assert "paced-5-100:latest" in [model.name for model in await provider.models()]


async def test_what_is_asked_is_what_the_interface_says(store, own):
    await pulled(store, "some/model:7b")
    await store.load("some/model:7b")
    await store.load("some/model:7b", keep_alive=30)
    await store.unload("some/model:7b")
    await store.delete("some/model:7b")
    named = {"model": "some/model:7b"}
    assert own.stats()["bodies"] == [
        {**named, "stream": True},
        {**named, "keep_alive": -1, "stream": False},
        {**named, "keep_alive": 30, "stream": False},
        {**named, "keep_alive": 0, "stream": False},
        named,
    ]
    assert own.stats()["requests"] == {"/api/pull": 1, "/api/generate": 3, "/api/delete": 1}


async def test_closing_the_iterator_stops_the_pull_and_asking_again_goes_on(store, own):
    async with aclosing(store.pull("gated-model")) as pull:
        async for progress in pull:
            if progress.completed == 4_000_000:
                break
    await asyncio.to_thread(own.wait_for, lambda stats: stats["active"] == 0 and len(stats["aborted"]) == 1)
    told = await pulled(store, "gated-model")
    assert min(each.completed for each in told if each.completed) > 4_000_000
    assert told[-1].status == "success"


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("missing", PullUnknown),
        ("full-disk", UpstreamDiskFull),
        ("lost-registry-9", UpstreamFailed),
        ("cut-9", UpstreamDropped),
        ("no-end", UpstreamTruncated),
    ],
)
async def test_a_pull_that_fails_says_why(store, name, fault):
    with pytest.raises(fault):
        await pulled(store, name)


async def test_a_server_that_falls_silent_is_given_up(own):
    provider = OllamaProvider(base_url=own.base_url, first_byte=0.3)
    with pytest.raises(UpstreamStalled):
        await pulled(provider.store, "gated-model")
    await asyncio.to_thread(own.wait_for, lambda stats: stats["active"] == 0)
    await pulled(provider.store, "slow-load")
    with pytest.raises(UpstreamTimeout):
        await provider.store.load("slow-load")
    await provider.close()


async def test_a_model_is_loaded_unloaded_and_deleted(store, provider):
    async def loaded() -> dict[str, bool | None]:
        return {model.name: model.loaded for model in await provider.models()}

    assert (await loaded())["llama3.2:latest"] is False
    await store.load("llama3.2:latest")
    assert (await loaded())["llama3.2:latest"] is True
    await store.unload("llama3.2:latest")
    assert (await loaded())["llama3.2:latest"] is False
    await store.delete("llama3.2:latest")
    assert "llama3.2:latest" not in await loaded()


async def test_what_is_not_there_can_be_neither_loaded_nor_deleted(store):
    for act in (store.load, store.unload, store.delete):
        with pytest.raises(ModelMissing):
            await act("nobody")


async def test_a_load_that_is_cancelled_is_stopped(store, own):
    await pulled(store, "slow-load")
    loading = asyncio.create_task(store.load("slow-load"))
    await asyncio.to_thread(own.wait_for, lambda stats: stats["active"] == 1)
    loading.cancel()
    await asyncio.gather(loading, return_exceptions=True)
    await asyncio.to_thread(own.wait_for, lambda stats: stats["active"] == 0 and len(stats["aborted"]) == 1)


async def test_what_is_no_ollama_and_what_is_not_there_are_told():
    with OpenAIStandIn() as other:
        provider = OllamaProvider(base_url=f"http://127.0.0.1:{other.port}")
        with pytest.raises(UpstreamProtocol):
            await pulled(provider.store, "x")
        await provider.close()
    provider = OllamaProvider(base_url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(UpstreamUnreachable):
        await pulled(provider.store, "x")
    with pytest.raises(UpstreamUnreachable):
        await provider.store.load("x")
    await provider.close()


async def test_only_servers_that_keep_models_have_a_store(provider):
    assert store_of(provider) is provider.store
    assert store_of(DemoProvider()) is None
    assert store_of(None) is None

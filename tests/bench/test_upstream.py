"""The stand-in of the benchmark says what its name promises, and the whole of it is understood by our own client."""

import asyncio

import pytest

from streaming.providers.base import ChatRequest, PromptMessage
from streaming.providers.ollama import OllamaProvider
from tests.bench.dialects import Direct
from tests.bench.measure import Load, measure
from tests.bench.systems import System, model_server

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def upstream() -> object:
    with model_server() as system:
        yield system


async def test_it_is_paced_and_whole(upstream: System) -> None:
    came = await measure(Direct(upstream.port), Load("20@50", 5), pid=upstream.pid)
    assert (came.whole, came.faults, came.tokens) == (5, [], 100)
    assert len(came.gaps) >= 5 * 3, "it came in one piece"
    assert came.cpu > 0


async def test_as_fast_as_it_is_taken(upstream: System) -> None:
    came = await measure(Direct(upstream.port), Load("20000@max", 2, at_once=1), pid=upstream.pid)
    assert (came.whole, came.faults) == (2, [])


async def test_our_own_client_understands_it(upstream: System) -> None:
    provider = OllamaProvider(name="ollama", base_url=f"http://127.0.0.1:{upstream.port}", connect=2)
    try:
        assert [model.name for model in await provider.models()] == ["200@50", "20000@max"]
        request = ChatRequest(model="5@max", messages=(PromptMessage(role="user", content="Hello"),))
        async with asyncio.timeout(10):
            chunks = [chunk async for batch in provider.stream(request) for chunk in batch]
        assert chunks
    finally:
        await provider.close()

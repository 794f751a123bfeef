import asyncio
from contextlib import aclosing

import pytest

from streaming.protocol.errors import UpstreamFailed
from streaming.protocol.objects import Usage
from streaming.providers.base import ChatRequest, Finish, Text
from streaming.providers.scripted import ScriptedProvider

REQUEST = ChatRequest(model="m", messages=())
END = Finish(reason="stop", usage=Usage())


async def test_turns_are_played_in_order_and_the_last_one_again():
    provider = ScriptedProvider([[[Text("one")], [END]], [[Text("two"), END]]])
    played = [[batch async for batch in provider.stream(REQUEST)] for _ in range(3)]
    assert played == [[[Text("one")], [END]], [[Text("two"), END]], [[Text("two"), END]]]
    assert (provider.requests, provider.closed_early) == ([REQUEST] * 3, 0)


async def test_it_waits_where_the_script_says_so():
    gate = asyncio.Event()
    provider = ScriptedProvider([[[Text("one")], gate, [END]]])
    async with aclosing(provider.stream(REQUEST)) as batches:
        await anext(batches)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await anext(batches)
    assert provider.closed_early == 1


async def test_an_error_of_the_script_is_raised_and_is_not_an_early_end():
    provider = ScriptedProvider([[[Text("one")], UpstreamFailed()]])
    with pytest.raises(UpstreamFailed):
        await provider.complete(REQUEST)
    assert (provider.completed, provider.closed_early) == (1, 0)

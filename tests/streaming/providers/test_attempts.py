import asyncio
from contextlib import aclosing

import pytest
from msgspec.structs import replace

from streaming.protocol.errors import (
    ContextExceeded,
    StreamingRefused,
    UpstreamBusy,
    UpstreamError,
    UpstreamFailed,
    UpstreamRefused,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from streaming.protocol.objects import Usage
from streaming.providers.attempts import attempts
from streaming.providers.base import ChatRequest, Finish, PromptMessage, Text
from streaming.providers.ollama import OllamaProvider
from streaming.providers.scripted import ScriptedProvider

REQUEST = ChatRequest(model="m", messages=(PromptMessage(role="user", content="Hi"),))
END = Finish(reason="stop", usage=Usage())
GOOD = [[Text("a")], [Text("b"), END]]


class Played:
    """What came of one answer, and how long was waited between the requests."""

    def __init__(self, *turns, tries=3, delay=1.0, fallback=True, streaming=True, shorter=None) -> None:
        self.provider = ScriptedProvider(turns)
        self.batches: list = []
        self.waits: list[float] = []
        self.numbers = {
            "attempts": tries,
            "delay": delay,
            "fallback_to_non_streaming": fallback,
            "streaming": streaming,
            "shorter": shorter,
        }

    async def run(self) -> "Played":
        async for batch in attempts(self.provider, REQUEST, sleep=self.sleep, **self.numbers):
            self.batches.append(list(batch))
        return self

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


async def failing(played: Played) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await played.run()
    return caught.value


async def test_a_good_answer_passes_as_it_comes():
    played = await Played(GOOD).run()
    assert (played.batches, played.waits, len(played.provider.requests)) == (GOOD, [], 1)


async def test_it_is_asked_again_with_growing_pauses():
    played = await Played([UpstreamUnreachable()], [UpstreamFailed()], GOOD).run()
    assert (played.batches, played.waits) == (GOOD, [1.0, 2.0])


async def test_the_last_error_is_raised_when_all_tries_are_used():
    played = Played([UpstreamFailed()], [UpstreamFailed()], [UpstreamUnreachable()], GOOD)
    assert type(await failing(played)) is UpstreamUnreachable
    assert (len(played.provider.requests), played.waits) == (3, [1.0, 2.0])


async def test_one_try_is_one_try():
    played = Played([UpstreamFailed()], GOOD, tries=1)
    assert type(await failing(played)) is UpstreamFailed
    assert played.waits == []


async def test_what_will_fail_again_is_not_asked_again():
    played = Played([UpstreamRefused()], GOOD)
    assert type(await failing(played)) is UpstreamRefused
    assert len(played.provider.requests) == 1


async def test_after_the_first_word_nothing_is_asked_again():
    played = Played([[Text("a")], UpstreamTruncated()], GOOD)
    assert type(await failing(played)) is UpstreamTruncated
    assert (played.batches, len(played.provider.requests)) == ([[Text("a")]], 1)


async def test_the_time_the_server_asks_for_is_honoured_once():
    busy = UpstreamBusy(retry_after_ms=7000)
    assert (await Played([busy], [busy], GOOD).run()).waits == [7.0, 2.0]


@pytest.mark.parametrize(("asked_for", "wait"), [(100, 1.0), (10**7, 30.0), (0, 1.0)])
async def test_the_time_the_server_asks_for_has_its_limits(asked_for, wait):
    assert (await Played([UpstreamBusy(retry_after_ms=asked_for)], GOOD).run()).waits == [wait]


async def test_a_server_that_refuses_to_stream_is_asked_for_the_whole():
    played = await Played([StreamingRefused()], GOOD, tries=1).run()
    assert played.batches == [[Text("a"), Text("b"), END]]
    assert (played.provider.completed, played.waits) == (1, [])


async def test_after_a_refusal_it_is_never_asked_to_stream_again():
    played = await Played([StreamingRefused()], [UpstreamFailed()], GOOD).run()
    assert (played.provider.completed, played.waits) == (2, [1.0])


async def test_a_refusal_is_an_error_where_falling_back_is_not_allowed():
    played = Played([StreamingRefused()], GOOD, fallback=False)
    assert type(await failing(played)) is StreamingRefused
    assert played.provider.completed == 0


async def test_a_refusal_without_streaming_is_an_error():
    played = Played([StreamingRefused()], GOOD, streaming=False)
    assert type(await failing(played)) is StreamingRefused


async def test_with_streaming_off_nothing_is_streamed():
    played = await Played(GOOD, streaming=False).run()
    assert (played.batches, played.provider.completed) == ([[Text("a"), Text("b"), END]], 1)


async def test_leaving_closes_the_stream():
    provider = ScriptedProvider([[[Text("a")], asyncio.Event()]])
    answer = attempts(provider, REQUEST, attempts=3, delay=0, fallback_to_non_streaming=True)
    async with aclosing(answer):
        await anext(answer)
    assert provider.closed_early == 1


async def test_cancelling_while_it_waits_asks_no_more():
    provider = ScriptedProvider([[UpstreamFailed()], GOOD])
    answer = attempts(provider, REQUEST, attempts=3, delay=60, fallback_to_non_streaming=True)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await anext(answer)
    assert len(provider.requests) == 1


@pytest.mark.parametrize("model", ["no-stream", "json-only"])
async def test_a_real_server_that_refuses_to_stream_answers_in_one_text(model, standin):
    provider = OllamaProvider(base_url=standin.base_url)
    request = ChatRequest(model=model, messages=REQUEST.messages)
    answer = attempts(provider, request, attempts=3, delay=0.01, fallback_to_non_streaming=True)
    (batch,) = [batch async for batch in answer]
    await provider.close()
    assert [type(chunk) for chunk in batch] == [Text, Finish]
    assert standin.stats()["chats"] == 2


async def test_a_real_server_that_fails_twice_answers_the_third_time(standin):
    provider = OllamaProvider(base_url=standin.base_url)
    request = ChatRequest(model="flaky-2", messages=REQUEST.messages)
    answer = attempts(provider, request, attempts=3, delay=0.01, fallback_to_non_streaming=True)
    chunks = [chunk async for batch in answer for chunk in batch]
    await provider.close()
    assert "".join(chunk.text for chunk in chunks if isinstance(chunk, Text)) == "At last."
    assert standin.stats()["chats"] == 3


async def shorter(request, fault):
    """One message less, as long as there are two."""
    assert isinstance(fault, ContextExceeded)
    return replace(request, messages=request.messages[1:]) if len(request.messages) > 1 else None


def asked_with(played: Played) -> list[int]:
    return [len(request.messages) for request in played.provider.requests]


async def test_what_is_too_long_is_asked_with_less_at_once(monkeypatch):
    monkeypatch.setattr(
        "tests.streaming.providers.test_attempts.REQUEST", replace(REQUEST, messages=REQUEST.messages * 3)
    )
    played = await Played([ContextExceeded()], [ContextExceeded()], GOOD, tries=1, shorter=shorter).run()
    assert (played.batches, played.waits, asked_with(played)) == (GOOD, [], [3, 2, 1])


async def test_what_is_too_long_and_cannot_be_less_fails():
    played = Played([ContextExceeded()], GOOD, shorter=shorter)
    assert isinstance(await failing(played), ContextExceeded)
    assert asked_with(played) == [1]


async def test_a_server_that_finds_everything_too_long_is_not_asked_for_ever(monkeypatch):
    monkeypatch.setattr(
        "tests.streaming.providers.test_attempts.REQUEST", replace(REQUEST, messages=REQUEST.messages * 9)
    )
    played = Played(*[[ContextExceeded()]] * 9, shorter=shorter)
    assert isinstance(await failing(played), ContextExceeded)
    assert asked_with(played) == [9, 8, 7, 6]


async def test_what_became_too_long_after_a_word_is_not_asked_again():
    played = Played([[Text("a")], ContextExceeded()], GOOD, shorter=shorter)
    assert isinstance(await failing(played), ContextExceeded)
    assert asked_with(played) == [1]

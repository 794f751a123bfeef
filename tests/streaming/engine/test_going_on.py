"""Asking with a turn that is begun: what is sent, and how failures are told."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import pytest

from streaming.engine.continuation import CannotContinue
from streaming.engine.going_on import Ask, going_on
from streaming.protocol.errors import UpstreamDropped, UpstreamError, UpstreamRefused
from streaming.providers.base import ChatRequest, Chunk, PromptCall, PromptMessage, Text
from streaming.providers.scripted import Beat, ScriptedProvider

QUESTION = PromptMessage(role="user", content="Why?")
BEGUN = PromptMessage(role="assistant", content="The sky is blue because of the light \n", thinking="Hm.")
CALLED = PromptMessage(role="assistant", content="", tool_calls=(PromptCall(id="c", name="clock", arguments={}),))
REFUSED = UpstreamRefused(details={"status": 400})


def asking(provider: ScriptedProvider, known: bool | None, learned: list[bool]) -> Ask:
    async def knows() -> bool | None:
        return known

    return going_on(provider.stream, known=knows, learned=learned.append)


async def said(*beats: Beat, messages: Sequence[PromptMessage] = (QUESTION, BEGUN)) -> tuple[str, ChatRequest, object]:
    """The text that came, the request that was sent, and what was raised."""
    provider = ScriptedProvider([beats])
    request = ChatRequest(model="m", messages=tuple(messages))
    chunks: AsyncIterator[Sequence[Chunk]] = asking(provider, None, [])(request)
    text, fault = "", None
    try:
        async for batch in chunks:
            text += "".join(chunk.text for chunk in batch if isinstance(chunk, Text))
    except (UpstreamError, CannotContinue) as raised:
        fault = raised
    return text, provider.requests[0], fault


async def test_the_turn_is_sent_without_thinking_and_without_the_space_at_its_end() -> None:
    text, request, fault = await said([Text(" being scattered.")])
    assert request.messages == (QUESTION, PromptMessage(role="assistant", content=BEGUN.content.rstrip()))
    assert (text, request.think, fault) == ("being scattered.", False, None)


@pytest.mark.parametrize("last", [QUESTION, CALLED, PromptMessage(role="assistant", content=" \n")], ids=str)
async def test_what_is_not_begun_is_asked_as_ever(last: PromptMessage) -> None:
    text, request, _ = await said([Text("The sky is blue because")], messages=[BEGUN, last])
    assert (text, request.messages, request.think) == ("The sky is blue because", (BEGUN, last), None)


async def test_a_refusal_means_that_it_cannot_be_continued_only_before_the_first_word() -> None:
    assert isinstance((await said(REFUSED))[2], CannotContinue)
    assert (await said([Text("blue")], REFUSED))[2] is REFUSED


async def test_what_was_held_back_when_it_broke_is_told_before_the_failure() -> None:
    text, _, fault = await said([Text("sky")], UpstreamDropped())
    assert (text, type(fault)) == ("sky", UpstreamDropped)


async def test_what_broke_while_it_began_again_is_told_as_broken_without_its_words() -> None:
    text, _, fault = await said([Text("The sky is blue")], UpstreamDropped())
    assert (text, type(fault)) == ("", UpstreamDropped)


async def seen(*beats: Beat, known: bool | None = None, so_far: str = BEGUN.content) -> list[bool]:
    """What is learnt of the model by asking it so."""
    learned: list[bool] = []
    begun = PromptMessage(role="assistant", content=so_far)
    with suppress(CannotContinue, UpstreamError):
        async for _ in asking(ScriptedProvider([beats]), known, learned)(ChatRequest(model="m", messages=(begun,))):
            pass
    return learned


async def test_what_a_model_does_is_learned_once() -> None:
    assert await seen([Text(" being scattered.")], [Text(" It is.")]) == [True]
    assert await seen([Text(" being scattered.")], known=True) == []
    assert await seen([Text("The sky is blue because of the light, you know.")]) == [False]
    assert await seen(REFUSED) == [False]


@pytest.mark.parametrize("beats", [([Text("")],), (UpstreamDropped(),), ([Text("sky")], UpstreamDropped())], ids=str)
async def test_what_proves_nothing_teaches_nothing(beats: Sequence[Beat]) -> None:
    assert await seen(*beats) == []


async def test_a_few_words_prove_nothing_either() -> None:
    assert await seen([Text(" sky is blue.")], so_far="The") == []
    assert await seen([Text("The sky is blue.")], so_far="The") == []


async def test_a_model_that_is_known_not_to_go_on_is_not_asked_in_vain() -> None:
    provider = ScriptedProvider([[[Text(" being scattered.")]]])
    with pytest.raises(CannotContinue):
        async for _ in asking(provider, False, [])(ChatRequest(model="m", messages=(BEGUN,))):
            pass
    assert provider.requests == []
    async for _ in asking(provider, False, [])(ChatRequest(model="m", messages=(QUESTION,))):
        pass
    assert len(provider.requests) == 1

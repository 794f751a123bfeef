"""A run's own system prompt stands in for its thread's, for this run alone."""

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chatserver.accounts.models import User
from conversations.models import Message, Run, Thread
from streaming.engine.prompt import load_prompt, prompt_at_hand
from streaming.protocol.commands import Send, SocketSend, parse
from streaming.protocol.errors import InvalidRequest
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, Text
from streaming.transports import sending
from tests.support.bench import principal_of, running
from tests.support.stored import answer, ask, lanes, thread_of

pytestmark = pytest.mark.django_db(transaction=True)

STOP = [Finish(reason="stop", usage=Usage())]


def told(run: Run) -> str:
    return load_prompt(run.pk).system_prompt


def test_a_run_s_own_counts_and_the_next_one_has_the_thread_s_again(user: User) -> None:
    thread = thread_of(user, system_prompt="Be brief.")
    first = ask(user, thread=thread, system_prompt="Be a pirate.").run
    assert told(first) == "Be a pirate."
    answer(first)
    assert told(ask(user, thread=thread).run) == "Be brief."


def test_an_empty_one_is_none(user: User) -> None:
    thread = thread_of(user, system_prompt="Be brief.")
    run = ask(user, thread=thread, system_prompt="").run
    assert (told(run), Run.objects.get(pk=run.pk).system_prompt) == ("", "")


def test_it_is_at_hand_where_the_run_is_begun_as_it_is_opened(user: User) -> None:
    run = ask(user, thread=thread_of(user, system_prompt="Be brief."), system_prompt="Be a pirate.").run
    prompt = prompt_at_hand(run)
    assert prompt is not None
    assert prompt.system_prompt == "Be a pirate."


def test_another_answer_to_the_question_has_the_thread_s_of_now_unless_it_says_otherwise(user: User) -> None:
    thread = thread_of(user)
    first = answer(ask(user, thread=thread, system_prompt="Be a pirate.").run)
    Thread.objects.update(system_prompt="Be brief.")
    again = ask(user, None, thread=thread, regenerate=str(first.answer_id)).run
    assert told(again) == "Be brief."
    answer(again)
    assert told(ask(user, None, thread=thread, regenerate=str(first.answer_id), system_prompt="Rhyme.").run) == "Rhyme."


def test_all_answers_side_by_side_have_it(user: User) -> None:
    opened = ask(user, models=["a", "b"], choose=lanes("a", "b"), system_prompt="Rhyme.")
    assert [told(run) for run in opened.runs] == ["Rhyme.", "Rhyme."]


def test_it_is_as_long_as_a_thread_s_may_be() -> None:
    parse({"content": "Why?", "system_prompt": "x" * 32_000}, Send)
    for kind, more in ((Send, {}), (SocketSend, {"thread_id": "t"})):
        with pytest.raises(InvalidRequest) as refused:
            parse({"content": "Why?", "system_prompt": "x" * 32_001, **more}, kind)
        assert refused.value.details == {"field": "system_prompt"}


async def test_a_send_that_waits_keeps_its_own(user: User) -> None:
    gate = asyncio.Event()
    async with running(user, [[[Text("One.")], gate, STOP], [[Text("Two.")], STOP]]) as bench:
        first = await bench.send()
        await bench.until(first, "thread.message.delta")
        command = Send(content="And?", model="scripted/model", if_busy="enqueue", system_prompt="Rhyme.")
        sent: Any = await sending.send(bench.engine, principal_of(user), first.thread_id, command, key=None, body={})
        gate.set()
        await bench.watch(sent.run)
        assert [(message.role, message.content) for message in bench.provider.requests[-1].messages][:2] == [
            ("system", "Rhyme."),
            ("user", "hello"),
        ]


async def test_whoever_takes_the_run_over_asks_with_it_too(user: User) -> None:
    thread = await sync_to_async(thread_of)(user, system_prompt="Be brief.")
    run = (await sync_to_async(ask)(user, thread=thread, system_prompt="Rhyme.", choose=lanes("model"))).run
    await sync_to_async(Run.objects.filter(pk=run.pk).update)(provider="scripted", model="scripted/model")
    await sync_to_async(Message.objects.filter(run=run).update)(model="scripted/model")
    async with running(user, [[asyncio.Event()]]) as bench:
        bench.engine.supervisor.look()
        await bench.until(run, "thread.run.in_progress")
        await bench.die()
    async with running(user, [[[Text("Moon, June.")], STOP]]) as bench:
        await bench.watch(run)
    assert [message.content for message in bench.provider.requests[0].messages] == ["Rhyme.", "Why?"]

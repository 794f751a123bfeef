"""What a person asks for beside the words reaches the model, and is kept with the run."""

import pytest
from asgiref.sync import sync_to_async

from chatserver.accounts.models import User
from conversations.models import Run, Thread
from streaming.engine.prompt import load_prompt
from streaming.protocol.objects import Usage
from streaming.protocol.parameters import Parameters
from streaming.providers.base import Finish, ModelInfo, Text
from tests.support.bench import running
from tests.support.stored import ask, thread_of

pytestmark = pytest.mark.django_db(transaction=True)

ANSWER = [[Text("Because."), Finish(reason="stop", usage=Usage())]]


def test_the_run_keeps_what_holds_for_it(user: User) -> None:
    thread = thread_of(user, parameters={"temperature": 0.2, "seed": 7})
    run = ask(user, thread=thread, parameters={"temperature": 1, "thinking": False}).run
    assert Run.objects.get(pk=run.pk).parameters == {"temperature": 1, "seed": 7, "thinking": False}
    assert load_prompt(run.pk).parameters == Parameters(temperature=1, seed=7, thinking=False)


def test_a_send_that_waits_keeps_what_held_when_it_was_sent(user: User) -> None:
    thread = thread_of(user, parameters={"seed": 7})
    ask(user, thread=thread)
    waiting = ask(user, thread=thread, if_busy="enqueue", parameters={"top_k": 3}).run
    Thread.objects.update(parameters={"seed": 8})
    assert Run.objects.get(pk=waiting.pk).parameters == {"seed": 7, "top_k": 3}


async def test_the_model_is_asked_with_them(user: User) -> None:
    async with running(user, [ANSWER]) as bench:
        thread = await sync_to_async(thread_of)(user, parameters={"seed": 7, "thinking": "low"})
        await bench.watch(await bench.send_at_once(thread_id=thread.pk))
        await bench.watch(await bench.send(thread_id=thread.pk))
    for request in bench.provider.requests:
        assert (request.parameters.seed, request.think) == (7, "low")


async def test_a_model_that_cannot_think_is_not_asked_to(user: User) -> None:
    async with running(user, [ANSWER]) as bench:
        bench.provider.listed = [ModelInfo(provider="scripted", name="model", cannot_think=True)]
        await bench.engine.registry.refresh()
        thread = await sync_to_async(thread_of)(user, parameters={"thinking": True})
        await bench.watch(await bench.send(thread_id=thread.pk))
    assert bench.provider.requests[0].think is None

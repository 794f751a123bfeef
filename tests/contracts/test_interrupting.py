"""``if_busy: interrupt``: what is being written is stopped and kept, then the new question follows it."""

import asyncio
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chatserver.accounts.models import ApiToken, User
from chatserver.accounts.principal import Principal, principal_of_token
from chatserver.accounts.services import create_token
from conversations.models import Message, Run
from conversations.services.run_cancel import cancel_run
from conversations.services.run_lease import claim_run
from conversations.services.run_open import MustEnd, Opened
from streaming.protocol.commands import Send
from streaming.protocol.errors import InvalidRequest, NotAuthenticated, StaleHead, ThreadBusy
from streaming.protocol.lifecycle import ACTIVE
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, Text
from streaming.transports import sending
from tests.support.bench import EngineBench, principal_of, running
from tests.support.stored import ask, lanes

pytestmark = pytest.mark.django_db(transaction=True)
STOP = [Finish(reason="stop", usage=Usage())]


def half_an_answer() -> list[Any]:
    return [[Text("Half an ")], asyncio.Event(), [Text("answer")], STOP]


def by_token(user: User) -> Principal:
    principal = principal_of_token(create_token(user=user)[1])
    assert principal is not None
    return principal


async def interrupt(bench: EngineBench, thread_id: UUID, content: str, *, key: str | None = None, **fields: Any) -> Any:
    command = Send(content=content, if_busy="interrupt", **fields)
    principal = await sync_to_async(by_token)(bench.user)
    return await sending.send(bench.engine, principal, thread_id, command, key=key, body={"content": content, **fields})


async def written_to(bench: EngineBench) -> Run:
    """A run whose answer stands half written."""
    run = await bench.send()
    await bench.until(run, "thread.message.delta")
    return run


async def test_what_was_written_is_kept_and_the_new_question_follows_it(user: User) -> None:
    async with running(user, [half_an_answer(), [[Text("Yes.")], STOP]]) as bench:
        first = await written_to(bench)
        opened = await interrupt(bench, first.thread_id, "Stop that. Is it so?")
        await bench.watch(opened.run)
        before, after = await bench.stored(first), await bench.stored(opened.run)
        before.agree()
        after.agree()
        assert (before.run.status, before.run.cancel_reason, before.answer.content) == (
            "cancelled",
            "interrupted",
            "Half an ",
        )
        assert after.question.parent_id == before.answer.pk
        asked = [(message.role, message.content) for message in bench.provider.requests[-1].messages]
        assert asked == [("user", "hello"), ("assistant", "Half an "), ("user", "Stop that. Is it so?")]
        assert bench.provider.closed_early == 1


async def test_tabs_that_interrupt_at_once_follow_one_another(user: User) -> None:
    """As if one had come after the other: each question follows the answer that it has interrupted."""
    async with running(user, [half_an_answer()]) as bench:
        first = await written_to(bench)
        tabs = [interrupt(bench, first.thread_id, f"tab {number}") for number in range(3)]
        opened = [one.run for one in await asyncio.gather(*tabs)]
        rows = {run.pk: run async for run in Run.objects.filter(thread_id=first.thread_id).select_related("question")}
        assert len(rows) == 4
        active = [run for run in rows.values() if run.status in ACTIVE]
        assert len(active) == 1
        parents = {rows[run.pk].question.parent_id for run in opened}
        assert parents == {run.answer_id for run in rows.values()} - {active[0].answer_id}
        await bench.cancel(active[0])
        await bench.watch(active[0])


async def test_one_key_interrupts_once_however_often_it_comes(user: User) -> None:
    async with running(user, [half_an_answer(), [[Text("Yes.")], STOP]]) as bench:
        first = await written_to(bench)
        opened = await asyncio.gather(*(interrupt(bench, first.thread_id, "Stop.", key="k") for _ in range(8)))
        assert len({one.run.pk for one in opened}) == 1
        assert [one.replayed for one in opened].count(False) == 1
        await bench.watch(opened[0].run)
        again = await interrupt(bench, first.thread_id, "Stop.", key="k")
        assert (again.run.pk, again.run.status, again.replayed) == (opened[0].run.pk, "completed", True)
        assert len(bench.provider.requests) == 2


async def test_what_would_be_refused_anyway_interrupts_nobody(user: User) -> None:
    async with running(user, [half_an_answer()]) as bench:
        first = await written_to(bench)
        with pytest.raises(StaleHead):
            await interrupt(bench, first.thread_id, "x", expected_head=str(first.question_id))
        with pytest.raises(InvalidRequest):
            await interrupt(bench, first.thread_id, "x", edit=str(first.answer_id))
        assert (await bench.stored(first)).run.status == "in_progress"
        await bench.cancel(first)
        await bench.watch(first)


def test_only_what_asks_for_it_may_interrupt(user: Any) -> None:
    runs = ask(user, choose=lanes("one", "two")).runs
    with pytest.raises(ThreadBusy):
        ask(user, "And?", thread=runs[0].thread)
    found = ask(user, "And?", thread=runs[0].thread, if_busy="interrupt")
    assert isinstance(found, MustEnd)
    assert [run.pk for run in found.runs] == [run.pk for run in runs]
    assert Message.objects.count() == 3
    for run in runs:
        cancel_run(run=run, by="user", reason="interrupted")
    opened = ask(user, "And?", thread=runs[0].thread, if_busy="interrupt")
    assert isinstance(opened, Opened)
    assert opened.run.question.parent_id == runs[0].answer_id


async def test_whoever_loses_the_right_meanwhile_opens_nothing(user: User) -> None:
    async with running(user, [half_an_answer()]) as bench:
        first = await written_to(bench)
        principal = await sync_to_async(by_token)(user)  # asked when the request came
        await ApiToken.objects.filter(pk=principal.token_id).aupdate(revoked_at=timezone.now())
        command = Send(content="x", if_busy="interrupt")
        with pytest.raises(NotAuthenticated):
            await sending.send(bench.engine, principal, first.thread_id, command, key=None, body={})
        await bench.watch(first)
        assert await Run.objects.acount() == 1


async def test_one_that_does_not_end_in_time_is_told_of_and_stays_stopped(user: User, monkeypatch: Any) -> None:
    monkeypatch.setattr(sending, "INTERRUPTED_WITHIN", 0.1)
    run = (await sync_to_async(ask)(user)).run
    await sync_to_async(claim_run)(run_id=run.pk, holder="somebody slow", expiry=60)
    choose = lanes("one")

    async def chosen(name: str, principal: Any) -> Any:
        return choose()[0]

    numbers = SimpleNamespace(max_waiting=200)
    engine: Any = SimpleNamespace(
        supervisor=SimpleNamespace(draining=False), numbers=numbers, choose=chosen, places=lambda runs: nullcontext()
    )
    command = Send(content="x", if_busy="interrupt")
    with pytest.raises(ThreadBusy) as caught:
        await sending.send(engine, principal_of(user), run.thread_id, command, key=None, body={})
    assert caught.value.retry_after_ms == 1000
    assert (await Run.objects.aget(pk=run.pk)).status == "cancelling"

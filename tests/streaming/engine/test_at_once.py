"""Runs that are worked on from the moment they are opened, without a claim of their own."""

import asyncio
import threading
from contextlib import ExitStack, suppress
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async

from chatserver.accounts.models import User
from conversations import selectors
from conversations.models import ModelServer, RunLease
from conversations.services import run_lease, run_queue
from conversations.services.run_rows import Choice
from streaming.engine import worker
from streaming.engine.supervisor import Supervisor
from streaming.protocol.lifecycle import RunStatus
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, Text
from tests.support.bench import EngineBench, running
from tests.support.stored import ask as ask_of

pytestmark = pytest.mark.django_db(transaction=True)

STOP = Finish(reason="stop", usage=Usage(prompt_tokens=3, completion_tokens=2))
ANSWER = [[Text("Hel")], [Text("lo")], [STOP]]


async def looked_who_waits(supervisor: Supervisor) -> None:
    async with asyncio.timeout(5):
        while not supervisor._places.nobody_waits:
            await asyncio.sleep(0.01)


def has_place(bench: EngineBench) -> bool:
    with bench.engine.places(1) as hands:
        return hands is not None


async def test_a_question_is_answered_stored_and_seen(user: User):
    async with running(user, [ANSWER]) as bench:
        run = await bench.send_at_once()
        seen = await bench.watch(run)
        stored = await bench.stored(run)
    stored.agree()
    assert seen.entries == stored.entries
    assert (seen.text, stored.run.status, stored.run.attempt) == ("Hello", RunStatus.COMPLETED, 1)


async def test_of_a_first_question_nothing_is_read_that_is_at_hand(user: User):
    async with running(user, [ANSWER]) as bench:
        await looked_who_waits(bench.engine.supervisor)
        with (
            mock.patch.object(run_queue, "claim_shares", side_effect=AssertionError("claimed")),
            mock.patch.object(worker, "load_prompt", side_effect=AssertionError("the prompt was read")),
            mock.patch.object(worker, "read_state", side_effect=AssertionError("the log was read")),
        ):
            run = await bench.send_at_once("six times seven?")
            await bench.watch(run)
        (request,) = bench.provider.requests
    assert [(message.role, message.content) for message in request.messages] == [("user", "six times seven?")]


async def test_a_second_question_is_asked_with_the_first_exchange(user: User):
    async with running(user, [ANSWER, [[Text("again")], [STOP]]]) as bench:
        first = await bench.send_at_once("one")
        await bench.watch(first)
        second = await bench.send_at_once("two", thread_id=first.thread_id)
        await bench.watch(second)
        told = [message.content for message in bench.provider.requests[1].messages]
    assert told == ["one", "Hello", "two"]


async def test_its_first_events_are_at_hand_for_its_reader(user: User):
    gate = asyncio.Event()
    async with running(user, [[gate, *ANSWER]]) as bench:
        run = await bench.send_at_once()
        async with asyncio.timeout(5):
            while run.pk not in bench.engine.supervisor.at_work:
                await asyncio.sleep(0.01)
        at_hand = bench.engine.tailer.at_hand(run.pk, 0)
        assert at_hand is not None
        assert at_hand.first == 1
        gate.set()


async def test_a_stop_reaches_it(user: User):
    async with running(user, [[[Text("a")], asyncio.Event(), [STOP]]]) as bench:
        run = await bench.send_at_once()
        await bench.until(run, "thread.message.delta")
        await bench.cancel(run)
        await bench.watch(run)
        stored = await bench.stored(run)
    stored.agree()
    assert (stored.run.status, stored.answer.content) == (RunStatus.CANCELLED, "a")


async def test_where_the_model_server_is_bounded_it_waits_for_its_turn(user: User):
    async with running(user, [ANSWER]) as bench:
        await sync_to_async(ModelServer.objects.update_or_create)(name="scripted", defaults={"max_parallel": 1})
        with mock.patch.object(bench.engine.supervisor, "begin") as begun:
            run = await bench.send_at_once()
            await bench.watch(run)
        assert not begun.called, "it was claimed from the line"
        stored = await bench.stored(run)
    stored.agree()


async def test_nobody_gets_a_place_before_those_who_wait(user: User, settings: Any):
    settings.RUN_CAPACITY = 1
    gate = asyncio.Event()
    async with running(user, [[gate, *ANSWER], ANSWER]) as bench:
        first = await bench.send_at_once()
        second = await bench.send()
        await bench.until(first, "thread.run.in_progress")
        assert not has_place(bench)
        async with asyncio.timeout(5):
            # Else nobody would look when the first one has ended.
            while not bench.engine.supervisor._places.somebody_may_wait:
                await asyncio.sleep(0.01)
        gate.set()
        await bench.watch(first)
        assert not has_place(bench), "the second one's turn is next"
        await bench.watch(second)
        await looked_who_waits(bench.engine.supervisor)
        async with asyncio.timeout(5):
            while bench.engine.supervisor.running:
                await asyncio.sleep(0.01)
        assert has_place(bench)


async def test_no_more_places_are_given_than_there_are(user: User, settings: Any):
    settings.RUN_CAPACITY = 3
    async with running(user, [ANSWER]) as bench:
        await looked_who_waits(bench.engine.supervisor)
        with ExitStack() as opening:
            got = [opening.enter_context(bench.engine.places(n)) is not None for n in (2, 2, 1)]
            assert got == [True, False, False], "who is turned away waits, and comes first"
        await looked_who_waits(bench.engine.supervisor)
        with bench.engine.places(3) as hands:
            assert hands is not None


async def test_who_opens_nothing_gives_the_place_back(user: User, settings: Any):
    settings.RUN_CAPACITY = 1
    async with running(user, [ANSWER]) as bench:
        await looked_who_waits(bench.engine.supervisor)
        for _ in range(3):
            with suppress(RuntimeError), bench.engine.places(1) as hands:
                assert hands is not None
                raise RuntimeError


async def test_a_process_that_ends_gives_no_places(user: User):
    async with running(user, [ANSWER]) as bench:
        await looked_who_waits(bench.engine.supervisor)
        await bench.engine.supervisor.drain(grace=0)
        assert not has_place(bench)


async def test_a_drain_waits_for_what_is_being_opened(user: User):
    async with running(user, [ANSWER]) as bench:
        await looked_who_waits(bench.engine.supervisor)
        with bench.engine.places(1) as hands:
            with bench.engine.places(1):
                """Another one that opens nothing."""
            draining = asyncio.ensure_future(bench.engine.supervisor.drain(grace=5))
            await asyncio.sleep(0.05)
            assert not draining.done()
            run = await bench.send(hands=hands)
        await draining
        stored = await bench.stored(run)
    stored.agree()
    assert stored.run.status == RunStatus.COMPLETED


async def test_what_is_opened_when_the_grace_is_over_is_left_for_the_next_start(user: User):
    async with running(user, [ANSWER]) as bench:
        await looked_who_waits(bench.engine.supervisor)
        with bench.engine.places(1) as hands:
            draining = asyncio.ensure_future(bench.engine.supervisor.drain(grace=0))
            await asyncio.sleep(0.05)
            run = await bench.send(hands=hands)
        await draining
        stored = await bench.stored(run)
    assert (stored.run.status, stored.lease.holder) == (RunStatus.IN_PROGRESS, "")
    async with running(user, [ANSWER]) as after:
        await after.watch(run)
        (await after.stored(run)).agree()


async def test_a_beat_while_runs_are_being_opened_gives_none_of_them_up(user: User):
    async with running(user, [[asyncio.Event(), *ANSWER]]) as bench:
        await looked_who_waits(bench.engine.supervisor)
        supervisor = bench.engine.supervisor
        with bench.engine.places(2) as hands:
            assert hands is not None
            run = await bench.send(hands=hands)
            claim = supervisor._workers.pop(run.pk).claim  # as if it had not come into the loop yet
            await supervisor._beat()
            held = await sync_to_async(RunLease.objects.get)(pk=run.pk)
            assert held.holder == hands.holder
            await supervisor._beat()  # by now it should have: whatever has become of it, nobody works on it
            given_up = await sync_to_async(RunLease.objects.get)(pk=run.pk)
            # Where the test is slow, it has been taken over from the line by now.
            assert given_up.holder == "" or given_up.number > held.number
        assert claim.number == held.number


async def test_a_new_run_that_cannot_be_let_go_of_keeps_its_number(user: User):
    """What others took over is fenced out at the very first event."""
    async with running(user, [ANSWER]) as bench:
        await looked_who_waits(bench.engine.supervisor)
        begin = bench.engine.supervisor.begin
        with mock.patch.object(bench.engine.supervisor, "begin"), bench.engine.places(1) as hands:
            run = await bench.send(hands=hands)
        await sync_to_async(RunLease.objects.filter(pk=run.pk).update)(holder="them", number=2)
        before = (await bench.stored(run)).entries
        begin(run_lease.Claim(run_id=run.pk, number=1, head=3, opened=before), None)
        async with asyncio.timeout(5):
            while bench.engine.supervisor.running:
                await asyncio.sleep(0.01)
        stored = await bench.stored(run)
    assert (stored.entries, stored.lease.holder) == (before, "them")


async def test_a_beat_while_a_run_is_being_opened_is_not_the_last_one_that_extends_its_lease(user: User):
    async with running(user, [[asyncio.Event(), *ANSWER]]) as bench:
        await looked_who_waits(bench.engine.supervisor)
        supervisor = bench.engine.supervisor
        with bench.engine.places(1) as hands:
            await supervisor._beat()  # before the run is committed: this process holds nothing
            run = await bench.send(hands=hands)
        await sync_to_async(RunLease.objects.filter(pk=run.pk).update)(expires_at=None)
        await supervisor._beat()
        lease = await sync_to_async(RunLease.objects.get)(pk=run.pk)
    assert lease.expires_at is not None


async def test_who_found_no_room_is_looked_for_when_a_place_is_given_back(user: User, settings: Any):
    settings.RUN_CAPACITY = 1
    async with running(user, [ANSWER]) as bench:
        supervisor = bench.engine.supervisor
        supervisor._poll = 60.0  # nobody looks by the clock
        await looked_who_waits(supervisor)
        await asyncio.sleep(1.1)  # the last look by the old one
        with bench.engine.places(1) as hands:
            assert hands is not None
            run = await bench.send()
            async with asyncio.timeout(5):
                while not supervisor._places.somebody_may_wait:
                    await asyncio.sleep(0.01)
        await bench.watch(run)


async def test_a_place_that_is_promised_to_who_waits_is_not_given_away(user: User, settings: Any):
    settings.RUN_CAPACITY = 1
    async with running(user, [[asyncio.Event(), *ANSWER]]) as bench:
        await looked_who_waits(bench.engine.supervisor)
        claim_next, loop, asked = run_queue.claim_next, asyncio.get_running_loop(), list[bool]()

        async def has_one() -> bool:
            return has_place(bench)

        def claimed_meanwhile(**facts: Any) -> Any:
            asked.append(asyncio.run_coroutine_threadsafe(has_one(), loop).result(5))
            return claim_next(**facts)

        with mock.patch.object(run_queue, "claim_next", side_effect=claimed_meanwhile):
            run = await bench.send()
            await bench.until(run, "thread.run.in_progress")
    assert asked == [False]


async def test_a_place_that_is_given_away_meanwhile_is_not_claimed_for(user: User, settings: Any):
    settings.RUN_CAPACITY = 1
    async with running(user, [[asyncio.Event(), *ANSWER]] * 2) as bench:
        await looked_who_waits(bench.engine.supervisor)
        loads, loop, opening = selectors.loads, asyncio.get_running_loop(), ExitStack()

        async def take_one() -> None:
            assert opening.enter_context(bench.engine.places(1)) is not None

        def looked_meanwhile() -> Any:
            found = loads()
            if any(load.waiting for load in found) and bench.engine.supervisor._places.nobody_waits:
                asyncio.run_coroutine_threadsafe(take_one(), loop).result(5)
            return found

        with mock.patch.object(selectors, "loads", side_effect=looked_meanwhile):
            run = await bench.send()
            async with asyncio.timeout(5):
                while not bench.engine.supervisor._places.somebody_may_wait:
                    await asyncio.sleep(0.01)
                while bench.engine.supervisor._claiming:
                    await asyncio.sleep(0.01)
            assert bench.engine.supervisor.running == 0
        opening.close()
        await bench.until(run, "thread.run.in_progress")


async def test_a_drain_waits_for_what_is_being_claimed_while_a_place_is_given_back(user: User):
    async with running(user, [ANSWER]) as bench:
        await looked_who_waits(bench.engine.supervisor)
        claim_next, loop, idle = run_queue.claim_next, asyncio.get_running_loop(), list[bool]()

        async def opens_nothing() -> bool:
            with bench.engine.places(1) as hands:
                assert hands is not None
            return bench.engine.supervisor._idle.is_set()

        def claimed_meanwhile(**facts: Any) -> Any:
            idle.append(asyncio.run_coroutine_threadsafe(opens_nothing(), loop).result(5))
            return claim_next(**facts)

        with mock.patch.object(run_queue, "claim_next", side_effect=claimed_meanwhile):
            run = await bench.send()
            await bench.watch(run)
    assert idle == [False]


async def test_a_place_is_kept_while_it_is_filled_for_a_request_that_has_gone(user: User, settings: Any):
    settings.RUN_CAPACITY = 1
    async with running(user, [[asyncio.Event(), *ANSWER]]) as bench:
        await looked_who_waits(bench.engine.supervisor)
        writing, go_on = threading.Event(), threading.Event()

        def chosen_slowly() -> Any:
            writing.set()
            assert go_on.wait(5)
            return [Choice(provider="scripted", model="model")]

        async def ask() -> None:
            with bench.engine.places(1) as hands:
                await sync_to_async(ask_of, thread_sensitive=False)(user, choose=chosen_slowly, hands=hands)

        asking = asyncio.ensure_future(ask())
        await asyncio.to_thread(writing.wait, 5)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
        assert not bench.engine.supervisor.has_room
        assert not bench.engine.supervisor._idle.is_set(), "a drain waits for it"
        go_on.set()
        async with asyncio.timeout(5):
            while not bench.engine.supervisor.running:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert not bench.engine.supervisor._places.some_are_kept


async def test_what_a_thread_begins_for_a_request_that_has_gone_waits_for_its_turn(user: User):
    async with running(user, [ANSWER]) as bench:
        await looked_who_waits(bench.engine.supervisor)
        with bench.engine.places(1) as hands:
            """Its request is cancelled before the thread gets to it."""
        with mock.patch.object(bench.engine.supervisor, "begin") as begin:
            run = await bench.send(hands=hands)
            await bench.watch(run)
        begin.assert_not_called()


async def test_a_lease_whose_answer_was_lost_is_given_up_whatever_a_beat_found_before(user: User):
    async with running(user, [ANSWER]) as bench:
        supervisor = bench.engine.supervisor
        await looked_who_waits(supervisor)
        with mock.patch.object(supervisor, "begin"), bench.engine.places(1) as hands:
            await supervisor._beat()  # before the run is committed: this process holds nothing
            run = await bench.send(hands=hands)
        await supervisor._beat()
        await bench.watch(run)
        (await bench.stored(run)).agree()

"""The supervisor and its workers over a real database, with a scripted model."""

import asyncio
import json
import time
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connection

from chatserver.accounts.models import User
from conversations.models import Run, RunLease
from streaming.engine.data_lock import DataDirectoryInUse
from streaming.eventlog import writer
from streaming.protocol.errors import UpstreamTruncated, UpstreamUnreachable
from streaming.protocol.lifecycle import RunStatus
from streaming.protocol.objects import Usage
from streaming.protocol.snapshot import fold
from streaming.providers.base import Finish, ModelInfo, Text, Thinking, ToolCall
from streaming.wiring import Engine
from tests.support.bench import running

pytestmark = pytest.mark.django_db(transaction=True)

STOP = Finish(reason="stop", usage=Usage(prompt_tokens=3, completion_tokens=2))
ANSWER = [[Text("Hel")], [Text("lo")], [STOP]]


async def test_a_question_is_answered_stored_and_seen(user: User):
    async with running(user, [[[Thinking("hm")], *ANSWER]]) as bench:
        run = await bench.send()
        seen = await bench.watch(run)
        stored = await bench.stored(run)
    stored.agree()
    assert seen.entries == stored.entries
    assert seen.text == stored.answer.content == "Hello"
    assert stored.answer.thinking == "hm"
    assert stored.run.status == RunStatus.COMPLETED
    assert stored.run.usage == {"prompt_tokens": 3, "completion_tokens": 2}
    assert stored.run.attempt == 1


async def test_a_tool_is_run_and_its_result_told_to_the_model(user: User):
    call = ToolCall(id="c1", name="calculator", arguments={"expression": "6*7"})
    async with running(user, [[[call], [STOP]], [[Text("42")], [STOP]]]) as bench:
        run = await bench.send("six times seven?")
        await bench.watch(run)
        stored = await bench.stored(run)
    stored.agree()
    assert [(step.name, step.output, step.status) for step in stored.steps] == [("calculator", "42", "completed")]
    told = bench.provider.requests[1].messages[-1]
    assert (told.role, told.content, told.tool_call_id) == ("tool", "42", "c1")


async def test_a_second_question_is_asked_with_the_first_exchange(user: User):
    async with running(user, [ANSWER, [[Text("again")], [STOP]]]) as bench:
        first = await bench.send("one")
        await bench.watch(first)
        second = await bench.send("two", thread_id=first.thread_id)
        await bench.watch(second)
    asked = [(message.role, message.content) for message in bench.provider.requests[1].messages]
    assert asked == [("user", "one"), ("assistant", "Hello"), ("user", "two")]


async def test_a_stop_ends_the_run_with_what_was_shown(user: User):
    async with running(user, [[[Text("some")], asyncio.Event(), [STOP]]]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        await bench.cancel(run)
        seen = await bench.watch(run)
        stored = await bench.stored(run)
        again = await bench.cancel(run)
    stored.agree()
    assert stored.run.status == again.status == RunStatus.CANCELLED
    assert stored.answer.content == seen.text == "some"
    assert seen.names[-3:] == ["thread.run.cancelling", "thread.message.incomplete", "thread.run.cancelled"]
    assert seen.events[-1].receipt.upstream_closed  # type: ignore[attr-defined]
    assert bench.provider.closed_early == 1


async def test_a_stop_that_nobody_was_woken_for_is_found_by_the_poll(user: User):
    async with running(user, [[[Text("some")], asyncio.Event(), [STOP]]]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        await sync_to_async(Run.objects.filter(pk=run.pk).update)(
            status=RunStatus.CANCELLING, cancel_by="user", cancel_reason="requested"
        )
        seen = await bench.watch(run)
    assert seen.names[-1] == "thread.run.cancelled"


async def test_what_the_model_server_did_wrong_is_told_with_what_there_is(user: User):
    async with running(user, [[[Text("half")], UpstreamTruncated()]]) as bench:
        run = await bench.send()
        seen = await bench.watch(run)
        stored = await bench.stored(run)
    stored.agree()
    assert seen.names[-3:] == ["thread.message.incomplete", "error", "thread.run.failed"]
    assert (stored.run.status, stored.run.error_code) == (RunStatus.FAILED, "upstream_truncated")
    assert stored.run.error["log_id"]
    assert stored.answer.content == "half"


async def test_an_unreachable_server_is_asked_three_times(user: User, settings: Any):
    settings.RETRY_DELAY = 0.01
    async with running(user, [[UpstreamUnreachable()]]) as bench:
        run = await bench.send()
        await bench.watch(run)
        stored = await bench.stored(run)
    assert len(bench.provider.requests) == 3
    assert stored.run.error_code == "upstream_unreachable"
    assert stored.question.content == "hello"


async def test_a_fault_of_ours_is_told_without_its_text(user: User):
    async with running(user, [ANSWER]) as bench:
        with mock.patch.object(bench.provider, "stream", side_effect=RuntimeError("password=hunter2")):
            run = await bench.send()
            seen = await bench.watch(run)
            stored = await bench.stored(run)
    stored.agree()
    assert stored.run.error_code == "internal_error"
    assert not any("hunter2" in entry.text for entry in seen.entries)


async def test_a_run_that_takes_too_long_expires(user: User, settings: Any):
    settings.RUN_DEADLINE = 0.3
    async with running(user, [[[Text("some")], asyncio.Event(), [STOP]]]) as bench:
        run = await bench.send()
        await bench.watch(run)
        stored = await bench.stored(run)
    stored.agree()
    assert stored.run.status == RunStatus.EXPIRED
    assert stored.answer.content == "some"


async def test_a_stop_wished_while_time_runs_out_wins(user: User, settings: Any):
    settings.RUN_DEADLINE = 0.4
    async with running(user, [[[Text("some")], asyncio.Event(), [STOP]]]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        with mock.patch.object(bench.engine.supervisor, "_grant_wishes", new=mock.AsyncMock()):
            await bench.cancel(run)  # stored, but the worker does not hear of it
            seen = await bench.watch(run)
        stored = await bench.stored(run)
    stored.agree()
    assert seen.names[-1] == "thread.run.cancelled"


async def test_no_more_runs_at_once_than_the_capacity(user: User, settings: Any):
    settings.RUN_CAPACITY = 2
    gate = asyncio.Event()
    async with running(user, [[gate, [Text("x")], [STOP]]]) as bench:
        runs = [await bench.send() for _ in range(4)]
        await bench.until(runs[1], "thread.run.in_progress")
        await asyncio.sleep(0.1)
        assert bench.engine.supervisor.running == 2
        statuses = [(await bench.stored(run)).run.status for run in runs]
        assert statuses == ["in_progress", "in_progress", "queued", "queued"]
        gate.set()
        for run in runs:
            assert (await bench.watch(run)).names[-1] == "thread.run.completed"


async def test_a_dead_process_that_was_asked_to_stop_leaves_a_cancelled_run(user: User, settings: Any):
    settings.LEASE_BEAT, settings.LEASE_EXPIRY = 0.2, 1.0
    async with running(user, [[[Text("half")], asyncio.Event()]]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        with mock.patch.object(bench.engine.supervisor, "_grant_wishes", new=mock.AsyncMock()):
            await bench.cancel(run)
            await bench.die()
    async with running(user, []) as after:
        assert (await after.watch(run)).names[-1] == "thread.run.cancelled"
        (await after.stored(run)).agree()


async def test_a_question_that_was_still_queued_is_answered_after_the_restart(user: User, settings: Any):
    settings.RUN_CAPACITY = 0
    async with running(user, []) as bench:
        run = await bench.send()
    settings.RUN_CAPACITY = 10
    async with running(user, [ANSWER]) as after:
        assert (await after.watch(run)).text == "Hello"


async def test_a_process_that_works_on_nothing_takes_nothing_over(user: User, settings: Any):
    settings.LEASE_BEAT, settings.LEASE_EXPIRY = 0.2, 1.0
    async with running(user, [[[Text("half")], asyncio.Event()]]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        await bench.die()
    settings.RUN_CAPACITY = 0
    async with running(user, []) as web:
        await asyncio.sleep(1.5)
        assert (await web.stored(run)).run.status == RunStatus.IN_PROGRESS


async def test_a_worker_that_lost_its_lease_writes_nothing_more(user: User):
    gate = asyncio.Event()
    async with running(user, [[[Text("a")], gate, [Text("b")], [STOP]]]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        before = (await bench.stored(run)).entries
        await sync_to_async(RunLease.objects.filter(pk=run.pk).update)(number=99, holder="somebody else")
        gate.set()
        async with asyncio.timeout(5):
            while bench.engine.supervisor.running:
                await asyncio.sleep(0.02)
        stored = await bench.stored(run)
    assert stored.entries == before
    assert stored.run.status == RunStatus.IN_PROGRESS


async def test_a_drain_lets_runs_finish_within_the_grace(user: User):
    gate = asyncio.Event()
    async with running(user, [[[Text("a")], gate, [Text("b")], [STOP]]]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        draining = asyncio.ensure_future(bench.engine.supervisor.drain(grace=5))
        gate.set()
        await draining
        stored = await bench.stored(run)
    stored.agree()
    assert (stored.run.status, stored.answer.content) == (RunStatus.COMPLETED, "ab")


async def test_a_drain_leaves_what_does_not_finish_to_the_next_start(user: User):
    async with running(user, [[[Text("a")], asyncio.Event(), [STOP]]]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        await bench.engine.supervisor.drain(grace=0.1)
        assert bench.provider.closed_early == 1
        waiting = await bench.send()
        stored, queued = await bench.stored(run), await bench.stored(waiting)
    assert (stored.run.status, stored.lease.holder) == (RunStatus.IN_PROGRESS, "")
    assert fold(stored.entries).answer.content == "a"  # type: ignore[union-attr]
    assert stored.lease.held > 0
    assert queued.run.status == RunStatus.QUEUED
    async with running(user, [[[Text("b")], [STOP]]]) as after:
        assert (await after.watch(run)).text == "ab"
        left = await after.stored(run)
    left.agree()
    assert (left.run.status, left.run.attempt, left.lease.lost) == (RunStatus.COMPLETED, 2, 0)


async def test_a_stop_that_comes_with_the_end_of_a_drain_is_granted(user: User):
    async with running(user, [[[Text("a")], asyncio.Event(), [STOP]]]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        with mock.patch.object(bench.engine.supervisor, "_grant_wishes", new=mock.AsyncMock()):
            await bench.cancel(run)
            await bench.engine.supervisor.drain(grace=0)
        stored = await bench.stored(run)
    stored.agree()
    assert stored.run.status == RunStatus.CANCELLED


async def test_storage_that_is_busy_for_a_moment_costs_a_pause_and_nothing_else(user: User):
    gate = asyncio.Event()
    async with running(user, [[[Text("a")], gate, [Text("b")], [STOP]]]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        real, failures = writer.commit, iter([OperationalError("database is locked")] * 2)

        def sometimes(*args: Any, **kwargs: Any) -> Any:
            if fault := next(failures, None):
                raise fault
            return real(*args, **kwargs)

        with mock.patch.object(writer, "commit", sometimes):
            gate.set()
            seen = await bench.watch(run)
        stored = await bench.stored(run)
    stored.agree()
    assert seen.text == "ab"
    waits = [json.loads(hint)["data"] for hint in seen.hints if "waiting_for_storage" in hint]
    assert waits == [
        {"run_id": str(run.pk), "thread_id": str(run.thread_id), "phase": "waiting_for_storage", "progress": None}
    ]


async def test_storage_that_stays_away_fails_the_run_and_shows_nothing_uncommitted(user: User):
    gate = asyncio.Event()
    async with running(user, [[[Text("a")], gate, [Text("b")], [STOP]]]) as bench:
        bench.engine.event_log._writer._patience = 0.2  # type: ignore[attr-defined]
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        with mock.patch.object(writer, "commit", side_effect=OperationalError("database is locked")):
            gate.set()
            seen = await bench.watch(run)
        stored = await bench.stored(run)
    stored.agree()
    assert (stored.run.status, stored.run.error_code) == (RunStatus.FAILED, "storage_busy")
    assert stored.run.error["log_id"]
    assert seen.text == stored.answer.content == "a"


async def test_a_full_disk_has_its_own_name(user: User):
    gate = asyncio.Event()
    async with running(user, [[[Text("a")], gate, [Text("b")], [STOP]]]) as bench:
        bench.engine.event_log._writer._patience = 0.1  # type: ignore[attr-defined]
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        with mock.patch.object(writer, "commit", side_effect=OperationalError("database or disk is full")):
            gate.set()
            await bench.watch(run)
        stored = await bench.stored(run)
    assert stored.run.error_code == "storage_full"


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the lock on the data directory is SQLite's")
async def test_two_supervisors_on_one_data_directory_are_refused(user: User):
    async with running(user, []):
        second = Engine(providers=[])
        with pytest.raises(DataDirectoryInUse, match="Another chatserver process"):
            await second.start()


async def test_nothing_is_left_of_a_run_when_it_is_over(user: User):
    async with running(user, [ANSWER]) as bench:
        await asyncio.sleep(0.05)  # what a start begins and ends at once is over
        before = len(bench.engine.tasks)
        runs = [await bench.send() for _ in range(20)]
        for run in runs:
            await bench.watch(run)
        async with asyncio.timeout(5):
            while len(bench.engine.tasks) > before or bench.engine.supervisor.running:
                await asyncio.sleep(0.02)


async def test_slow_readers_do_not_cost_a_lease(user: User, settings: Any):
    settings.LEASE_BEAT = 0.1
    async with running(user, [[[Text("a")], asyncio.Event(), [STOP]]]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        slow = [asyncio.ensure_future(bench.engine.offload(time.sleep, 1.0)) for _ in range(8)]
        before = (await bench.stored(run)).lease.expires_at
        await asyncio.sleep(0.5)
        assert (await bench.stored(run)).lease.expires_at > before
        await asyncio.gather(*slow)


async def test_a_model_that_must_be_loaded_is_said_to_be(user: User):
    async with running(user, [ANSWER]) as bench:
        bench.provider.listed = [ModelInfo(provider="scripted", name="model", loaded=False)]
        await bench.engine.registry.refresh()
        gate = asyncio.Event()
        bench.provider.turns = [[gate, *ANSWER]]
        run = await bench.send()
        watching = asyncio.ensure_future(bench.watch(run))
        await bench.until(run, "thread.run.in_progress")
        await asyncio.sleep(0.1)
        gate.set()
        phases = [json.loads(hint)["data"]["phase"] for hint in (await watching).hints]
    assert phases == ["loading_model"]

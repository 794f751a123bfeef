"""Runs whose log cannot be worked with end all the same, and hold nobody else up."""

import asyncio
import json
from typing import Any
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.db.models import F

from chatserver.accounts.models import User
from conversations.models import Run, RunEvent, RunLease
from streaming.engine import worker
from streaming.eventlog.base import LogLost
from streaming.protocol.lifecycle import RunStatus
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, Text
from streaming.providers.scripted import Turn
from streaming.transports.beginning import beginning_of
from tests.support.bench import EngineBench, running

pytestmark = pytest.mark.django_db(transaction=True)

STOP = Finish(reason="stop", usage=Usage())


MORE: Turn = [[Text(" more")], [STOP]]


def half() -> Turn:
    return [[Text("half")], asyncio.Event()]


async def left_behind(user: User, *, by_cancel: bool = False) -> Run:
    """A run in progress whose process died."""
    async with running(user, [half()]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        await bench.die()
        if by_cancel:
            await bench.cancel(run)
    return run


async def ended(bench: EngineBench, run: Run) -> Run:
    async with asyncio.timeout(10):
        while (row := (await bench.stored(run)).run).finished_at is None:
            await asyncio.sleep(0.02)
    return row


async def spoil(run: Run) -> None:
    """Makes nonsense of the run's last event."""
    text = '{"event":"thread.run.step.completed","id":6,"data":{}}'
    last = RunEvent.objects.filter(run_id=run.pk).order_by("-seq")
    seq = await sync_to_async(lambda: last.values_list("seq", flat=True).first())()
    await sync_to_async(RunEvent.objects.filter(run_id=run.pk, seq=seq).update)(text=text)


async def test_a_left_run_whose_log_makes_no_sense_fails_with_what_could_be_read(user: User):
    run = await left_behind(user)
    await spoil(run)
    async with running(user, []) as bench:
        row = await ended(bench, run)
        stored = await bench.stored(run)
    assert (row.status, row.error_code) == (RunStatus.FAILED, "internal_error")
    assert row.error["log_id"]
    assert [entry.id for entry in stored.entries] == list(range(1, row.head + 1))
    names = [json.loads(entry.text)["event"] for entry in stored.entries]
    assert names[-3:] == ["thread.message.incomplete", "error", "thread.run.failed"]
    assert stored.lease.holder == ""


async def test_a_left_run_that_was_to_be_stopped_is_cancelled_though_its_log_makes_no_sense(user: User):
    run = await left_behind(user, by_cancel=True)
    await spoil(run)
    async with running(user, []) as bench:
        assert (await ended(bench, run)).status == RunStatus.CANCELLED


async def test_a_log_that_is_gone_with_its_process_leaves_an_interrupted_run_and_a_snapshot(user: User, settings: Any):
    settings.EVENT_LOG = "memory"
    run = await left_behind(user)
    async with running(user, []) as bench:
        row = await ended(bench, run)
        stored = await bench.stored(run)
        begins = await beginning_of(bench.engine, row, after=1, wish="auto")
    assert row.status == RunStatus.INCOMPLETE
    assert stored.answer.status == "incomplete"
    assert begins.mode == "snapshot"


async def test_the_memory_log_carries_a_run_from_its_beginning_to_its_end(user: User, settings: Any):
    settings.EVENT_LOG = "memory"
    async with running(user, [[[Text("Hel")], [Text("lo")], [STOP]]]) as bench:
        run = await bench.send()
        seen = await bench.watch(run)
        stored = await bench.stored(run)
    assert (stored.run.status, stored.run.head) == (RunStatus.COMPLETED, len(seen.entries))
    assert seen.text == stored.answer.content == "Hello"


async def test_one_run_that_cannot_be_worked_on_does_not_hold_up_the_others(user: User):
    async with running(user, [half()]) as bench:
        bad, good = await bench.send(), await bench.send()
        for run in (bad, good):
            await bench.until(run, "thread.message.delta")
        await bench.die()
    real = worker.Worker.carry_out

    async def choosy(self: worker.Worker) -> None:
        if self.claim.run_id == bad.pk:
            raise RuntimeError("no")
        await real(self)

    with mock.patch.object(worker.Worker, "carry_out", choosy):
        async with running(user, [MORE]) as bench:
            assert (await ended(bench, good)).status == RunStatus.COMPLETED
            await asyncio.sleep(0.1)
            stored = await bench.stored(bad)
            assert (stored.run.status, stored.lease.holder) == (RunStatus.IN_PROGRESS, "")
            assert stored.run.attempt == 2  # not again and again
    async with running(user, [MORE]) as bench:
        assert (await ended(bench, bad)).status == RunStatus.COMPLETED


@pytest.mark.parametrize("fault", [ValueError("no history"), LogLost(), RuntimeError("a fault of ours")])
async def test_a_worker_that_cannot_read_its_run_ends_it(user: User, fault: Exception):
    async with running(user, [half()]) as bench:
        with mock.patch.object(worker, "read_state", side_effect=fault):
            run = await bench.send()
            row = await ended(bench, run)
        stored = await bench.stored(run)
    stored.agree()
    assert row.status == (RunStatus.INCOMPLETE if isinstance(fault, LogLost) else RunStatus.FAILED)


async def test_a_worker_that_cannot_even_do_that_lets_go(user: User, settings: Any):
    settings.LEASE_EXPIRY, settings.LEASE_BEAT = 0.5, 0.2
    async with running(user, [MORE]) as bench:
        with (
            mock.patch.object(worker, "read_state", side_effect=ValueError()),
            mock.patch.object(worker, "salvage", side_effect=RuntimeError()),
        ):
            run = await bench.send()
            async with asyncio.timeout(10):
                while (await bench.stored(run)).lease.number == 0 or (await bench.stored(run)).lease.holder:
                    await asyncio.sleep(0.02)
        row = await ended(bench, run)  # by the sweep, which finds the log in order
    assert row.status == RunStatus.COMPLETED


async def test_a_left_run_is_found_within_seconds_of_its_lease(user: User, settings: Any):
    """Not only after another lease's time; and the worker that had it writes nothing more."""
    settings.LEASE_EXPIRY, settings.LEASE_BEAT = 60, 3
    async with running(user, [half(), MORE]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        await asyncio.sleep(0.1)  # the sweep of the start is over
        await sync_to_async(RunLease.objects.filter(pk=run.pk).update)(
            holder="dead", expires_at=None, number=F("number") + 1
        )
        async with asyncio.timeout(3):
            assert (await ended(bench, run)).status == RunStatus.COMPLETED
        stored = await bench.stored(run)
    stored.agree()
    assert stored.answer.content == "half more"
    assert bench.provider.closed_early == 1

"""What becomes of a run whose worker was turned away."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.db.models import F

from chatserver.accounts.models import User
from conversations.models import RunLease
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, Text
from tests.support.bench import running

pytestmark = pytest.mark.django_db(transaction=True)

STOP = Finish(reason="stop", usage=Usage())


async def test_a_worker_that_was_fenced_out_holds_nothing_that_only_a_restart_would_free(user: User) -> None:
    gate = asyncio.Event()
    async with running(user, [[[Text("some")], gate, [Text(" more")], [STOP]]]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        await sync_to_async(RunLease.objects.filter(pk=run.pk).update)(head=F("head") + 7)
        gate.set()
        async with asyncio.timeout(10):
            while (await sync_to_async(RunLease.objects.get)(pk=run.pk)).holder:
                await asyncio.sleep(0.02)


async def test_a_worker_that_was_fenced_out_leaves_the_next_holder_alone(user: User) -> None:
    gate = asyncio.Event()
    async with running(user, [[[Text("some")], gate, [Text(" more")], [STOP]]]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.message.delta")
        taken = {"holder": "another", "number": F("number") + 1}
        await sync_to_async(RunLease.objects.filter(pk=run.pk).update)(**taken)
        gate.set()
        async with asyncio.timeout(10):
            while bench.engine.supervisor.running:
                await asyncio.sleep(0.02)
        assert (await sync_to_async(RunLease.objects.get)(pk=run.pk)).holder == "another"

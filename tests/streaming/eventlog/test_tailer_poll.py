"""The poll that finds what came from elsewhere."""

import asyncio
from contextlib import ExitStack
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from conversations.models import Run, RunEvent, RunLease
from streaming.eventlog.database import DatabaseLog
from streaming.eventlog.tailer import Tailer
from streaming.offload import Offload
from streaming.protocol.codec import Entry
from tests.support.stored import thread_of

pytestmark = pytest.mark.django_db(transaction=True)
MANY = 1_200  # more conditions than SQLite takes in one statement


def many_that_went_on_elsewhere(user: Any) -> list[Any]:
    thread = thread_of(user)
    runs = Run.objects.bulk_create(
        Run(thread=thread, owner_id=thread.owner_id, status="completed") for _ in range(MANY)
    )
    RunLease.objects.bulk_create(RunLease(run=run, head=2) for run in runs)
    RunEvent.objects.bulk_create(RunEvent(run=run, seq=seq, text=f"{seq}") for run in runs for seq in (1, 2))
    return [run.pk for run in runs]


async def test_what_many_runs_did_elsewhere_is_found_for_all_of_them(user: Any) -> None:
    run_ids = await sync_to_async(many_that_went_on_elsewhere)(user)
    offload = Offload()
    tailer = Tailer(event_log=DatabaseLog(offload=offload), interval=0.01)
    with ExitStack() as stack:
        readers = [stack.enter_context(tailer.subscribe(run_id)) for run_id in run_ids]
        for run_id in run_ids:
            tailer.published(run_id, [Entry(1, "1")])
        poll = asyncio.create_task(tailer.poll_for_ever())
        try:
            async with asyncio.timeout(30):
                while not all(reader.recent(1) == [Entry(2, "2")] for reader in readers):
                    await asyncio.sleep(0.05)
        finally:
            poll.cancel()
            offload.stop()

"""What grows is pruned, and nothing of that waits for a storage of files that is far away."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest
from asgiref.sync import sync_to_async

from chatserver.accounts.models import User
from conversations.attachments import files
from conversations.models import Attachment, LooseFile, Run
from streaming.engine.housekeeping import keep_files, keep_house
from streaming.offload import Offload
from tests.support.stored import ask, park

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def offload() -> Iterator[Offload]:
    threads = Offload(threads=2)
    yield threads
    threads.stop()


async def seen(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not await sync_to_async(condition)():
            await asyncio.sleep(0.01)


async def test_a_run_expires_while_the_storage_of_files_hangs(
    user: User,
    attach: Callable[..., Attachment],
    offload: Offload,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    goes_on, remove = threading.Event(), files.remove
    monkeypatch.setattr(files, "remove", lambda id: goes_on.wait(10) and remove(id))
    await sync_to_async(lambda: attach(user).delete())()
    run = (await sync_to_async(ask)(user)).run
    await sync_to_async(park)(run, "hello", expires_in=-1.0)
    house = keep_house(offload, log_kept=60.0, deleted_kept=60.0)
    keeping = [asyncio.create_task(keep_files(offload)), asyncio.create_task(house)]
    try:
        await seen(lambda: Run.objects.get(pk=run.pk).status == "expired")
        assert await LooseFile.objects.aexists()
        goes_on.set()
        await seen(lambda: not LooseFile.objects.exists())
    finally:
        goes_on.set()
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)

"""``GET /api/v1/runs/{run_id}`` of a run that is removed, or whose log is, while it is being looked at."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chatserver.accounts.models import User
from conversations.models import Run, RunEvent, Thread
from conversations.selectors import stored_entries
from streaming.eventlog.base import LogLost
from streaming.protocol.codec import Entry
from streaming.protocol.errors import NotFound
from streaming.transports.runs import _state
from tests.support.stored import ask, claim, close

pytestmark = pytest.mark.django_db(transaction=True)


class Log:
    """Reads the stored log; ``meanwhile`` happens before or after what is read first."""

    def __init__(self, meanwhile: Callable[[], Any], *, before: bool, raises: bool) -> None:
        self._meanwhile = meanwhile
        self._before = before
        self._raises = raises
        self._first = True

    async def read(self, *, run_id: Any, after: int) -> list[Entry]:
        first, self._first = self._first, False
        if first and self._before:
            await sync_to_async(self._meanwhile)()
        found = await sync_to_async(stored_entries)(run_id=run_id, after=after, most=256, most_bytes=256 * 1024)
        if first and not self._before:
            await sync_to_async(self._meanwhile)()
        if not found and self._raises:
            raise LogLost()
        return found


async def look(run: Run, meanwhile: Callable[[], Any], *, before: bool, raises: bool = False) -> dict[str, Any]:
    running: Any = SimpleNamespace(event_log=Log(meanwhile, before=before, raises=raises))
    return await _state(running, run)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("raises", [True, False])
async def test_a_run_that_is_removed_with_its_thread_is_not_there(user: User, before: bool, raises: bool) -> None:
    run = (await sync_to_async(ask)(user)).run

    held = await sync_to_async(claim)(run)
    await sync_to_async(close)(run, held, head=held.head)  # ``run`` is as it was before
    with pytest.raises(NotFound):
        await look(run, Thread.objects.all().delete, before=before, raises=raises)


@pytest.mark.parametrize("raises", [True, False])
async def test_a_run_whose_log_is_lost_is_told_from_its_rows(user: User, raises: bool) -> None:
    run = (await sync_to_async(ask)(user)).run
    told = await look(run, RunEvent.objects.all().delete, before=True, raises=raises)
    assert (told["run"].id, told["head"]) == (str(run.pk), run.head)
    assert [message.role for message in told["messages"]] == ["user", "assistant"]

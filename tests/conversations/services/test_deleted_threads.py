"""A deleted thread is nowhere, and for a while it can be had back as it was."""

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from conversations import selectors
from conversations.models import FeedEvent, Message, Run, Thread
from conversations.services import threads as verbs
from conversations.services.threads import remove_deleted, restore_thread
from streaming.protocol.errors import NotFound
from tests.support.stored import answer, ask

pytestmark = pytest.mark.django_db
KEPT = 60.0


def deleted(thread: Thread, *, ago: float = 0) -> Thread:
    async_to_sync(verbs.delete_thread)(thread=thread, patience=0.05, undoable=True)
    if ago:
        Thread.everything.filter(pk=thread.pk).update(deleted_at=timezone.now() - timedelta(seconds=ago))
    return Thread.everything.get(pk=thread.pk)


def told() -> list[str]:
    return [row.text for row in FeedEvent.objects.order_by("number")]


def test_it_is_in_no_list_and_no_search_and_its_messages_are_kept(user: Any) -> None:
    run = answer(ask(user, "Where is Wally?").run)
    deleted(run.thread)
    assert not Thread.objects.exists()
    assert selectors.thread_page(owner_id=user.pk, cursor=None).threads == []
    assert selectors.search_page(owner_id=user.pk, words="Wally", cursor=None).found == []
    assert Message.objects.count() == 2
    assert "thread.deleted" in told()[-1]


def test_what_runs_in_it_is_cancelled(user: Any) -> None:
    run = ask(user).run
    deleted(run.thread)
    run.refresh_from_db()
    assert run.cancel_requested_at or run.status == "cancelled"


def test_restored_it_is_as_it_was_and_told_as_new(user: Any) -> None:
    run = answer(ask(user, "Where is Wally?").run)
    before = Thread.objects.get()
    after = restore_thread(thread=deleted(run.thread), kept=KEPT)
    assert (after.title, after.head_id, after.updated_at) == (before.title, before.head_id, before.updated_at)
    assert Thread.objects.get() == before
    assert len(selectors.search_page(owner_id=user.pk, words="Wally", cursor=None).found) == 1
    assert '"thread.created"' in told()[-1]


def test_what_was_not_deleted_and_what_was_too_long_ago_cannot_be_restored(user: Any) -> None:
    run = answer(ask(user).run)
    with pytest.raises(NotFound):
        restore_thread(thread=run.thread, kept=KEPT)
    with pytest.raises(NotFound):
        restore_thread(thread=deleted(run.thread, ago=KEPT + 1), kept=KEPT)


def test_after_a_while_it_goes_for_good_and_nothing_else_does(user: Any) -> None:
    kept, waits, goes = (answer(ask(user).run) for _ in range(3))
    deleted(waits.thread)
    deleted(goes.thread, ago=KEPT + 1)
    count = len(told())
    assert remove_deleted(kept=KEPT, most=20) == 1
    assert set(Thread.everything.values_list("pk", flat=True)) == {kept.thread_id, waits.thread_id}
    assert set(Run.objects.values_list("pk", flat=True)) == {kept.pk, waits.pk}
    assert len(told()) == count  # it was told when it was deleted


def test_only_so_many_go_at_once(user: Any) -> None:
    for _ in range(3):
        deleted(answer(ask(user).run).thread, ago=KEPT + 1)
    assert remove_deleted(kept=KEPT, most=2) == 2
    assert remove_deleted(kept=KEPT, most=2) == 1
    assert remove_deleted(kept=KEPT, most=2) == 0


def test_deleted_by_two_at_once_it_is_told_once(user: Any) -> None:
    thread = answer(ask(user).run).thread
    deleted(thread)
    count = len(told())
    async_to_sync(verbs.delete_thread)(thread=thread, undoable=True)
    assert len(told()) == count


def test_it_goes_with_the_account(user: Any) -> None:
    deleted(answer(ask(user).run).thread)
    user.delete()
    assert not Thread.everything.exists()
    assert not Message.objects.exists()

import asyncio
import json
import time
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async

from conversations.models import (
    FeedEvent,
    IdempotencyKey,
    Message,
    Run,
    RunEvent,
    RunLease,
    Step,
    Thread,
)
from conversations.services import threads as verbs
from conversations.services.idempotency import Key
from conversations.services.run_open import open_run
from conversations.services.threads import create_thread, update_thread
from streaming.protocol.commands import NewThread, Send
from streaming.protocol.errors import IdempotencyConflict, NotFound
from tests.support.stored import answer, ask, choose, claim, principal_for, thread_of

pytestmark = pytest.mark.django_db
delete_thread = async_to_sync(verbs.delete_thread)


def last_told(user: Any) -> Any:
    return json.loads(FeedEvent.objects.filter(user=user).latest("number").text)


def key_of(user: Any, body: str = "a") -> Key:
    return Key(user_id=user.pk, key="k", body_hash=body)


def test_a_title_is_one_line_and_a_persons(user: Any) -> None:
    thread = thread_of(user, title="  Two\nlines  ")
    assert (thread.title, thread.title_by) == ("Two lines", "person")


def test_without_a_title_nobody_has_given_one(user: Any) -> None:
    assert thread_of(user, title=" \n ").title_by == ""


def test_a_new_thread_is_told(user: Any) -> None:
    thread = thread_of(user, title="Mine")
    told = last_told(user)
    assert (told["event"], told["data"]["thread"]["id"]) == ("thread.created", str(thread.pk))


def test_the_same_key_gives_the_same_thread(user: Any) -> None:
    first, replayed = create_thread(owner_id=user.pk, command=NewThread(), key=key_of(user))
    again, replayed_again = create_thread(owner_id=user.pk, command=NewThread(), key=key_of(user))
    assert (first, replayed, replayed_again) == (again, False, True)
    assert Thread.objects.count() == 1


def test_the_same_key_for_something_else_is_a_conflict(user: Any) -> None:
    create_thread(owner_id=user.pk, command=NewThread(), key=key_of(user, "a"))
    with pytest.raises(IdempotencyConflict):
        create_thread(owner_id=user.pk, command=NewThread(), key=key_of(user, "b"))


def test_the_key_of_a_deleted_thread_leads_nowhere(user: Any) -> None:
    thread, _ = create_thread(owner_id=user.pk, command=NewThread(), key=key_of(user))
    delete_thread(thread=thread)
    with pytest.raises(NotFound):
        create_thread(owner_id=user.pk, command=NewThread(), key=key_of(user))


def test_only_what_is_named_changes(user: Any) -> None:
    thread = update_thread(thread=thread_of(user, title="Mine", model="m"), changes={"pinned": True})
    assert (thread.title, thread.title_by, thread.model, thread.pinned) == ("Mine", "person", "m", True)


def test_a_change_is_told_and_is_no_activity(user: Any) -> None:
    thread = thread_of(user)
    changed = update_thread(thread=thread, changes={"title": "New"})
    assert changed.updated_at == thread.updated_at
    assert last_told(user)["data"]["thread"]["title"] == "New"


def test_an_event_about_a_change_knows_what_others_changed_meanwhile(user: Any) -> None:
    stale = thread_of(user)
    run = ask(user, thread=stale).run
    update_thread(thread=stale, changes={"pinned": True})
    told = last_told(user)["data"]["thread"]
    assert (told["head"], told["active_runs"]) == (str(run.answer_id), [str(run.pk)])


def test_nothing_named_is_nothing_told(user: Any) -> None:
    thread = thread_of(user)
    update_thread(thread=thread, changes={})
    assert FeedEvent.objects.count() == 1


def test_a_title_taken_away_lets_the_next_question_give_one(user: Any) -> None:
    thread = update_thread(thread=thread_of(user, title="Mine"), changes={"title": ""})
    assert thread.title_by == ""
    ask(user, "Why?", thread=thread)
    assert Thread.objects.get().title == "Why?"


def test_tags_are_single_lines_and_stand_once(user: Any) -> None:
    thread = update_thread(thread=thread_of(user), changes={"tags": [" a ", "b\nc", "a", "  "]})
    assert thread.tags == ["a", "b c"]


def test_a_thread_that_is_gone_cannot_be_changed(user: Any) -> None:
    thread = thread_of(user)
    Thread.objects.all().delete()
    with pytest.raises(NotFound):
        update_thread(thread=thread, changes={"title": "x"})


def test_deleting_leaves_no_row_of_it_and_tells(user: Any) -> None:
    run = answer(ask(user).run, thinking="Hm.")
    kept = answer(ask(user).run)
    delete_thread(thread=run.thread)
    for kind in (Message, Step, RunEvent, RunLease):
        assert not kind.objects.exclude(**_of(kind, kept)).exists()
    assert list(Run.objects.all()) == [kept]
    assert last_told(user) == {
        "event": "thread.deleted",
        "feed": FeedEvent.objects.count(),
        "data": {"thread_id": str(run.thread_id)},
    }


def _of(kind: Any, run: Run) -> dict[str, Any]:
    return {"thread": run.thread} if kind is Message else {"run": run}


def test_deleting_cancels_first_what_waits_in_it(user: Any) -> None:
    run = ask(user).run
    delete_thread(thread=run.thread)
    told = [json.loads(row.text)["event"] for row in FeedEvent.objects.order_by("number")]
    assert told[-2:] == ["thread.run.cancelled", "thread.deleted"]


def test_deleting_does_not_wait_for_ever_for_a_worker_that_does_not_hear(user: Any) -> None:
    run = ask(user).run
    claim(run)
    delete_thread(thread=run.thread, patience=0.05)
    assert not Thread.objects.exists()


def test_deleting_lets_others_have_the_thread_while_it_waits(user: Any) -> None:
    run = ask(user).run
    claim(run)

    async def meanwhile() -> float:
        deleting = asyncio.create_task(verbs.delete_thread(thread=run.thread, patience=0.6))
        await asyncio.sleep(0.1)
        begun = time.monotonic()
        assert await sync_to_async(Thread.objects.exists)()
        took = time.monotonic() - begun
        await deleting
        return took

    assert async_to_sync(meanwhile)() < 0.3
    assert not Thread.objects.exists()


def test_a_thread_is_removed_though_its_deleter_left_while_it_waited(user: Any) -> None:
    run = ask(user).run
    claim(run)

    async def left() -> None:
        deleting = asyncio.create_task(verbs.delete_thread(thread=run.thread, patience=30))
        await asyncio.sleep(0.2)
        deleting.cancel()
        await asyncio.gather(deleting, return_exceptions=True)

    async_to_sync(left)()
    assert not Thread.objects.exists()


def test_deleting_keeps_the_keys_so_that_nothing_comes_back(user: Any) -> None:
    key = Key(user_id=user.pk, key="k", body_hash="x")
    asking = {"principal": principal_for(user), "thread_id": None, "command": Send(content="x"), "choose": choose}
    run = open_run(**asking, key=key).run
    delete_thread(thread=run.thread)
    assert IdempotencyKey.objects.count() == 1
    with pytest.raises(NotFound):
        open_run(**asking, key=key)


def test_a_long_thread_can_be_deleted(user: Any) -> None:
    thread = thread_of(user)
    parent = None
    for number in range(1500):
        parent = Message(thread=thread, parent=parent, role="user", status="completed", content=str(number))
        parent.save(force_insert=True)
    delete_thread(thread=thread)
    assert not Message.objects.exists()

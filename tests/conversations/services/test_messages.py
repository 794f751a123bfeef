"""Deleting one message: what goes with it, what stays, and what is shown afterwards."""

import json
from functools import partial
from typing import Any

import pytest

from chatserver.ids import new_id
from conversations import selectors
from conversations.models import FeedEvent, IdempotencyKey, Message, Run, RunEvent, RunLease, Step, Thread
from conversations.services.messages import delete_message
from streaming.protocol.errors import NotFound, ThreadBusy
from streaming.protocol.lifecycle import RunStatus
from tests.support.stored import answer, ask, lanes, thread_of
from tests.support.together import together

pytestmark = pytest.mark.django_db(transaction=True)


def delete(message: Message) -> None:
    delete_message(thread=message.thread, message_id=message.pk)


def shown(thread: Thread) -> list[str]:
    thread.refresh_from_db()
    return [message.content for message in selectors.message_page(thread=thread, cursor=None).messages]


def feed() -> list[tuple[str, Any]]:
    rows = FeedEvent.objects.order_by("number")
    return [(event["event"], event["data"]) for event in (json.loads(row.text) for row in rows)]


def two_exchanges(user: Any) -> tuple[Run, Run]:
    first = answer(ask(user, "one").run, "first", thinking="Hm.")
    return first, answer(ask(user, "two", thread=first.thread).run, "second")


def test_a_message_goes_with_everything_said_below_it_and_with_its_runs(user: Any) -> None:
    first, second = two_exchanges(user)
    delete(second.question)
    assert shown(first.thread) == ["one", "first"]
    assert [run.pk for run in Run.objects.all()] == [first.pk]
    assert not RunEvent.objects.filter(run_id=second.pk).exists()
    assert (RunLease.objects.count(), Step.objects.count()) == (1, 1)
    delete(first.question)
    assert shown(first.thread) == []
    assert (Message.objects.count(), Run.objects.count(), Step.objects.count(), Thread.objects.count()) == (0, 0, 0, 1)


def test_an_answer_goes_and_its_question_can_be_asked_again(user: Any) -> None:
    first, second = two_exchanges(user)
    delete(second.answer)
    assert shown(first.thread) == ["one", "first", "two"]
    again = answer(ask(user, None, thread=first.thread, regenerate=str(second.question_id)).run, "anew")
    assert shown(first.thread) == ["one", "first", "two", "anew"]
    assert again.question_id == second.question_id


def test_other_versions_stay_and_the_newest_of_them_is_shown(user: Any) -> None:
    first, second = two_exchanges(user)
    edited = answer(ask(user, "two, edited", thread=first.thread, edit=str(second.question_id)).run, "third")
    delete(edited.question)
    assert shown(first.thread) == ["one", "first", "two", "second"]
    other = answer(ask(user, "another beginning", thread=first.thread, edit=str(first.question_id)).run, "fourth")
    delete(other.question)
    assert shown(first.thread) == ["one", "first", "two", "second"]


def test_what_is_not_shown_goes_without_moving_the_head(user: Any) -> None:
    one, two = (answer(run) for run in ask(user, choose=lanes("a", "b")).runs)
    head = one.thread.head_id
    before = len(feed())
    delete(two.answer)
    one.thread.refresh_from_db()
    assert one.thread.head_id == head == one.answer_id
    assert feed()[before:] == [("message.deleted", {"thread_id": str(one.thread_id), "message_id": str(two.answer_id)})]
    assert [run.pk for run in Run.objects.all()] == [one.pk]


def test_the_feed_tells_what_went_and_where_the_thread_stands(user: Any) -> None:
    first, second = two_exchanges(user)
    delete(second.question)
    (deleted, what), (updated, thread) = feed()[-2:]
    assert (deleted, what["message_id"]) == ("message.deleted", str(second.question_id))
    assert (updated, thread["thread"]["head"]) == ("thread.updated", str(first.answer_id))


def test_nothing_is_deleted_while_a_run_writes_in_it(user: Any) -> None:
    first, second = two_exchanges(user)
    active = ask(user, None, thread=first.thread, regenerate=str(second.answer_id)).run
    for message in (first.question, first.answer, second.question, active.answer):
        with pytest.raises(ThreadBusy) as caught:
            delete(message)
        assert caught.value.details["run"]["id"] == str(active.pk)
    assert Message.objects.count() == 5
    delete(second.answer)  # beside it
    answer(active)
    delete(active.answer)


def test_an_answer_that_was_continued_goes_with_all_its_runs(user: Any) -> None:
    early = answer(ask(user).run, "so far", status=RunStatus.FAILED)
    whole = answer(ask(user, None, thread=early.thread, **{"continue": str(early.answer_id)}).run, "so far, so good")
    delete(whole.answer)
    assert (Run.objects.count(), shown(early.thread)) == (0, ["Why?"])


def test_what_is_gone_is_not_there(user: Any) -> None:
    first, second = two_exchanges(user)
    delete(second.answer)
    with pytest.raises(NotFound):
        delete_message(thread=first.thread, message_id=second.answer_id)
    with pytest.raises(NotFound):
        delete_message(thread=thread_of(user), message_id=first.answer_id)
    with pytest.raises(NotFound):
        delete_message(thread=first.thread, message_id=new_id())


def test_a_key_whose_run_was_deleted_leads_nowhere_and_begins_nothing(user: Any) -> None:
    run = answer(ask(user, key="k").run)
    delete(run.question)
    with pytest.raises(NotFound):
        ask(user, key="k")
    assert (IdempotencyKey.objects.count(), Run.objects.count()) == (1, 0)


def test_of_many_that_delete_one_does_and_a_reply_that_comes_meanwhile_is_refused_or_goes_too(user: Any) -> None:
    run = answer(ask(user).run)
    reply = partial(ask, user, "And?", thread=run.thread, parent_id=str(run.answer_id))
    outcomes = together([*[partial(delete, run.question)] * 4, reply])
    kinds = [type(outcome).__name__ for outcome in outcomes]
    if kinds[-1] == "Opened":  # it was first: what would be deleted is written in
        assert kinds[:4] == ["ThreadBusy"] * 4
        assert Message.objects.count() == 4
    else:
        assert sorted(kinds) == ["NoneType", *["NotFound"] * 4]
        assert Message.objects.count() == 0


def test_a_very_long_thread_can_be_cut_at_its_root(user: Any) -> None:
    thread = thread_of(user)
    parent, rows = None, []
    for number in range(1500):
        role = "user" if number % 2 == 0 else "assistant"
        rows.append(Message(thread=thread, parent=parent, role=role, status="completed", content=str(number)))
        parent = rows[-1]
    Message.objects.bulk_create(rows)
    Thread.objects.filter(pk=thread.pk).update(head=parent)
    delete(rows[0])
    assert Message.objects.count() == 0
    assert Thread.objects.get().head_id is None

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from conversations import selectors, wire
from conversations.models import FeedEvent, Message, Run, RunEvent, Thread
from conversations.services import run_waiting
from conversations.services.run_cancel import cancel_run
from conversations.services.run_decide import expire_parked
from conversations.services.run_lease import claim_run
from conversations.services.run_waiting import MOST_WAITING, change_waiting, start_left_behind, start_waiting
from conversations.services.threads import delete_thread
from streaming.protocol.codec import Entry
from streaming.protocol.commands import MAX_CONTENT_BYTES
from streaming.protocol.errors import (
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    NotWaiting,
    QueueFull,
    StaleHead,
    ThreadBusy,
)
from streaming.protocol.lifecycle import RunStatus
from streaming.protocol.snapshot import fold
from tests.support.stored import answer, ask, claim, close, lanes, park, thread_of

pytestmark = pytest.mark.django_db


def wait(user: Any, thread: Thread, content: str = "And then?", **fields: Any) -> Run:
    return ask(user, content, thread=thread, if_busy="enqueue", **fields).run


def names(run: Run) -> list[str]:
    return [json.loads(text)["event"] for text in run.events.order_by("seq").values_list("text", flat=True)]


def told(user: Any, *, after: int) -> list[tuple[str, Any]]:
    rows = FeedEvent.objects.filter(user=user, number__gt=after).order_by("number")
    found = [json.loads(text) for text in rows.values_list("text", flat=True)]
    return [(each["event"], each["data"]) for each in found]


def agree(run: Run) -> None:
    """The log folds to the run as its rows say."""
    rows = RunEvent.objects.filter(run=run).order_by("seq").values_list("seq", "text")
    state, record = fold([Entry(*row) for row in rows]), selectors.record_of(run.pk)
    assert state.run == wire.run_object(record.run)
    assert state.messages == [wire.message_object(message) for message in record.messages]
    assert (state.last, record.run.head) == (record.head, record.head)


def test_a_send_to_a_busy_thread_waits_without_messages(user: Any) -> None:
    first = ask(user).run
    before = Thread.objects.get().updated_at
    run = wait(user, first.thread)
    assert (run.waiting, run.status, run.question, run.answer) == (True, "queued", None, None)
    assert run.request == {"content": "And then?", "attachments": [], "model": "demo/demo"}
    assert names(run) == ["thread.run.created"]
    created = json.loads(RunEvent.objects.get(run=run).text)["data"]["run"]
    assert (created["waiting"], created["user_message_id"], created["request"]["content"]) == (True, None, "And then?")
    assert (Message.objects.count(), Thread.objects.get().updated_at) == (2, before)
    both = [first.pk, run.pk]
    assert selectors.still_claimable(run_ids=both, thread_ids=[first.thread_id]) == [first.pk]
    assert claim_run(run_id=run.pk, holder="w", expiry=10) is None
    agree(run)


def test_a_send_to_a_thread_that_is_not_busy_is_an_ordinary_one(user: Any) -> None:
    run = wait(user, answer(ask(user).run).thread)
    assert (run.waiting, run.question.content, len(names(run))) == (False, "And then?", 3)


def test_three_may_wait_and_a_fourth_is_refused_with_what_waits(user: Any) -> None:
    thread = ask(user).run.thread
    waiting = [wait(user, thread, f"number {n}") for n in range(MOST_WAITING)]
    with pytest.raises(QueueFull) as caught:
        wait(user, thread, "one too many")
    assert caught.value.details == {"limit": 3, "waiting": [str(run.pk) for run in waiting]}
    assert (caught.value.status, caught.value.code, caught.value.retryable) == (409, "queue_full", True)
    assert selectors.waiting_runs(thread_id=thread.pk) == waiting


def test_what_waits_together_is_no_longer_than_the_longest_question(user: Any) -> None:
    thread = ask(user).run.thread
    run = wait(user, thread, "😀" * (MAX_CONTENT_BYTES // 12 - 100))
    with pytest.raises(QueueFull):
        wait(user, thread, "😀" * 200)
    short = wait(user, thread, "short")
    with pytest.raises(QueueFull):
        change_waiting(run=short, content="😀" * 200)
    assert change_waiting(run=run, content="less").request["content"] == "less"
    assert change_waiting(run=short, content="😀" * 200).request["content"] == "😀" * 200


def test_the_next_one_begins_with_the_end_of_the_one_before(user: Any) -> None:
    first = ask(user).run
    second, third = wait(user, first.thread, "Second?"), wait(user, first.thread, "Third?")
    answer(first)
    second.refresh_from_db()
    assert (second.waiting, second.request, second.status) == (False, None, "queued")
    assert (second.question.content, second.question.parent_id) == ("Second?", first.answer_id)
    assert names(second) == ["thread.run.created", "thread.message.created", "thread.message.created"]
    assert Thread.objects.get().head == second.answer
    assert selectors.waiting_runs(thread_id=first.thread_id) == [third]
    agree(second)
    answer(second)
    answer(Run.objects.get(pk=third.pk))
    agree(second)
    assert Message.objects.get(content="Third?").parent_id == second.answer_id
    shown = selectors.message_page(thread=Thread.objects.get(), cursor=None)
    assert [message.content for message in shown.messages] == [
        *("Why?", "Because.", "Second?", "Because.", "Third?", "Because."),
    ]


@pytest.mark.parametrize("status", [RunStatus.COMPLETED, RunStatus.INCOMPLETE, RunStatus.FAILED])
def test_it_begins_however_the_one_before_ended(user: Any, status: RunStatus) -> None:
    first = ask(user).run
    run = wait(user, first.thread)
    answer(first, status=status)
    assert Run.objects.get(pk=run.pk).question.content == "And then?"


def test_it_begins_when_the_one_before_was_stopped(user: Any) -> None:
    first = ask(user).run
    run, held = wait(user, first.thread), claim(first)
    cancel_run(run=first, by="user", reason="requested")
    assert Run.objects.get(pk=run.pk).waiting
    close(Run.objects.get(pk=first.pk), held, head=held.head, status=RunStatus.CANCELLED)
    assert not Run.objects.get(pk=run.pk).waiting


def test_it_begins_when_the_one_before_was_stopped_before_it_began(user: Any) -> None:
    first = ask(user).run
    run = wait(user, first.thread)
    cancel_run(run=first, by="user", reason="requested")
    assert Run.objects.get(pk=run.pk).question.parent_id == first.answer_id


def test_a_parked_run_keeps_the_thread_busy_until_it_expires(user: Any) -> None:
    first = ask(user).run
    park(first, "a line", expires_in=-1)
    run = wait(user, first.thread)
    assert start_left_behind(most=10) == 0
    expire_parked(most=10)
    assert Run.objects.get(pk=run.pk).question.parent_id == first.answer_id


def test_it_begins_when_the_last_of_several_lanes_has_ended(user: Any) -> None:
    opened = ask(user, choose=lanes("a", "b"), models=["a", "b"])
    run = wait(user, opened.run.thread)
    answer(opened.runs[0])
    assert Run.objects.get(pk=run.pk).waiting
    answer(opened.runs[1])
    assert Run.objects.get(pk=run.pk).question.parent_id == opened.runs[0].answer_id


def test_who_interrupts_goes_first_and_what_waits_stays(user: Any) -> None:
    first = ask(user).run
    run = wait(user, first.thread)
    cancel_run(run=first, by="user", reason="interrupted")
    assert Run.objects.get(pk=run.pk).waiting
    with pytest.raises(ThreadBusy):  # who only asks does not slip in between
        ask(user, "Me?", thread=first.thread)
    behind = wait(user, first.thread, "Behind.")
    interrupting = ask(user, "Stop that.", thread=first.thread, if_busy="interrupt").run
    assert (interrupting.waiting, interrupting.question.parent_id) == (False, first.answer_id)
    answer(interrupting)
    assert Run.objects.get(pk=run.pk).question.parent_id == interrupting.answer_id
    assert Run.objects.get(pk=behind.pk).waiting


def test_a_queue_that_was_left_to_somebody_who_sent_nothing_goes_on_by_itself(user: Any) -> None:
    first = ask(user).run
    run = wait(user, first.thread)
    cancel_run(run=first, by="user", reason="interrupted")
    assert start_left_behind(most=10) == 0
    Run.objects.filter(pk=first.pk).update(finished_at=timezone.now() - timedelta(minutes=1))
    assert start_left_behind(most=10) == 1
    agree(Run.objects.get(pk=run.pk))
    assert start_left_behind(most=10) == 0
    assert not start_waiting(thread_id=first.thread_id)


def test_it_can_be_changed_and_its_readers_are_told(user: Any) -> None:
    first = ask(user).run
    run = wait(user, first.thread)
    changed = change_waiting(run=run, content="Or else?")
    assert (changed.waiting, changed.request["content"]) == (True, "Or else?")
    assert names(run) == ["thread.run.created", "thread.run.updated"]
    agree(Run.objects.get(pk=run.pk))
    feed = selectors.feed_cursor(user.pk)
    assert change_waiting(run=run, content="Or else?").request["content"] == "Or else?"
    assert (names(run), selectors.feed_cursor(user.pk)) == (["thread.run.created", "thread.run.updated"], feed)
    answer(first)
    assert Message.objects.filter(content="Or else?").count() == 1
    assert not Message.objects.filter(content="And then?").exists()
    agree(Run.objects.get(pk=run.pk))


def test_what_has_begun_or_ended_cannot_be_changed(user: Any) -> None:
    first = ask(user).run
    second, third = wait(user, first.thread), wait(user, first.thread)
    cancel_run(run=third, by="user", reason="requested")
    answer(first)
    for run, status in ((first, "completed"), (second, "queued"), (third, "cancelled")):
        with pytest.raises(NotWaiting) as caught:
            change_waiting(run=run, content="x")
        assert caught.value.details == {"status": status}
    async_to_sync(delete_thread)(thread=first.thread, patience=0.0)
    with pytest.raises(NotFound):
        change_waiting(run=second, content="x")


def test_it_cannot_be_changed_for_ever(user: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(run_waiting, "MOST_CHANGES", 2)
    run = wait(user, ask(user).run.thread)
    for content in ("one", "two"):
        change_waiting(run=run, content=content)
    with pytest.raises(InvalidRequest):
        change_waiting(run=run, content="three")


def test_withdrawn_it_has_an_end_and_no_messages(user: Any) -> None:
    first = ask(user).run
    run, behind = wait(user, first.thread), wait(user, first.thread, "Behind.")
    withdrawn = cancel_run(run=run, by="user", reason="requested")
    assert (withdrawn.status, withdrawn.waiting, withdrawn.request) == ("cancelled", False, None)
    assert names(run) == ["thread.run.created", "thread.run.cancelled"]
    receipt = json.loads(RunEvent.objects.get(run=run, seq=2).text)["data"]["receipt"]
    assert receipt == {"upstream_closed": True, "content_length": 0}
    assert cancel_run(run=run, by="user", reason="requested").head == 2
    assert selectors.waiting_runs(thread_id=first.thread_id) == [behind]
    agree(withdrawn)
    answer(first)
    assert Message.objects.filter(role="user").count() == 2


def test_the_feed_tells_of_the_queue_and_of_the_run_when_it_begins(user: Any) -> None:
    first = ask(user).run
    feed = selectors.feed_cursor(user.pk)
    run = wait(user, first.thread)
    ((name, data),) = told(user, after=feed)
    assert (name, data["thread_id"]) == ("thread.queue.updated", str(first.thread_id))
    assert data["waiting"] == [wire.plain(wire.run_object(run))]
    feed = selectors.feed_cursor(user.pk)
    answer(first)
    events = told(user, after=feed)
    assert [name for name, _ in events] == [
        *("thread.run.completed", "thread.updated", "thread.queue.updated", "thread.run.created"),
    ]
    assert (events[1][1]["thread"]["active_runs"], events[1][1]["thread"]["waiting_runs"]) == ([str(run.pk)], [])
    assert events[2][1]["waiting"] == []
    assert events[3][1]["run"] == wire.plain(wire.run_object(Run.objects.get(pk=run.pk)))


def test_a_key_leads_to_the_same_run_while_it_waits_and_after(user: Any) -> None:
    first = ask(user).run
    run = wait(user, first.thread, key="k")
    again = ask(user, "And then?", thread=first.thread, if_busy="enqueue", key="k")
    assert (again.run.pk, again.replayed, Run.objects.count()) == (run.pk, True, 2)
    with pytest.raises(IdempotencyConflict):
        wait(user, first.thread, "Another", key="k")
    answer(first)
    later = ask(user, "And then?", thread=first.thread, if_busy="enqueue", key="k")
    assert (later.run.pk, later.replayed, later.run.waiting) == (run.pk, True, False)


def test_the_head_is_compared_when_it_is_sent(user: Any) -> None:
    first = ask(user).run
    with pytest.raises(StaleHead):
        wait(user, first.thread, expected_head=str(first.question_id))
    run = wait(user, first.thread, expected_head=str(first.answer_id))
    ahead = ask(user, "x", thread=first.thread, if_busy="interrupt")
    assert [each.pk for each in ahead.runs] == [first.pk]
    cancel_run(run=first, by="user", reason="interrupted")
    second = ask(user, "x", thread=first.thread, if_busy="interrupt").run
    answer(second)
    assert Run.objects.get(pk=run.pk).question.parent_id == second.answer_id


@pytest.mark.parametrize(
    "fields",
    [
        {"regenerate": "m", "content": None},
        {"continue": "m", "content": None},
        {"edit": "m"},
        {"parent_id": "m"},
        {"models": ["a", "b"]},
    ],
)
def test_only_a_plain_question_can_wait(user: Any, fields: Any) -> None:
    content = fields.pop("content", "x")
    with pytest.raises(InvalidRequest, match="only a plain question can wait"):
        ask(user, content, thread=thread_of(user), if_busy="enqueue", **fields)


def test_what_waits_goes_with_its_thread_and_does_not_begin(user: Any) -> None:
    first = ask(user).run
    wait(user, first.thread)
    wait(user, first.thread)
    feed = selectors.feed_cursor(user.pk)
    async_to_sync(delete_thread)(thread=first.thread, patience=0.0)
    events = [name for name, _ in told(user, after=feed)]
    assert "thread.run.created" not in events
    assert (Run.objects.count(), Message.objects.count(), events[-1]) == (0, 0, "thread.deleted")


def test_the_order_is_that_of_the_sends_whatever_the_clocks_say(user: Any, monkeypatch: Any) -> None:
    thread = ask(user).run.thread
    sent = []
    now = timezone.now()
    for back in range(3):
        monkeypatch.setattr(timezone, "now", partial(lambda at: at, now - timedelta(hours=back)))
        sent.append(wait(user, thread, f"number {back}"))
    assert selectors.waiting_runs(thread_id=thread.pk) == sent

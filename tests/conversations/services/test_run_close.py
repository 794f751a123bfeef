import json
from typing import Any

import pytest

from conversations import wire
from conversations.models import FeedEvent, Message, Run, RunEvent, RunLease, Step, Thread
from conversations.services.run_cancel import cancel_run
from conversations.services.run_close import EndRefused, LeaseLost
from conversations.services.run_lease import claim_run
from streaming.protocol.codec import Entry
from streaming.protocol.lifecycle import RunStatus
from streaming.protocol.snapshot import fold
from tests.support.stored import answer, ask, claim, close

pytestmark = pytest.mark.django_db


def log_of(run: Run) -> list[Any]:
    return [json.loads(row.text) for row in RunEvent.objects.filter(run=run).order_by("seq")]


def test_message_steps_run_and_log_end_together(user: Any) -> None:
    run = answer(ask(user).run, "Because.", thinking="Hm.", tool={"name": "clock", "arguments": {}, "output": "12"})
    message = Message.objects.get(pk=run.answer_id)
    assert (message.status, message.content, message.thinking) == ("completed", "Because.", "Hm.")
    assert (run.status, run.usage["completion_tokens"], run.timing["first_token_ms"]) == ("completed", 11, 120)
    assert list(Step.objects.order_by("index").values_list("kind", "status")) == [
        ("reasoning", "completed"),
        ("tool_calls", "completed"),
    ]
    assert log_of(run)[-1]["event"] == "thread.run.completed"


def test_the_log_is_whole_and_folds_to_what_the_rows_say(user: Any) -> None:
    run = answer(ask(user).run, "Because.", thinking="Hm.")
    rows = RunEvent.objects.filter(run=run).order_by("seq")
    assert [row.seq for row in rows] == list(range(1, run.head + 1))
    assert RunLease.objects.get(run=run).head == run.head
    state = fold(Entry(row.seq, row.text) for row in rows)
    assert (state.run.status, state.answer.content, state.answer.thinking) == ("completed", "Because.", "Hm.")


def test_a_failure_keeps_its_code_on_the_row(user: Any) -> None:
    run = answer(ask(user).run, status=RunStatus.FAILED)
    assert (run.status, run.error_code, run.error["log_id"]) == ("failed", "upstream_stalled", "abc")


def test_what_ended_an_answer_early_is_said_afterwards_as_it_was_told(user: Any) -> None:
    run = answer(ask(user).run, status=RunStatus.INCOMPLETE)
    told = log_of(run)[-1]["data"]
    assert wire.run_object(run).reason == told["run"]["reason"] == told["reason"] == "interrupted"


def test_the_lease_is_given_up(user: Any) -> None:
    lease = RunLease.objects.get(run=answer(ask(user).run))
    assert (lease.holder, lease.expires_at) == ("", None)


def test_only_one_of_two_ends_is_written(user: Any) -> None:
    run = ask(user).run
    held = claim(run)
    close(run, held, head=held.head, content="first")
    with pytest.raises(LeaseLost):
        close(run, held, head=held.head, content="second")
    assert Message.objects.get(pk=run.answer_id).content == "first"
    assert [event["event"] for event in log_of(run)].count("thread.run.completed") == 1


def test_a_worker_that_was_fenced_out_writes_nothing(user: Any) -> None:
    run = ask(user).run
    held = claim(run)
    RunLease.objects.filter(run=run).update(number=held.number + 1)
    with pytest.raises(LeaseLost):
        close(run, held, head=held.head)
    run.refresh_from_db()
    assert (run.status, len(log_of(run))) == ("in_progress", 3)


def test_an_end_that_does_not_continue_the_log_is_refused(user: Any) -> None:
    run = ask(user).run
    held = claim(run)
    with pytest.raises(LeaseLost):
        close(run, held, head=held.head - 1)


def test_a_cancelling_run_may_still_complete(user: Any) -> None:
    run = ask(user).run
    held = claim(run)
    cancel_run(run=run, by="user", reason="requested")
    close(run, held, head=held.head, content="Done already.")
    run.refresh_from_db()
    assert run.status == "completed"


def test_an_end_that_the_table_forbids_leaves_everything_as_it_was(user: Any) -> None:
    run = ask(user).run
    held = claim(run)
    with pytest.raises(EndRefused):  # nobody asked for a stop
        close(run, held, head=held.head, status=RunStatus.CANCELLED)
    run.refresh_from_db()
    assert (run.status, RunLease.objects.get(run=run).head, len(log_of(run))) == ("in_progress", held.head, 3)
    assert Message.objects.get(pk=run.answer_id).status == "in_progress"


def test_the_feed_tells_the_end_and_the_thread_is_as_new_as_the_run(user: Any) -> None:
    run = answer(ask(user).run)
    told = json.loads(FeedEvent.objects.filter(user=user).latest("number").text)
    assert told["event"] == "thread.run.completed"
    assert told["data"]["thread_id"] == str(run.thread_id)
    assert told["data"]["run"]["status"] == "completed"
    assert Thread.objects.get().updated_at == run.finished_at


def test_a_closed_run_cannot_be_claimed(user: Any) -> None:
    run = answer(ask(user).run)
    assert claim_run(run_id=run.pk, holder="late", expiry=10) is None

import json
from typing import Any
from uuid import UUID

import pytest

from conversations import wire
from conversations.models import FeedEvent, Message, RunEvent, RunLease, Step
from conversations.ports import RowEventStore, ports
from conversations.services.run_cancel import cancel_run
from conversations.services.run_lease import cancel_wishes, claim_run
from tests.support.stored import answer, ask, claim, park

pytestmark = pytest.mark.django_db


def test_a_queued_run_ends_at_once_with_its_events(user: Any) -> None:
    run = cancel_run(run=ask(user).run, by="user", reason="requested")
    told = [json.loads(row.text) for row in RunEvent.objects.filter(run=run).order_by("seq")]
    assert run.status == "cancelled"
    assert [event["event"] for event in told[3:]] == ["thread.message.incomplete", "thread.run.cancelled"]
    assert [event["id"] for event in told] == [1, 2, 3, 4, 5]
    assert told[-1]["data"]["run"]["status"] == "cancelled"
    assert told[-1]["data"]["receipt"] == {"upstream_closed": True, "content_length": 0}
    assert (run.head, RunLease.objects.get(run=run).head) == (5, 5)
    assert Message.objects.get(pk=run.answer_id).status == "incomplete"


def test_steps_that_wait_are_closed_before_the_answer(user: Any) -> None:
    run = ask(user).run
    step = Step.objects.create(run=run, index=0, kind="tool_calls", status="in_progress", name="clock")
    run = cancel_run(run=run, by="user", reason="requested")
    told = [json.loads(row.text) for row in RunEvent.objects.filter(run=run).order_by("seq")][3:]
    assert [event["event"].removeprefix("thread.") for event in told] == [
        "run.step.cancelled",
        "message.incomplete",
        "run.cancelled",
    ]
    step.refresh_from_db()
    assert (step.status, step.error["code"]) == ("cancelled", "not_run")
    assert told[0]["data"]["step"] == wire.plain(wire.step_object(step))
    assert (run.head, RunLease.objects.get(run=run).head) == (6, 6)


def test_whoever_is_about_to_work_on_it_is_fenced_out(user: Any) -> None:
    run = cancel_run(run=ask(user).run, by="user", reason="requested")
    assert RunLease.objects.get(run=run).number == 1


def test_the_feed_hears_of_it(user: Any) -> None:
    cancel_run(run=ask(user).run, by="user", reason="requested")
    assert json.loads(FeedEvent.objects.latest("number").text)["event"] == "thread.run.cancelled"


def test_a_cancelled_run_cannot_be_claimed_any_more(user: Any) -> None:
    run = cancel_run(run=ask(user).run, by="user", reason="requested")
    assert claim_run(run_id=run.pk, holder="late", expiry=10) is None


@pytest.mark.parametrize("parked", [False, True])
def test_an_answer_that_was_to_have_a_form_has_none_where_nobody_works_on_it(user: Any, parked: bool) -> None:
    run = ask(user, response_format={"type": "json_object"}).run
    if parked:
        park(run, "hello")
    cancel_run(run=run, by="user", reason="requested")
    run.refresh_from_db()
    assert (run.structured["valid"], run.structured["error"]["code"]) == (False, "ended_early")
    last = RunEvent.objects.filter(run=run).order_by("seq").last()
    assert json.loads(last.text)["data"]["run"]["structured"] == run.structured


def test_cancelling_twice_changes_nothing_the_second_time(user: Any) -> None:
    run = cancel_run(run=ask(user).run, by="user", reason="requested")
    again = cancel_run(run=run, by="admin", reason="other")
    assert (again.status, again.cancel_by, RunEvent.objects.filter(run=run).count()) == ("cancelled", "user", 5)


def test_a_running_run_is_asked_to_stop_and_its_holder_woken(
    user: Any, django_capture_on_commit_callbacks: Any
) -> None:
    rung: list[tuple[UUID, int]] = []
    run = ask(user).run
    claim(run)
    ports.connect(event_store=RowEventStore(), bell=lambda run_id, entries: rung.append((run_id, len(entries))))
    try:
        with django_capture_on_commit_callbacks(execute=True):
            run = cancel_run(run=run, by="user", reason="requested")
    finally:
        ports.disconnect()
    assert run.status == "cancelling"
    assert rung == [(run.pk, 0)]
    assert cancel_wishes(run_ids=[run.pk]) == {run.pk: ("user", "requested")}


def test_the_first_wish_is_the_one_that_counts(user: Any) -> None:
    run = ask(user).run
    claim(run)
    cancel_run(run=run, by="user", reason="requested")
    assert cancel_run(run=run, by="admin", reason="other").cancel_by == "user"


def test_too_late_changes_nothing(user: Any) -> None:
    run = answer(ask(user).run)
    before = RunEvent.objects.count()
    assert cancel_run(run=run, by="user", reason="requested").status == "completed"
    assert RunEvent.objects.count() == before

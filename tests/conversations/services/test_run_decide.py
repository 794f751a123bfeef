import json
from typing import Any

import pytest
from msgspec.structs import replace

from conversations import selectors
from conversations.models import Approval, FeedEvent, Message, Run, RunEvent, RunLease, Step
from conversations.services.run_cancel import cancel_run
from conversations.services.run_decide import decide_approval, expire_parked
from conversations.services.run_lease import claim_run
from streaming.protocol.codec import Entry
from streaming.protocol.errors import ApprovalClosed, ApprovalExpired, InvalidRequest
from streaming.protocol.snapshot import fold
from tests.support.stored import ask, close, decide, park

pytestmark = pytest.mark.django_db


def claimable(run: Run) -> bool:
    return run.pk in selectors.in_turn(server=run.provider, most=10)


def names(run: Run) -> list[str]:
    rows = RunEvent.objects.filter(run=run).order_by("seq")
    return [json.loads(row.text)["event"].removeprefix("thread.") for row in rows]


def test_a_parked_run_is_held_by_nobody_and_its_rows_are_what_the_log_tells(user: Any) -> None:
    run = ask(user).run
    (asked,) = park(run, "hello")
    state = fold(Entry(row.seq, row.text) for row in RunEvent.objects.filter(run=run).order_by("seq"))
    assert (run.status, run.lease.holder, run.lease.expires_at) == ("requires_action", "", None)
    assert [approval.approval_id for approval in state.approvals] == [str(asked.pk)]
    assert Message.objects.get(pk=run.answer_id).parts == state.answer.parts
    assert list(Step.objects.values_list("status", flat=True)) == ["in_progress"]
    assert run.lease.head == state.last
    assert not claimable(run)


def test_a_run_can_be_claimed_when_the_last_of_its_questions_is_decided(user: Any) -> None:
    run = ask(user).run
    first, second = park(run, "one", "two")
    decide(first, "approve")
    assert (claimable(run), claim_run(run_id=run.pk, holder="w", expiry=10)) == (False, None)
    assert decide(second, "deny").status == "requires_action"
    assert claimable(run)
    before = run.started_at
    assert claim_run(run_id=run.pk, holder="w", expiry=10) is not None
    run.refresh_from_db()
    assert (run.status, run.attempt, run.started_at) == ("in_progress", 1, before)


def test_who_decided_when_and_why_is_kept(user: Any) -> None:
    (asked,) = park(ask(user).run, "hello")
    decide(asked, "deny", note="No.")
    asked.refresh_from_db()
    assert (asked.decision, asked.decided_by, asked.note) == ("deny", user, "No.")
    assert asked.decided_at is not None


def test_the_same_decision_again_is_no_fault_and_changes_nothing(user: Any) -> None:
    (asked,) = park(ask(user).run, "hello")
    decide(asked, "approve", note="first")
    assert decide(asked, "approve", note="second").pk == asked.run_id
    assert decide(asked, "approve", arguments={"line": "hello"}).pk == asked.run_id
    asked.refresh_from_db()
    assert asked.note == "first"


def test_to_name_the_arguments_that_were_asked_about_is_to_approve_what_was_asked(user: Any) -> None:
    (asked,) = park(ask(user).run, "hello")
    decide(asked, "approve", arguments={"line": "hello"})
    assert decide(asked, "approve").pk == asked.run_id
    asked.refresh_from_db()
    assert asked.changed is None


@pytest.mark.parametrize("number", [1e22, 1e16, -0.0, 1.0, 1.5e-9, 2**80, 12.50])
def test_a_number_is_approved_as_it_is_however_the_database_writes_it(user: Any, number: float) -> None:
    (asked,) = park(ask(user).run, "hello")
    arguments = {"line": "hello", "numbers": [number, {"n": number}]}
    decide(asked, "approve", arguments=arguments)
    assert decide(asked, "approve", arguments=arguments).pk == asked.run_id
    asked.refresh_from_db()
    assert asked.approved_arguments == arguments


def test_another_decision_is_refused(user: Any) -> None:
    (asked,) = park(ask(user).run, "hello")
    decide(asked, "approve")
    with pytest.raises(ApprovalClosed) as refusal:
        decide(asked, "deny")
    assert refusal.value.details == {"decision": "approve"}
    with pytest.raises(ApprovalClosed):
        decide(asked, "approve", arguments={"line": "other"})


def test_to_approve_what_was_asked_is_another_decision_where_something_else_was_approved(user: Any) -> None:
    (asked,) = park(ask(user).run, "hello")
    decide(asked, "approve", arguments={"line": "other"})
    with pytest.raises(ApprovalClosed):
        decide(asked, "approve")
    decide(asked, "approve", arguments={"line": "other"})
    asked.refresh_from_db()
    assert (asked.arguments, asked.changed) == ({"line": "hello"}, {"line": "other"})
    assert asked.approved_arguments == {"line": "other"}


def test_arguments_that_do_not_fit_decide_nothing(user: Any) -> None:
    (asked,) = park(ask(user).run, "hello")

    def check(tool: str, arguments: dict[str, Any]) -> None:
        raise InvalidRequest()

    with pytest.raises(InvalidRequest):
        decide_approval(approval=asked, decision="approve", arguments={"x": 1}, by=user.pk, check=check)
    asked.refresh_from_db()
    assert asked.decision == ""


@pytest.mark.parametrize("column", ["arguments", "tool", "changed"])
def test_an_approval_is_good_for_nothing_but_what_was_approved(user: Any, column: str) -> None:
    (asked,) = park(ask(user).run, "hello")
    decide(asked, "approve")
    asked.refresh_from_db()
    assert asked.approved_arguments == {"line": "hello"}
    setattr(asked, column, "clock" if column == "tool" else {"line": "evil"})
    assert asked.approved_arguments is None


def test_an_approval_of_one_run_is_none_of_another(user: Any) -> None:
    (asked,) = park(ask(user).run, "hello")
    decide(asked, "approve")
    asked.refresh_from_db()
    asked.run = ask(user).run
    assert asked.approved_arguments is None


@pytest.mark.parametrize("decision", ["", "deny"])
def test_without_a_yes_nothing_is_approved(decision: str) -> None:
    assert Approval(decision=decision, arguments={"line": "x"}).approved_arguments is None


def test_after_a_stop_it_is_too_late(user: Any) -> None:
    run = ask(user).run
    (asked,) = park(run, "hello")
    cancel_run(run=run, by="user", reason="requested")
    with pytest.raises(ApprovalClosed) as refusal:
        decide(asked, "approve")
    assert refusal.value.details == {"status": "cancelled"}
    assert names(run)[-3:] == ["run.step.cancelled", "message.incomplete", "run.cancelled"]


def test_what_nobody_decides_in_time_ends_the_run(user: Any) -> None:
    run = ask(user).run
    (asked,) = park(run, "hello", expires_in=-1)
    with pytest.raises(ApprovalExpired):
        decide(asked, "approve")
    assert expire_parked(most=10) == 1
    run.refresh_from_db()
    assert (run.status, names(run)[-1]) == ("expired", "run.expired")
    assert run.head == RunLease.objects.get(run=run).head == len(names(run))
    assert json.loads(FeedEvent.objects.latest("number").text)["event"] == "thread.run.expired"
    assert expire_parked(most=10) == 0
    with pytest.raises(ApprovalExpired):
        decide(asked, "approve")


def test_what_was_decided_in_time_does_not_expire(user: Any) -> None:
    (asked,) = park(ask(user).run, "hello")
    decide(asked, "approve")
    Approval.objects.update(expires_at="2026-01-01T00:00:00Z")
    assert expire_parked(most=10) == 0
    assert decide(asked, "approve").status == "requires_action"


def test_steps_that_were_stored_by_the_park_are_stored_again_by_the_end(user: Any) -> None:
    run = ask(user).run
    (asked,) = park(run, "hello")
    decide(asked, "approve")
    held = claim_run(run_id=run.pk, holder="w", expiry=10)
    assert held is not None
    state = fold(Entry(row.seq, row.text) for row in RunEvent.objects.filter(run=run).order_by("seq"))
    done = replace(state.steps[0], status="completed", output="Written.", finished_at="2026-01-01T00:00:02Z")
    close(run, held, head=held.head, steps=[done])
    step = Step.objects.get()
    assert (step.status, step.output, step.title) == ("completed", "Written.", "Using tool write_journal…")

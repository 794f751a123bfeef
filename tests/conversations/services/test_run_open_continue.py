"""``continue``: a run that goes on with an answer that ended early."""

import json
from functools import partial
from typing import Any

import pytest

from conversations import selectors
from conversations.models import Message, Run, RunEvent, RunLease, Thread
from conversations.services.run_cancel import cancel_run
from conversations.services.run_lease import claim_run
from streaming.protocol.errors import InvalidRequest, NotFound, ThreadBusy
from streaming.protocol.lifecycle import RunStatus
from tests.support.stored import answer, ask, lanes, thread_of
from tests.support.together import together

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def early(user: Any) -> Run:
    """A run whose answer ended early, with some thinking before it."""
    return answer(ask(user).run, "Because light", thinking="Hm.", status=RunStatus.INCOMPLETE)


def go_on(user: Any, run: Run, **fields: Any) -> Any:
    return ask(user, None, thread=run.thread, **{"continue": str(run.answer_id)}, **fields)


def told(run: Run) -> list[dict[str, Any]]:
    return [json.loads(row.text) for row in RunEvent.objects.filter(run=run).order_by("seq")]


def test_the_same_answer_goes_on_as_it_stands_in_a_run_of_its_own(user: Any, early: Run) -> None:
    run = go_on(user, early).run
    assert (run.answer_id, run.question_id) == (early.answer_id, early.question_id)
    created, message = told(run)
    assert [created["event"], message["event"]] == ["thread.run.created", "thread.message.created"]
    stands = message["data"]["message"]
    assert (stands["status"], stands["content"], stands["thinking"]) == ("in_progress", "Because light", "Hm.")
    assert (stands["run_id"], stands["finished_at"]) == (str(run.pk), None)
    row = Message.objects.get(pk=early.answer_id)
    assert (row.status, row.content, row.run_id) == ("in_progress", "Because light", run.pk)
    assert RunLease.objects.get(run=run).head == 2
    assert Message.objects.count() == 2
    assert Thread.objects.get().head_id == early.answer_id


def test_its_end_stores_the_whole_and_the_steps_of_both_runs_are_shown(user: Any, early: Run) -> None:
    run = answer(go_on(user, early).run, "Because light scatters.", thinking="Well.")
    row = Message.objects.get(pk=early.answer_id)
    assert (row.status, row.content) == ("completed", "Because light scatters.")
    page = selectors.message_page(thread=run.thread, cursor=None)
    assert [step.details for step in page.steps] == ["Hm.", "Well."]
    assert [shown.pk for shown in page.runs] == [early.pk, run.pk]
    last = ask(user, "And?", thread=run.thread).run
    _, steps = selectors.history_before(run=last)
    assert [step.details for step in steps[row.pk]] == ["Hm.", "Well."]
    assert [step.details for step in selectors.steps_before(run=run)] == ["Hm."]


def test_the_run_before_is_recorded_as_ended_while_its_answer_goes_on(user: Any, early: Run) -> None:
    run = go_on(user, early).run
    before, now = selectors.recorded_run(early), selectors.recorded_run(run)
    assert before.messages[-1].status == "incomplete"
    assert now.messages[-1].status == "in_progress"


def test_stopped_before_it_began_it_leaves_the_answer_as_it_was(user: Any, early: Run) -> None:
    run = cancel_run(run=go_on(user, early).run, by="user", reason="requested")
    row = Message.objects.get(pk=early.answer_id)
    assert (run.status, row.status, row.content) == ("cancelled", "incomplete", "Because light")
    assert told(run)[-1]["data"]["receipt"]["content_length"] == len("Because light")
    assert go_on(user, early).run.status == "queued"


def test_only_an_answer_that_ended_early_and_has_no_reply_can_be_continued(user: Any) -> None:
    whole = answer(ask(user).run)
    for message in (whole.answer_id, whole.question_id):
        with pytest.raises(InvalidRequest) as caught:
            ask(user, None, thread=whole.thread, **{"continue": str(message)})
        assert caught.value.details == {"field": "continue"}
    early = answer(ask(user).run, "x", status=RunStatus.FAILED)
    answer(ask(user, "And?", thread=early.thread).run)
    with pytest.raises(InvalidRequest):
        go_on(user, early)
    with pytest.raises(NotFound):
        ask(user, None, thread=thread_of(user), **{"continue": str(early.answer_id)})


def test_whatever_ended_it_early_an_answer_can_be_continued(user: Any) -> None:
    for status in (RunStatus.FAILED, RunStatus.INCOMPLETE):
        early = answer(ask(user).run, "x", status=status)
        assert go_on(user, early).run.status == "queued"


def test_a_busy_thread_goes_on_with_nothing_and_what_is_being_written_cannot_be_interrupted_to_go_on(
    user: Any, early: Run
) -> None:
    active = ask(user, None, thread=early.thread, regenerate=str(early.answer_id)).run
    with pytest.raises(ThreadBusy):
        go_on(user, early)
    with pytest.raises(InvalidRequest):
        go_on(user, active, if_busy="interrupt")
    active.refresh_from_db()
    assert active.status == "queued"


def test_one_of_many_that_would_go_on_does(user: Any, early: Run) -> None:
    outcomes = together([partial(go_on, user, early, key=f"k{n % 2}") for n in range(8)])
    opened = {outcome.run.pk for outcome in outcomes if not isinstance(outcome, Exception)}
    assert len(opened) == 1
    refused = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert {type(fault) for fault in refused} <= {ThreadBusy}
    assert len(refused) == 4


def test_the_newest_branch_and_another_model_may_go_on(user: Any) -> None:
    first, second = ask(user, choose=lanes("one", "two")).runs
    answer(first)
    answer(second, "so far", status=RunStatus.FAILED)
    run = go_on(user, second, choose=lanes("three")).run
    assert (run.lane, run.model, run.answer.model) == (0, "demo/three", "demo/two")
    thread = Thread.objects.get()
    assert (thread.head_id, thread.model) == (second.answer_id, "demo/three")
    assert claim_run(run_id=run.pk, holder="w", expiry=10) is not None

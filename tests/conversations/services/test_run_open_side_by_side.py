"""One question, several models: a run and an answer for each, opened together or not at all."""

import json
from functools import partial
from typing import Any

import pytest

from conversations.models import FeedEvent, IdempotencyKey, Message, Run, RunEvent, RunLease
from conversations.services.run_cancel import cancel_run
from conversations.services.run_lease import claim_run
from streaming.protocol.errors import ThreadBusy
from tests.support.stored import answer, ask, lanes, thread_of
from tests.support.together import together

THREE = lanes("one", "two", "three")
pytestmark = pytest.mark.django_db(transaction=True)


def told(run: Run) -> list[dict[str, Any]]:
    return [json.loads(row.text) for row in RunEvent.objects.filter(run=run).order_by("seq")]


def test_the_answers_are_siblings_below_the_one_question_and_lane_0_is_shown(user: Any) -> None:
    opened = ask(user, choose=THREE)
    assert [(run.lane, run.model) for run in opened.runs] == [(0, "demo/one"), (1, "demo/two"), (2, "demo/three")]
    assert {run.question_id for run in opened.runs} == {Message.objects.get(role="user").pk}
    assert {run.answer.parent_id for run in opened.runs} == {opened.run.question_id}
    assert {run.answer.model for run in opened.runs} == {"demo/one", "demo/two", "demo/three"}
    thread = opened.run.thread
    thread.refresh_from_db()
    assert (thread.head_id, thread.model) == (opened.run.answer_id, "demo/one")


def test_every_run_tells_the_question_and_its_own_answer(user: Any) -> None:
    for run in ask(user, choose=THREE).runs:
        first, question, its_answer = told(run)
        assert first["data"]["run"]["lane"] == run.lane
        assert question["data"]["message"]["id"] == str(run.question_id)
        assert its_answer["data"]["message"]["id"] == str(run.answer_id)
        assert RunLease.objects.get(run=run).head == 3


def test_the_feed_tells_of_every_run(user: Any) -> None:
    opened = ask(user, choose=THREE)
    feed = [json.loads(row.text) for row in FeedEvent.objects.order_by("number")]
    assert [event["event"] for event in feed] == ["thread.created", *["thread.run.created"] * 3]
    assert [event["data"]["run"]["id"] for event in feed[1:]] == [str(run.pk) for run in opened.runs]


def test_a_thread_is_busy_until_its_last_lane_has_ended(user: Any) -> None:
    one, two, three = ask(user, choose=THREE).runs
    answer(one)
    answer(two)
    with pytest.raises(ThreadBusy) as caught:
        ask(user, "And?", thread=one.thread)
    assert caught.value.details["run"]["id"] == str(three.pk)
    answer(three)
    assert ask(user, "And?", thread=one.thread).run.question.parent_id == one.answer_id


def test_regenerate_and_edit_give_every_model_a_new_answer(user: Any) -> None:
    old = answer(ask(user).run)
    again = ask(user, None, thread=old.thread, regenerate=str(old.answer_id), choose=THREE).runs
    assert {run.question_id for run in again} == {old.question_id}
    assert Message.objects.filter(parent=old.question).count() == 4
    assert [len(told(run)) for run in again] == [2, 2, 2]
    for run in again:
        answer(run)
    edited = ask(user, "Why not?", thread=old.thread, edit=str(old.question_id), choose=lanes("one", "two")).runs
    assert {run.question.content for run in edited} == {"Why not?"}


def test_lanes_are_claimed_and_stopped_each_by_itself(user: Any) -> None:
    one, two, three = ask(user, choose=THREE).runs
    assert claim_run(run_id=two.pk, holder="w", expiry=10) is not None
    cancel_run(run=one, by="user", reason="requested")
    statuses = [Run.objects.get(pk=run.pk).status for run in (one, two, three)]
    assert statuses == ["cancelled", "in_progress", "queued"]


def test_one_key_stands_for_all_of_them_however_many_ask_at_once(user: Any) -> None:
    thread = thread_of(user)
    outcomes = together([partial(ask, user, thread=thread, key="k", choose=THREE) for _ in range(12)])
    assert not [fault for fault in outcomes if isinstance(fault, Exception)]
    assert {tuple(run.pk for run in outcome.runs) for outcome in outcomes} == {
        tuple(Run.objects.order_by("lane").values_list("pk", flat=True))
    }
    assert [outcome.replayed for outcome in outcomes].count(False) == 1
    assert (Run.objects.count(), Message.objects.count(), IdempotencyKey.objects.count()) == (3, 4, 1)


def test_of_many_that_ask_several_models_at_once_one_gets_all_lanes(user: Any) -> None:
    thread = thread_of(user)
    outcomes = together([partial(ask, user, f"question {n}", thread=thread, choose=THREE) for n in range(6)])
    assert [type(outcome).__name__ for outcome in outcomes].count("ThreadBusy") == 5
    assert Run.objects.count() == 3

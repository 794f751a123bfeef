import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from conversations.models import FeedEvent, IdempotencyKey, Message, Run, RunEvent, RunLease, Thread
from conversations.services.run_open import open_run
from conversations.services.threads import delete_thread
from streaming.protocol.commands import Send
from streaming.protocol.errors import (
    Forbidden,
    IdempotencyConflict,
    InvalidRequest,
    ModelUnknown,
    NotFound,
    StaleHead,
    ThreadBusy,
)
from tests.support.stored import answer, ask, choose, principal_for, thread_of

pytestmark = pytest.mark.django_db


def names(run: Run) -> list[str]:
    return [json.loads(row.text)["event"] for row in RunEvent.objects.filter(run=run).order_by("seq")]


def stored() -> dict[str, int]:
    kinds: tuple[Any, ...] = (Thread, Message, Run, RunEvent, RunLease, FeedEvent, IdempotencyKey)
    return {kind.__name__: kind.objects.count() for kind in kinds}


def test_question_answer_and_run_name_each_other(user: Any) -> None:
    run = ask(user, "Why?").run
    assert (run.question.content, run.question.role, run.question.status) == ("Why?", "user", "completed")
    assert (run.answer.content, run.answer.role, run.answer.status) == ("", "assistant", "in_progress")
    assert run.answer.parent == run.question
    assert run.answer.run == run
    assert Thread.objects.get().head == run.answer


def test_the_first_three_events_are_in_the_log_and_the_lease_stands_at_the_last(user: Any) -> None:
    run = ask(user).run
    assert names(run) == ["thread.run.created", "thread.message.created", "thread.message.created"]
    assert list(RunEvent.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3]
    assert RunLease.objects.get(run=run).head == 3


def test_event_one_carries_the_run_as_it_was_committed(user: Any) -> None:
    run = ask(user).run
    told = json.loads(RunEvent.objects.get(run=run, seq=1).text)["data"]["run"]
    assert told["status"] == "queued"
    assert told["user_message_id"] == str(run.question_id)
    assert told["assistant_message_id"] == str(run.answer_id)


def test_a_thread_is_made_where_none_is_named_and_titled_by_the_first_line(user: Any) -> None:
    ask(user, "  Why is the sky blue?\nTell me.")
    thread = Thread.objects.get()
    assert (thread.title, thread.title_by) == ("Why is the sky blue?", "question")


def test_a_long_first_line_is_cut_for_the_title(user: Any) -> None:
    ask(user, "x" * 500)
    assert Thread.objects.get().title == "x" * 80 + "…"


def test_a_title_that_somebody_gave_stays(user: Any) -> None:
    thread = thread_of(user, title="Mine")
    ask(user, "Why?", thread=thread)
    assert Thread.objects.get().title == "Mine"


def test_a_second_question_follows_the_answer(user: Any) -> None:
    first = answer(ask(user).run)
    second = ask(user, "And then?", thread=first.thread).run
    assert second.question.parent_id == first.answer_id


def test_a_thread_that_answers_is_busy_and_says_with_which_run(user: Any) -> None:
    active = ask(user).run
    before = stored()
    with pytest.raises(ThreadBusy) as caught:
        ask(user, "Again", thread=active.thread)
    assert caught.value.details["run"]["id"] == str(active.pk)
    assert stored() == before


@pytest.mark.parametrize("change", ["regenerate", "edit"])
def test_while_it_answers_nothing_is_asked_again_or_edited(user: Any, change: str) -> None:
    run = ask(user).run
    fields = {"edit": str(run.question_id)} if change == "edit" else {"regenerate": str(run.answer_id), "content": None}
    with pytest.raises(ThreadBusy):
        ask(user, thread=run.thread, **fields)
    answer(run)
    assert ask(user, thread=run.thread, **fields).run.pk != run.pk


def test_another_head_than_expected_is_stale(user: Any) -> None:
    run = answer(ask(user).run)
    with pytest.raises(StaleHead) as caught:
        ask(user, "More", thread=run.thread, expected_head=str(run.question_id))
    assert caught.value.details == {"head": str(run.answer_id)}


def test_the_expected_head_is_let_through(user: Any) -> None:
    run = answer(ask(user).run)
    assert ask(user, "More", thread=run.thread, expected_head=str(run.answer_id)).run.status == "queued"


def test_regenerate_makes_a_sibling_answer_without_a_second_question(user: Any) -> None:
    old = answer(ask(user).run)
    new = ask(user, None, thread=old.thread, regenerate=str(old.answer_id)).run
    assert new.question_id == old.question_id
    assert new.answer_id != old.answer_id
    assert names(new) == ["thread.run.created", "thread.message.created"]
    assert Message.objects.filter(parent=old.question).count() == 2


def test_a_question_can_be_asked_again_as_well(user: Any) -> None:
    old = answer(ask(user).run)
    assert ask(user, None, thread=old.thread, regenerate=str(old.question_id)).run.question_id == old.question_id


def test_edit_makes_a_sibling_question(user: Any) -> None:
    old = answer(ask(user).run)
    new = ask(user, "Why not?", thread=old.thread, edit=str(old.question_id)).run
    assert new.question.parent_id == old.question.parent_id
    assert new.question.content == "Why not?"
    assert Message.objects.get(pk=old.question_id).content == "Why?"


def test_an_answer_cannot_be_edited(user: Any) -> None:
    old = answer(ask(user).run)
    with pytest.raises(InvalidRequest) as caught:
        ask(user, "x", thread=old.thread, edit=str(old.answer_id))
    assert caught.value.details == {"field": "edit"}


def test_a_question_follows_answers_only(user: Any) -> None:
    old = answer(ask(user).run)
    with pytest.raises(InvalidRequest):
        ask(user, "x", thread=old.thread, parent_id=str(old.question_id))


def test_parent_id_branches_off_an_older_answer(user: Any) -> None:
    first = answer(ask(user).run)
    answer(ask(user, "Second", thread=first.thread).run)
    branch = ask(user, "Other", thread=first.thread, parent_id=str(first.answer_id)).run
    assert branch.question.parent_id == first.answer_id


def test_a_message_of_another_thread_is_not_there(user: Any) -> None:
    elsewhere = answer(ask(user).run)
    here = answer(ask(user).run)
    with pytest.raises(NotFound):
        ask(user, None, thread=here.thread, regenerate=str(elsewhere.answer_id))


def test_another_persons_thread_is_not_there(user: Any, other_user: Any) -> None:
    with pytest.raises(NotFound):
        ask(other_user, thread=thread_of(user))


def test_a_token_without_the_scope_may_not_even_with_a_key_that_was_used(user: Any) -> None:
    ask(user, key="k")
    reader = principal_for(user, ["read"])
    with pytest.raises(Forbidden):
        open_run(principal=reader, thread_id=None, command=Send(content="Why?"), choose=choose, key=None)


def test_a_refused_model_stores_nothing(user: Any) -> None:
    def refuse() -> Any:
        raise ModelUnknown()

    before = stored()
    with pytest.raises(ModelUnknown):
        open_run(principal=principal_for(user), thread_id=None, command=Send(content="x"), choose=refuse)
    assert stored() == before


def test_the_thread_remembers_the_model_that_answered_last(user: Any) -> None:
    run = ask(user).run
    assert (run.provider, run.model, run.answer.model, run.thread.model) == ("demo", *["demo/demo"] * 3)


# --- idempotency ---------------------------------------------------------------------------------------------------


def test_the_same_key_and_body_give_the_first_run_again(user: Any) -> None:
    first = ask(user, key="k")
    before = stored()
    again = ask(user, key="k")
    assert (again.run.pk, again.replayed, first.replayed) == (first.run.pk, True, False)
    assert stored() == before


def test_the_same_key_with_another_body_is_a_conflict(user: Any) -> None:
    ask(user, "one", key="k")
    with pytest.raises(IdempotencyConflict):
        ask(user, "two", key="k")


def test_a_replay_comes_before_every_other_refusal(user: Any) -> None:
    thread = thread_of(user)
    first = ask(user, "x", thread=thread, key="k", expected_head=None)
    again = ask(user, "x", thread=thread, key="k", expected_head="another")
    assert again.run == first.run  # though the thread is busy now, and its head another


def test_a_key_is_its_users_own(user: Any, other_user: Any) -> None:
    first = ask(user, key="k").run
    assert ask(other_user, key="k").run.pk != first.pk


def test_a_refused_request_leaves_its_key_free(user: Any) -> None:
    active = ask(user).run
    with pytest.raises(ThreadBusy):
        ask(user, "x", thread=active.thread, key="k")
    answer(active)
    assert not ask(user, "x", thread=active.thread, key="k").replayed


def test_a_key_whose_thread_was_deleted_leads_nowhere(user: Any) -> None:
    run = ask(user, key="k").run
    async_to_sync(delete_thread)(thread=run.thread)
    with pytest.raises(NotFound):
        ask(user, key="k")


# --- the feed ------------------------------------------------------------------------------------------------------


def test_the_feed_tells_of_the_thread_then_of_the_run(user: Any) -> None:
    run = ask(user).run
    told = [json.loads(row.text) for row in FeedEvent.objects.filter(user=user).order_by("number")]
    assert [(event["feed"], event["event"]) for event in told] == [(1, "thread.created"), (2, "thread.run.created")]
    assert told[0]["data"]["thread"]["active_runs"] == [str(run.pk)]
    assert told[0]["data"]["thread"]["head"] == str(run.answer_id)
    assert told[1]["data"]["run"]["id"] == str(run.pk)


def test_a_run_in_a_thread_that_was_there_updates_it(user: Any) -> None:
    thread = thread_of(user)
    ask(user, thread=thread)
    told = [json.loads(row.text)["event"] for row in FeedEvent.objects.filter(user=user).order_by("number")]
    assert told == ["thread.created", "thread.updated", "thread.run.created"]

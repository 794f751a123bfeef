from typing import Any

import pytest

from conversations import selectors
from tests.support.stored import answer, ask, thread_of

pytestmark = pytest.mark.django_db


def test_a_record_has_question_answer_steps_and_head(user: Any) -> None:
    run = answer(ask(user).run, "Because.", thinking="Hm.")
    record = selectors.recorded_run(run)
    assert [message.content for message in record.messages] == ["Why?", "Because."]
    assert [step.details for step in record.steps] == ["Hm."]
    assert record.head == run.head


def test_entries_come_in_order_after_the_cursor(user: Any) -> None:
    run = ask(user).run
    read = selectors.stored_entries(run_id=run.pk, after=1, most=10, most_bytes=10**6)
    assert [entry.id for entry in read] == [2, 3]
    assert selectors.stored_entries(run_id=run.pk, after=3, most=10, most_bytes=10**6) == []


def test_entries_are_bounded_in_number_and_size_but_one_always_comes(user: Any) -> None:
    run = ask(user).run
    assert len(selectors.stored_entries(run_id=run.pk, after=0, most=2, most_bytes=10**6)) == 2
    assert [entry.id for entry in selectors.stored_entries(run_id=run.pk, after=0, most=9, most_bytes=1)] == [1]


def test_the_history_is_the_branch_up_to_the_question_with_the_steps_of_its_answers(user: Any) -> None:
    thread = thread_of(user)
    first = answer(ask(user, "one", thread=thread).run, "first", thinking="Hm.")
    answer(ask(user, None, thread=thread, regenerate=str(first.answer_id)).run, "not this one")
    last = ask(user, "two", thread=thread, parent_id=str(first.answer_id)).run
    messages, steps = selectors.history_before(run=last)
    assert [message.content for message in messages] == ["one", "first", "two"]
    assert [step.details for step in steps[first.answer_id]] == ["Hm."]

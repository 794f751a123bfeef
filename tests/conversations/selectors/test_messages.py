from typing import Any

import pytest

from conversations import selectors
from conversations.models import Message, Thread
from conversations.selectors import cursors
from streaming.protocol.errors import InvalidRequest
from tests.support.stored import answer, ask, lanes, thread_of

pytestmark = pytest.mark.django_db


def talk(user: Any, turns: int) -> Thread:
    thread = thread_of(user)
    for number in range(turns):
        answer(ask(user, f"q{number}", thread=thread).run, f"a{number}")
    thread.refresh_from_db()
    return thread


def contents(messages: Any) -> list[str]:
    return [message.content for message in messages]


def test_the_newest_page_comes_first_and_its_newest_message_last(user: Any) -> None:
    page = selectors.message_page(thread=talk(user, 3), cursor=None, size=4)
    assert contents(page.messages) == ["q1", "a1", "q2", "a2"]


def test_older_pages_follow_by_cursor_until_there_are_none(user: Any) -> None:
    thread = talk(user, 3)
    pages, cursor = [], None
    while not pages or cursor:
        page = selectors.message_page(thread=thread, cursor=cursor, size=4)
        pages.append(contents(page.messages))
        cursor = page.next
    assert pages == [["q1", "a1", "q2", "a2"], ["q0", "a0"]]


def test_a_page_that_is_just_full_is_the_last(user: Any) -> None:
    assert selectors.message_page(thread=talk(user, 2), cursor=None, size=4).next is None


def test_a_page_of_long_messages_has_fewer_of_them_and_the_rest_follows(user: Any) -> None:
    thread = thread_of(user)
    for number in range(3):
        answer(ask(user, f"{number}" * 10, thread=thread).run, "b" * 10, thinking="c" * 10)
    thread.refresh_from_db()
    pages, cursor = [], None
    while not pages or cursor is not None:
        page = selectors.message_page(thread=thread, cursor=cursor, size=4, characters=25)
        pages.append([message.content[0] for message in page.messages])
        cursor = page.next
    assert pages == [["2", "b"], ["1", "b"], ["0", "b"]]
    assert len(selectors.message_page(thread=thread, cursor=None, size=4, characters=1).messages) == 1


def test_only_the_shown_branch_is_listed(user: Any) -> None:
    thread = talk(user, 1)
    old = Message.objects.get(role="assistant")
    answer(ask(user, None, thread=thread, regenerate=str(old.pk)).run, "other")
    thread.refresh_from_db()
    assert contents(selectors.message_page(thread=thread, cursor=None).messages) == ["q0", "other"]


def test_a_page_has_the_runs_and_steps_of_its_answers_only(user: Any) -> None:
    thread = thread_of(user)
    first = answer(ask(user, thread=thread).run, thinking="one")
    second = answer(ask(user, thread=thread).run, thinking="two")
    thread.refresh_from_db()
    page = selectors.message_page(thread=thread, cursor=None, size=2)
    assert [run.pk for run in page.runs] == [second.pk]
    assert [step.details for step in page.steps] == ["two"]
    older = selectors.message_page(thread=thread, cursor=page.next, size=2)
    assert [run.pk for run in older.runs] == [first.pk]


def test_an_empty_thread_has_an_empty_page(user: Any) -> None:
    page = selectors.message_page(thread=thread_of(user), cursor=None)
    assert (page.messages, page.runs, page.steps, page.next) == ([], [], [], None)


def test_a_cursor_into_another_thread_shows_nothing_of_it(user: Any, other_user: Any) -> None:
    theirs = answer(ask(other_user, "secret").run)
    cursor = cursors.encode(str(theirs.answer_id))
    assert selectors.message_page(thread=talk(user, 1), cursor=cursor).messages == []


def test_the_path_is_from_the_root_to_the_leaf_whatever_branches_there_are(user: Any) -> None:
    thread = talk(user, 2)
    leaf = thread.head_id
    first = Message.objects.get(content="a0")
    answer(ask(user, "other", thread=thread, parent_id=str(first.pk)).run, "branch")
    ids = selectors.path_ids(thread_id=thread.pk, leaf=leaf, most=100, most_characters=10**6)
    assert [Message.objects.get(pk=pk).content for pk in ids] == ["q0", "a0", "q1", "a1"]


def test_the_path_stops_at_the_limit_and_keeps_the_newest(user: Any) -> None:
    thread = talk(user, 2)
    ids = selectors.path_ids(thread_id=thread.pk, leaf=thread.head_id, most=2, most_characters=10**6)
    assert [Message.objects.get(pk=pk).content for pk in ids] == ["q1", "a1"]


def test_a_page_is_five_queries_however_long_the_thread_is(user: Any, django_assert_num_queries: Any) -> None:
    thread = talk(user, 8)
    with django_assert_num_queries(5):
        selectors.message_page(thread=thread, cursor=None, size=10)


@pytest.mark.parametrize("cursor", ["x", "!!!", "é", cursors.encode("not-an-id"), cursors.encode("a", "b"), "W" * 5000])
def test_what_is_no_cursor_is_refused(user: Any, cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        selectors.message_page(thread=thread_of(user), cursor=cursor)


def test_what_stands_beside_has_so_many_characters_at_most_and_the_rest_is_among_the_versions(user: Any) -> None:
    runs = ask(user, choose=lanes("one", "two", "three", "four")).runs
    for run in runs:
        answer(run, "x" * 100)
    page = selectors.message_page(thread=runs[0].thread, cursor=None, characters=150)
    assert [message.pk for message in page.beside] == [runs[2].answer_id, runs[3].answer_id]
    assert page.versions[page.beside[0].pk] == [run.answer_id for run in runs]

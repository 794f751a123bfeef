from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from chatserver.ids import new_id
from conversations import selectors
from conversations.models import Thread
from conversations.selectors import cursors
from streaming.protocol.errors import InvalidRequest
from tests.support.stored import answer, ask, thread_of

pytestmark = pytest.mark.django_db


def titles(page: selectors.ThreadPage) -> list[str]:
    return [thread.title for thread in page.threads]


def test_the_latest_activity_comes_first(user: Any) -> None:
    old, new = thread_of(user, title="old"), thread_of(user, title="new")
    assert titles(selectors.thread_page(owner_id=user.pk, cursor=None)) == ["new", "old"]
    ask(user, thread=old)
    assert titles(selectors.thread_page(owner_id=user.pk, cursor=None)) == ["old", "new"]
    assert new.title == "new"


def test_all_pages_together_are_the_list_even_where_times_are_equal(user: Any) -> None:
    for number in range(7):
        thread_of(user, title=str(number))
    Thread.objects.update(updated_at=timezone.now())
    seen, cursor = [], None
    while True:
        page = selectors.thread_page(owner_id=user.pk, cursor=cursor, size=3)
        seen += titles(page)
        cursor = page.next
        if cursor is None:
            break
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]


def test_others_threads_and_the_archive_are_not_in_the_list(user: Any, other_user: Any) -> None:
    thread_of(other_user, title="theirs")
    thread_of(user, title="archived")
    Thread.objects.filter(title="archived").update(archived=True)
    assert titles(selectors.thread_page(owner_id=user.pk, cursor=None)) == []
    assert titles(selectors.thread_page(owner_id=user.pk, cursor=None, archived=True)) == ["archived"]


def test_a_search_finds_titles_with_each_word_in_any_case_and_takes_signs_as_they_are(user: Any) -> None:
    for title in ("The blue Sky", "A sky of lead", "100% sure"):
        thread_of(user, title=title)

    def found(words: str) -> list[str]:
        return titles(selectors.thread_page(owner_id=user.pk, cursor=None, words=words))

    assert found("SKY blue") == ["The blue Sky"]
    assert found("%") == ["100% sure"]
    assert found("_") == []


def test_runs_under_way_stand_with_their_threads(user: Any) -> None:
    run = ask(user).run
    ended = answer(ask(user).run)
    page = selectors.thread_page(owner_id=user.pk, cursor=None)
    assert {thread_id: runs.active for thread_id, runs in page.under_way.items()} == {
        run.thread_id: [run.pk],
        ended.thread_id: [],
    }


def test_a_page_is_two_queries_and_the_first_one_more(user: Any, django_assert_num_queries: Any) -> None:
    for _ in range(5):
        ask(user)
    with django_assert_num_queries(3):
        page = selectors.thread_page(owner_id=user.pk, cursor=None, size=2)
    with django_assert_num_queries(2):
        selectors.thread_page(owner_id=user.pk, cursor=page.next)


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        cursors.encode("2026-01-01T00:00:00", str(UUID(int=7))),
        cursors.encode("0001-01-01T00:00:00+23:00", str(UUID(int=7))),
        cursors.encode("2026-01-01T00:00:00+00:00", "no id"),
        cursors.encode("2026-01-01T00:00:00+00:00"),
    ],
)
def test_what_is_no_cursor_is_refused(user: Any, cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        selectors.thread_page(owner_id=user.pk, cursor=cursor)


def test_a_time_of_any_zone_survives_the_cursor() -> None:
    at, pk = timezone.now() - timedelta(days=1), new_id()
    assert cursors.decode_moment(cursors.encode_moment(at, pk)) == (at, pk)


def test_the_feeds_cursor_is_its_last_number(user: Any) -> None:
    assert selectors.feed_cursor(user.pk) == 0
    thread_of(user)
    assert selectors.feed_cursor(user.pk) == 1

from typing import Any

import pytest

from conversations import selectors
from conversations.models import Thread
from conversations.selectors import cursors
from conversations.selectors import search as search_of
from streaming.protocol.errors import InvalidRequest
from tests.support.stored import answer, ask, thread_of

pytestmark = pytest.mark.django_db


def said(user: Any, words: str, **more: Any) -> list[str]:
    page = selectors.search_page(owner_id=user.pk, words=words, cursor=None, **more)
    return [found.message.content for found in page.found]


@pytest.fixture(params=[None, 1], ids=["as it is", "past the newest"])
def _either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL looks at the newest itself, and asks its index for the rest."""
    if request.param:
        monkeypatch.setattr(search_of, "LOOKED_THROUGH", request.param)


@pytest.mark.usefixtures("_either_way")
def test_all_words_must_be_in_one_message(user: Any) -> None:
    for content in ("blue sky", "blue sea", "red sky and blue", "Blues"):
        ask(user, content)
    assert said(user, "blue") == ["Blues", "red sky and blue", "blue sea", "blue sky"]
    assert said(user, "blue ") == ["red sky and blue", "blue sea", "blue sky"]
    assert said(user, "sky blue") == ["red sky and blue", "blue sky"]
    assert said(user, "sky sea") == []


@pytest.mark.usefixtures("_either_way")
def test_only_ones_own_are_found(user: Any, other_user: Any) -> None:
    ask(user, "mine")
    ask(other_user, "mine too")
    assert (said(user, "mine"), said(other_user, "mine")) == (["mine"], ["mine too"])


@pytest.mark.usefixtures("_either_way")
def test_pages_follow_each_other_without_a_gap(user: Any) -> None:
    thread = thread_of(user)
    for number in range(7):
        answer(ask(user, f"word {number}", thread=thread).run, "no" if number % 2 else "word of an answer")
    seen: list[str] = []
    cursor = None
    while True:
        page = selectors.search_page(owner_id=user.pk, words="word", cursor=cursor, size=3)
        seen += [str(found.message.pk) for found in page.found]
        cursor = page.next
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 11
    assert seen == sorted(seen, reverse=True)  # ids are in the order of messages


WORDS = [
    "NEAR(mine x)", '"mine', "mine*", "*", "terms: mine", "mine AND", "NOT mine", "- mine", "^mine", "mine & !x", "'",
    "mine:*", "\\mine", "(mine", "{mine}", "owner=mine", "mine;--", "%mine%", "mine\n\tOR\r", "\u2028mine",
    "mi\ufffdne",
]  # fmt: skip


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize("words", WORDS)
def test_no_query_language_is_understood(user: Any, other_user: Any, words: str) -> None:
    """Whatever is typed is words: nothing raises, widens, or reaches another's."""
    ask(user, "mine and and or not near terms owner x mi ne")
    ask(other_user, "mine and and or not near terms owner x mi ne theirs")
    try:
        found = said(user, words)
    except InvalidRequest:
        assert not any(char.isalnum() for char in words)
    else:
        assert found == ["mine and and or not near terms owner x mi ne"]


def test_anothers_mark_cannot_be_looked_for(user: Any, other_user: Any) -> None:
    ask(other_user, "theirs")
    assert said(user, f"owner={other_user.pk.hex}") == []
    assert said(user, f"{other_user.pk.hex} theirs") == []


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("Ärger mit Straßen", "arger strassen"),
        ("naïve", "NAÏVE"),
        ("東京都は大きい", "京都"),
        ("大きい", "き"),
        ("한국어를", "한국"),
    ],
)
def test_letters_count_without_case_and_diacritics_and_in_any_script(user: Any, content: str, words: str) -> None:
    ask(user, content)
    assert said(user, words) == [content]


def test_archived_threads_are_searched_too(user: Any) -> None:
    run = ask(user, "mine").run
    Thread.objects.filter(pk=run.thread_id).update(archived=True)
    assert said(user, "mine") == ["mine"]


@pytest.mark.parametrize("cursor", ["x", cursors.encode("x"), cursors.encode("-1"), cursors.encode("9" * 30)])
def test_a_cursor_that_is_not_ours_is_refused(user: Any, cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        selectors.search_page(owner_id=user.pk, words="mine", cursor=cursor)


@pytest.mark.parametrize("rows", [3, 30])
def test_a_page_is_two_statements_or_three_however_many_rows(
    user: Any, rows: int, django_assert_max_num_queries: Any
) -> None:
    for _ in range(rows):
        ask(user, "mine")
    with django_assert_max_num_queries(3):
        assert len(said(user, "mine")) == min(rows, search_of.PAGE)

"""What is found, and what no longer: on both databases, by the verbs that write messages."""

from typing import Any

import pytest
from django.db import connection

from conversations import selectors
from conversations.models import Message, Run, SearchEntry, Thread
from conversations.search.marks import owner_mark
from conversations.services.messages import delete_message
from conversations.services.run_cancel import cancel_run
from conversations.services.search_build import build
from streaming.protocol.lifecycle import RunStatus
from tests.support.stored import answer, ask, claim, park

pytestmark = pytest.mark.django_db


def said(user: Any, words: str) -> list[str]:
    page = selectors.search_page(owner_id=user.pk, words=words, cursor=None)
    return [found.message.content for found in page.found]


def indexed(word: str) -> int:
    """How many rows of the index itself have the term, whatever the tables say."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            sql = "SELECT COUNT(*) FROM conversations_searchterms WHERE conversations_searchterms MATCH %s"
            cursor.execute(sql, [f'"{word}"'])
        else:
            cursor.execute("SELECT COUNT(*) FROM conversations_searchentry WHERE terms @@ %s::tsquery", [f"'{word}'"])
        return int(cursor.fetchone()[0])


def test_a_question_is_found_at_once_and_an_answer_when_it_has_ended(user: Any) -> None:
    run = ask(user, "quokka").run
    held = claim(run)
    assert held
    assert said(user, "quokka") == ["quokka"]
    run = ask(user, "wombat").run
    answer(run, "echidna wombat")
    assert said(user, "wombat") == ["echidna wombat", "wombat"]
    assert Message.objects.count() == SearchEntry.objects.count() == 4


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.INCOMPLETE])
def test_an_answer_that_was_cut_short_is_found_too(user: Any, status: RunStatus) -> None:
    answer(ask(user).run, "numbat", status=status)
    assert said(user, "numbat") == ["numbat"]


def test_what_was_withdrawn_while_it_waited_for_somebody_is_found(user: Any) -> None:
    run = ask(user).run
    park(run, "a line")
    Message.objects.filter(pk=run.answer_id).update(content="bilby so far")
    assert said(user, "bilby") == []
    cancel_run(run=Run.objects.get(pk=run.pk), by="user", reason="requested")
    assert said(user, "bilby") == ["bilby so far"]


def test_an_answer_that_is_gone_on_with_is_found_by_all_that_it_says_then(user: Any) -> None:
    run = answer(ask(user).run, "first", status=RunStatus.INCOMPLETE)
    further = ask(user, None, thread=run.thread, **{"continue": str(run.answer_id)}).run
    assert said(user, "first") == ["first"]
    answer(further, "other words of mine")
    assert (said(user, "first"), said(user, "words")) == ([], ["other words of mine"])
    assert (indexed("first"), indexed("words")) == (0, 1)
    Message.objects.all().delete()
    assert [indexed(term) for term in ("other", "words", "mine", "why", owner_mark(user.pk))] == [0] * 5


def test_what_is_deleted_is_gone_from_the_index_itself(user: Any) -> None:
    kept = answer(ask(user, "quokka here").run, "wombat here")
    gone = answer(ask(user, "quokka there", thread=kept.thread).run, "wombat there")
    assert gone.question_id
    delete_message(thread=kept.thread, message_id=gone.question_id)
    assert said(user, "here") == ["wombat here", "quokka here"]
    assert (indexed("there"), indexed("quokka")) == (0, 1)
    Thread.objects.get(pk=kept.thread_id).delete()
    assert (said(user, "here"), indexed("here"), SearchEntry.objects.count()) == ([], 0, 0)


def test_with_a_person_all_of_theirs_is_gone(user: Any, other_user: Any) -> None:
    answer(ask(user, "quokka").run)
    answer(ask(other_user, "quokka too").run)
    user.delete()
    assert (indexed("quokka"), said(other_user, "quokka")) == (1, ["quokka too"])


def test_what_is_missing_is_added_once_and_in_order(user: Any, other_user: Any) -> None:
    for number in range(3):
        answer(ask(user, f"question {number}").run, f"answer {number}")
    ask(other_user, "question of another")
    before = said(user, "question")
    SearchEntry.objects.filter(owner=user).delete()
    assert said(user, "question") == []
    assert build(message_model=Message, entry_model=SearchEntry) == 6
    assert build(message_model=Message, entry_model=SearchEntry) == 0
    assert said(user, "question") == before == ["question 2", "question 1", "question 0"]


def test_an_answer_of_a_process_that_knew_no_search_is_found(user: Any) -> None:
    run = ask(user).run
    SearchEntry.objects.all().delete()
    answer(run, "wombat")
    assert said(user, "wombat") == ["wombat"]

"""What a question asks of the database, from its send to its end, counted: each statement costs more than a token."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conversations import selectors
from conversations.models import ModelServer, Thread
from conversations.services.run_queue import claim_next
from streaming.engine.prompt import load_prompt
from tests.support.stored import answer, ask, claim, close

pytestmark = pytest.mark.django_db
# A test's own transaction makes a verb's begin and end, which go unseen otherwise, savepoints.
_FRAME = ("SAVEPOINT", "RELEASE SAVEPOINT", "PRAGMA")


def asked(work: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        work()
    return [query["sql"] for query in captured if not query["sql"].startswith(_FRAME)]


def claimed() -> None:
    assert claim_next(server="demo", most=8, max_parallel=0, holder="us", expiry=10)


def test_a_question_in_a_thread_of_its_own(user: Any) -> None:
    thread = Thread.objects.create(owner=user)
    opening = asked(lambda: ask(user, thread=thread))
    assert len(opening) == 11, "\n".join(opening)


def test_a_claim_is_the_same_for_one_and_for_eight(user: Any) -> None:
    ModelServer.objects.create(name="demo")
    for many in (1, 8):
        for _ in range(many):
            ask(user, thread=Thread.objects.create(owner=user))
        assert len(asked(selectors.loads)) == 1
        claiming = asked(claimed)
        assert len(claiming) == 6, "\n".join(claiming)


def test_a_prompt_is_the_same_for_a_short_and_a_long_thread(user: Any) -> None:
    run = ask(user).run
    prompt = asked(lambda: load_prompt(run.pk))
    assert len(prompt) == 3, "\n".join(prompt)
    later = Thread.objects.create(owner=user)
    for _ in range(3):
        answer(ask(user, thread=later).run)
    last = ask(user, thread=later).run
    prompt = asked(lambda: load_prompt(last.pk))
    assert len(prompt) == 4, "\n".join(prompt)  # with the steps of the answers before


def test_an_end(user: Any) -> None:
    run = ask(user).run
    held = claim(run)
    closing = asked(lambda: close(run, held, head=held.head, content="Because."))
    assert len(closing) == 10, "\n".join(closing)

"""What a question asks of the database, from its send to its end, counted: each statement costs more than a token."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conversations import permissions, selectors
from conversations.models import ModelServer, Run, Thread
from conversations.services.afterthoughts import title_by_model
from conversations.services.run_cancel import cancel_run
from conversations.services.run_queue import claim_next
from streaming.engine.prompt import load_prompt
from streaming.eventlog import database as rows_of_the_log
from tests.support.stored import answer, ask, claim, close, decide, park, principal_for

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
    locked = connection.features.has_select_for_update
    assert len(closing) == 8 + locked, "\n".join(closing)


def test_a_title_by_a_model(user: Any) -> None:
    """After the end of a run that has one to make: a look, and where a model wrote one a conditional update. A run
    without asks nothing, since the prompt's own query says so.
    """
    run = answer(ask(user).run)
    assert len(asked(lambda: selectors.standing(thread_id=run.thread_id, server="demo"))) == 1
    naming = asked(lambda: title_by_model(thread_id=run.thread_id, title="Blue sky"))
    assert len(naming) == 5, "\n".join(naming)
    in_vain = asked(lambda: title_by_model(thread_id=run.thread_id, title="Another"))
    assert len(in_vain) == 1, "\n".join(in_vain)


TOOL = {"name": "clock", "arguments": {}, "output": "12:00"}


@pytest.fixture(params=[3, 30])
def run(user: Any, request: pytest.FixtureRequest) -> Run:
    """An answer in a thread with so many others, that were thought about and called tools."""
    thread = Thread.objects.create(owner=user)
    for _ in range(request.param):
        answer(ask(user, thread=thread).run, "Because. " * request.param, thinking="Hm.", tool=TOOL)
    return answer(ask(user, thread=thread).run, thinking="Hm.", tool=TOOL)


def test_the_state_of_a_run(run: Run) -> None:
    """``GET runs/…``, beside its gate; so is what ``?wait=true`` answers with."""
    state = asked(lambda: selectors.recorded_run(run))
    assert len(state) == 3, "\n".join(state)


def test_how_a_reader_begins(run: Run) -> None:
    """``GET runs/…/events`` and the frame ``subscribe``: the gate, how far the log has come, its first events."""
    principal = principal_for(run.owner)
    begun = asked(lambda: permissions.access_run(principal, run.pk, "read"))
    begun += asked(lambda: rows_of_the_log._extent(run.pk, 0))
    assert len(begun) == 2, "\n".join(begun)
    read = asked(lambda: selectors.stored_entries(run_id=run.pk, after=0, most=256, most_bytes=2**18))
    assert len(read) <= 2, "\n".join(read)


def test_stopping_one_that_nobody_has_begun(run: Run) -> None:
    """``POST runs/…/cancel`` and the frame ``run.cancel``."""
    waiting = ask(run.owner, thread=run.thread).run
    stopping = asked(lambda: cancel_run(run=waiting, by="user", reason="requested"))
    assert len(stopping) == 17, "\n".join(stopping)


def test_a_decision(run: Run) -> None:
    """``POST runs/…/approvals/…`` and the frame ``tool.approve``."""
    (approval,) = park(ask(run.owner, thread=run.thread).run, "a line")
    deciding = asked(lambda: decide(approval, "approve"))
    assert len(deciding) == 5, "\n".join(deciding)

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chatserver.accounts.models import User
from chatserver.audience import ADMITTED
from conversations.models import Attachment
from conversations.selectors import runs as questions
from streaming.engine.prompt import load_prompt, prompt_at_hand
from tests.support.stored import answer, ask, thread_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("looked_at", "older"), [(5, False), (4, True), (3, True)])
def test_a_thread_that_reaches_back_further_than_is_looked_at_says_so(
    user: User, monkeypatch: pytest.MonkeyPatch, looked_at: int, older: bool
) -> None:
    monkeypatch.setattr(questions, "HISTORY", looked_at)
    thread = thread_of(user)
    for _ in range(2):
        answer(ask(user, thread=thread).run)
    prompt = load_prompt(ask(user, thread=thread).run.pk)
    assert (len(prompt.history), prompt.older) == (looked_at, older)


@pytest.fixture
def wishes(user: User, attach: Callable[..., Attachment]) -> dict[str, Any]:
    return {
        "attachments": [str(attach(user).pk)],
        "system_prompt": "Be brief.",
        "tools": ["clock"],
        "parameters": {"seed": 7},
        "response_format": {"type": "json_object"},
    }


def test_a_prompt_at_hand_is_the_one_that_would_be_read(user: User, wishes: dict[str, Any]) -> None:
    run = ask(user, **wishes).run
    at_hand, read = prompt_at_hand(run), load_prompt(run.pk)
    assert at_hand is not None
    assert at_hand.has_files
    # Who asks has just been let in, and the first attempt is counted when it is claimed.
    assert (at_hand.owner, at_hand.attempt, read.attempt) == (ADMITTED, 1, 0)
    assert replace(at_hand, owner=read.owner, attempt=read.attempt, steps_before=[]) == read


def test_a_send_that_has_waited_is_asked_as_it_was_sent(user: User, wishes: dict[str, Any]) -> None:
    at_once = load_prompt(ask(user, "And now?", **wishes).run.pk)
    thread = thread_of(user)
    first = ask(user, thread=thread).run
    waiting = ask(user, "And now?", thread=thread, if_busy="enqueue", **wishes).run
    answer(first)
    prompt = load_prompt(waiting.pk)
    assert [message.content for message in prompt.history] == ["Why?", "Because.", "And now?"]
    assert replace(prompt, history=prompt.history[-1:], untitled=True) == replace(at_once, untitled=True)

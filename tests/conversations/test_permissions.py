from collections.abc import Callable
from typing import Any

import pytest

from conversations import permissions
from conversations.models import Run
from streaming.protocol.errors import Forbidden, NotFound
from tests.support.stored import ask, principal_for, thread_of

pytestmark = pytest.mark.django_db

Gate = Callable[..., Any]


@pytest.fixture
def run(user: Any) -> Run:
    return ask(user).run


def thread_gate(principal: Any, run: Run, scope: Any) -> Any:
    return permissions.access_thread(principal, str(run.thread_id), scope)


def run_gate(principal: Any, run: Run, scope: Any) -> Any:
    return permissions.access_run(principal, run.pk, scope)


def message_gate(principal: Any, run: Run, scope: Any) -> Any:
    return permissions.access_message(principal, run.thread, str(run.answer_id), scope)


GATES = pytest.mark.parametrize("gate", [thread_gate, run_gate, message_gate])


@GATES
def test_the_owner_gets_through(gate: Gate, run: Run, user: Any) -> None:
    assert gate(principal_for(user), run, "read").pk in (run.pk, run.thread_id, run.answer_id)


@GATES
def test_a_stranger_and_an_administrator_find_nothing(gate: Gate, run: Run, other_user: Any, admin_user: Any) -> None:
    for person in (other_user, admin_user):
        with pytest.raises(NotFound):
            gate(principal_for(person), run, "read")


@GATES
def test_a_token_without_the_scope_is_told_so(gate: Gate, run: Run, user: Any) -> None:
    with pytest.raises(Forbidden) as caught:
        gate(principal_for(user, ["read"]), run, "chat")
    assert caught.value.details == {"scope": "chat"}


@pytest.mark.parametrize("text", ["", "1", "x" * 36, "../etc", "\x00", "é"])
def test_text_that_is_no_id_is_not_there(text: str, user: Any) -> None:
    with pytest.raises(NotFound):
        permissions.access_thread(principal_for(user), text, "read")


def test_a_message_of_another_thread_is_not_in_this_one(run: Run, user: Any) -> None:
    with pytest.raises(NotFound):
        permissions.access_message(principal_for(user), thread_of(user), str(run.answer_id), "read")

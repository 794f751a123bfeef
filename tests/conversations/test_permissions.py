from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from chatserver.accounts.models import SCOPES, User
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


def manages(person: Any, scopes: Any = SCOPES) -> None:
    permissions.manage_models(principal_for(person, scopes))


def test_models_are_managed_by_administrators_and_by_staff_with_the_right(staff: Any, admin_user: Any) -> None:
    manages(admin_user)
    with pytest.raises(Forbidden):
        manages(staff)
    staff.user_permissions.add(Permission.objects.get(codename="manage_models"))
    manages(staff)


def test_the_right_alone_is_not_enough_nor_is_a_token_that_may_not_manage(user: Any, admin_user: Any) -> None:
    user.user_permissions.add(Permission.objects.get(codename="manage_models"))
    with pytest.raises(Forbidden):
        manages(user)
    with pytest.raises(Forbidden) as caught:
        manages(admin_user, ["read", "chat"])
    assert caught.value.details == {"scope": "manage"}


def test_an_administrator_who_was_switched_off_or_put_down_meanwhile_manages_nothing(admin_user: Any) -> None:
    before = principal_for(admin_user)
    whole = {"is_active": True, "is_superuser": True, "is_staff": True}
    for lacking in whole:
        User.objects.filter(pk=admin_user.pk).update(**{**whole, lacking: False})
        with pytest.raises(Forbidden):
            permissions.manage_models(before)
    User.objects.filter(pk=admin_user.pk).delete()
    with pytest.raises(Forbidden):
        permissions.manage_models(before)


@pytest.mark.parametrize("text", ["", "no-id", "01a22f97-8056-74d8-a603-b952622b90e8"])
def test_a_pull_that_is_not_there_is_told_to_those_only_who_may_see_pulls(
    text: str, user: Any, admin_user: Any
) -> None:
    with pytest.raises(NotFound):
        permissions.access_pull(principal_for(admin_user), text)
    with pytest.raises(Forbidden):
        permissions.access_pull(principal_for(user), text)

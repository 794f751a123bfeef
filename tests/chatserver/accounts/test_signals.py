from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from chatserver.accounts.models import ApiToken, User
from chatserver.accounts.services import revoke_token
from chatserver.accounts.signals import access_changed

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard() -> Iterator[list[tuple[Any, Any, Any]]]:
    calls: list[tuple[Any, Any, Any]] = []

    def hear(*, user_id: Any, token_id: Any, session_key: Any, **_: Any) -> None:
        calls.append((user_id, token_id, session_key))

    access_changed.connect(hear)
    yield calls
    access_changed.disconnect(hear)


def test_a_revoked_token_is_announced_after_the_commit(
    user: User, token_for: Callable[..., str], heard: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    token_for(user)
    token = ApiToken.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        revoke_token(token)
        assert heard == []
    assert heard == [(user.pk, token.pk, None)]


def test_a_changed_account_is_announced_and_a_sign_in_is_not(
    user: User, client: Client, heard: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        client.force_login(user)
    assert heard == []
    user.is_active = False
    with django_capture_on_commit_callbacks(execute=True):
        user.save()
    assert heard == [(user.pk, None, None)]


@pytest.mark.urls("tests.support.edge_urls")
def test_signing_out_is_announced_when_the_session_is_gone(
    user: User, client: Client, heard: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    client.force_login(user)
    key = client.cookies["session"].value
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/accounts/logout/")
    assert heard == [(user.pk, None, key)]

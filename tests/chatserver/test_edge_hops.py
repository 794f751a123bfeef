"""Under ASGI the middleware itself costs no thread hops."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import SyncToAsync, async_to_sync
from django.core.handlers.asgi import ASGIHandler
from django.test import AsyncClient

from chatserver.accounts.models import User

pytestmark = [pytest.mark.urls("tests.support.edge_urls"), pytest.mark.django_db]


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of every function that was sent to a thread."""
    seen: list[str] = []
    call = SyncToAsync.__call__

    async def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(getattr(self.func, "__qualname__", type(self.func).__name__))
        return await call(self, *args, **kwargs)

    monkeypatch.setattr(SyncToAsync, "__call__", counted)
    return seen


def test_no_middleware_is_adapted(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.DEBUG = True  # or Django does not say so
    with caplog.at_level(logging.DEBUG, logger="django.request"):
        ASGIHandler()
    assert not [record for record in caplog.records if "adapted" in record.getMessage()]


def test_the_detector_sees_an_adapted_middleware(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.DEBUG = True
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "tests.support.edge_urls.sync_only"]
    with caplog.at_level(logging.DEBUG, logger="django.request"):
        ASGIHandler()
    assert [record for record in caplog.records if "adapted" in record.getMessage()]


def test_a_signed_in_get_hops_once(async_client: AsyncClient, user: User, hops: list[str]) -> None:
    async_client.force_login(user)
    answer = async_to_sync(async_client.get)("/api/who")
    assert answer.json()["username"] == "ada"
    assert _ours(hops) == ["principal_of"]


def test_a_get_with_a_token_hops_once(
    async_client: AsyncClient, user: User, token_for: Callable[..., str], hops: list[str]
) -> None:
    answer = async_to_sync(async_client.get)("/api/who", headers={"Authorization": f"Bearer {token_for(user)}"})
    assert answer.json()["username"] == "ada"
    assert _ours(hops) == ["principal_of_token"]


def test_a_stranger_costs_no_hop(async_client: AsyncClient, hops: list[str]) -> None:
    assert async_to_sync(async_client.get)("/api/who").json() == {"username": None}
    assert _ours(hops) == []


def _ours(hops: list[str]) -> list[str]:
    # The handler itself sends its signals and closes the response in a thread, whatever the middleware.
    return [name for name in hops if not name.startswith(("Signal.", "HttpResponseBase."))]


def test_a_changed_session_is_saved_in_a_thread(async_client: AsyncClient, user: User, hops: list[str]) -> None:
    async_client.force_login(user)
    get = async_to_sync(async_client.get)
    assert get("/page/remember").json() == {"seen": 1}
    assert "Sessions.process_response" in hops
    assert get("/page/remember").json() == {"seen": 2}


def test_messages_are_stored_in_a_thread(async_client: AsyncClient, user: User, hops: list[str]) -> None:
    async_client.force_login(user)
    answer = async_to_sync(async_client.get)("/page/note")
    assert answer.status_code == 200
    assert "messages" in answer.cookies
    assert "Messages.process_response" in hops


def test_people_sign_in_under_asgi(async_client: AsyncClient, user: User, password: str) -> None:
    post = async_to_sync(async_client.post)
    assert post("/accounts/login/", {"login": "ada", "password": password}).status_code == 302
    assert async_to_sync(async_client.get)("/api/who").json()["username"] == "ada"

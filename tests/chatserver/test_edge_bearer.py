"""``Authorization: Bearer`` over HTTP, on async, sync and streaming views."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client
from django.utils import timezone

from chatserver.accounts.models import ApiToken, User

pytestmark = [pytest.mark.urls("tests.support.edge_urls"), pytest.mark.django_db]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("address", ["/api/who", "/api/who-sync", "/page/who"])
def test_a_good_token_is_its_user(client: Client, user: User, token_for: Callable[..., str], address: str) -> None:
    answer = client.get(address, headers=bearer(token_for(user, ["read"])))
    assert answer.json() == {"username": "ada", "via": "token", "scopes": ["read"], "session": None}


@pytest.mark.parametrize("header", ["bearer {}", "BEARER {}", "Bearer   {}"])
def test_the_word_bearer_is_read_as_the_standard_says(
    client: Client, user: User, token_for: Callable[..., str], header: str
) -> None:
    answer = client.get("/api/who", headers={"Authorization": header.format(token_for(user))})
    assert answer.json()["username"] == "ada"


@pytest.mark.parametrize("spoil", ["", "x", "chat_abc_def", "{}x", "{},{}", "{} {}", "X{}"])
def test_a_bad_token_is_401_in_the_one_shape(
    client: Client, user: User, token_for: Callable[..., str], spoil: str
) -> None:
    token = token_for(user)
    answer = client.get("/api/who", headers=bearer(spoil.replace("{}", token)))
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_authenticated"
    assert answer["WWW-Authenticate"] == "Bearer"


def test_a_bad_token_is_not_saved_by_a_good_session(client: Client, user: User) -> None:
    client.force_login(user)
    assert client.get("/api/who").json()["username"] == "ada"
    assert client.get("/api/who", headers=bearer("chat_abc_def")).status_code == 401


def test_a_token_wins_over_a_session_and_leaves_it_unused(
    client: Client, user: User, other_user: User, token_for: Callable[..., str]
) -> None:
    client.force_login(user)
    answer = client.get("/api/who", headers=bearer(token_for(other_user)))
    assert answer.json()["username"] == "bob"
    assert answer.json()["session"] is None
    assert "session" not in answer.cookies


def test_a_token_opens_no_administration(client: Client, admin_user: User, token_for: Callable[..., str]) -> None:
    assert client.get("/admin/", headers=bearer(token_for(admin_user))).status_code == 302
    client.force_login(admin_user)
    assert client.get("/admin/").status_code == 200


def test_revoked_expired_and_inactive_are_nobody(client: Client, user: User, token_for: Callable[..., str]) -> None:
    token = token_for(user)
    row = ApiToken.objects.get()

    def status() -> int:
        return client.get("/api/who", headers=bearer(token)).status_code

    assert status() == 200
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert status() == 401
    ApiToken.objects.update(expires_at=timezone.now() + timedelta(seconds=60))
    assert status() == 200
    ApiToken.objects.update(revoked_at=timezone.now())
    assert status() == 401
    ApiToken.objects.update(revoked_at=None)
    User.objects.filter(pk=row.user_id).update(is_active=False)
    assert status() == 401


def test_the_monitoring_token_is_left_to_its_view(client: Client) -> None:
    assert client.get("/metrics", headers=bearer("somebody else's")).json() == {"username": None}


def test_other_schemes_are_left_alone(client: Client, user: User) -> None:
    client.force_login(user)
    assert client.get("/api/who", headers={"Authorization": "Basic YTpi"}).json()["via"] == "session"


def test_a_stream_is_opened_with_a_token(async_client: AsyncClient, user: User, token_for: Callable[..., str]) -> None:
    token = token_for(user)

    @async_to_sync
    async def read() -> tuple[str, bytes]:
        answer = await async_client.get("/api/stream", headers=bearer(token))
        return answer["Cache-Control"], b"".join([part async for part in answer])

    caching, body = read()
    assert body == b"ada 0\nada 1\nada 2\n"
    assert "no-store" in caching
    assert "no-cache" in caching


def test_async_requests_know_token_and_session(
    async_client: AsyncClient, user: User, other_user: User, token_for: Callable[..., str]
) -> None:
    async_client.force_login(user)
    get = async_to_sync(async_client.get)
    assert get("/api/who").json()["via"] == "session"
    answer = get("/api/who-sync", headers=bearer(token_for(other_user)))
    assert (answer.json()["username"], answer.json()["via"]) == ("bob", "token")
    assert get("/api/who", headers=bearer("chat_a_b")).status_code == 401


def test_without_token_and_session_nobody_asks(client: Client) -> None:
    assert client.get("/api/who").json() == {"username": None}


def test_an_inactive_users_session_is_nobody(client: Client, user: User) -> None:
    client.force_login(user)
    assert client.get("/api/who").json()["username"] == "ada"
    User.objects.update(is_active=False)
    assert client.get("/api/who").json() == {"username": None}

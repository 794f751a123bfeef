from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as live
from django.test import Client

from chatserver.accounts.models import User

pytestmark = [pytest.mark.urls("tests.support.edge_urls"), pytest.mark.django_db]


@pytest.mark.parametrize("address", ["/api/who", "/page/who", "/page/nothing", "/accounts/login/", "/page/boom"])
def test_every_answer_carries_the_headers_of_safety(client: Client, address: str) -> None:
    client.raise_request_exception = False
    answer = client.get(address)
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]


def test_a_signed_in_page_is_in_no_cache(client: Client, user: User) -> None:
    assert "Cache-Control" not in client.get("/page/who")
    client.force_login(user)
    answer = client.get("/page/who")
    assert "no-store" in answer["Cache-Control"]
    assert "Cookie" in answer["Vary"]


def test_a_page_asked_for_with_a_token_is_in_no_cache(
    client: Client, user: User, token_for: Callable[..., str]
) -> None:
    answer = client.get("/page/who", headers={"Authorization": f"Bearer {token_for(user)}"})
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("address", ["/api/who", "/api/nothing", "/v1/models", "/ollama/api/tags"])
def test_no_api_answer_is_in_a_cache(client: Client, address: str) -> None:
    answer = client.get(address)
    assert "no-store" in answer["Cache-Control"]
    assert {"Authorization", "Cookie"} <= {name.strip() for name in answer["Vary"].split(",")}


def test_an_unknown_host_is_refused(client: Client) -> None:
    assert client.get("/api/who", headers={"Host": "evil.example"}).status_code == 400
    assert client.get("/api/who", headers={"Host": "localhost:8000"}).status_code == 200


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(
    client: Client, user: User, password: str
) -> None:
    client.post("/accounts/login/", {"login": "ada", "password": password})
    cookie = client.cookies[live.SESSION_COOKIE_NAME]
    assert cookie["httponly"] is True
    assert cookie["samesite"] == "Lax"
    assert cookie["domain"] == ""
    assert cookie["path"] == "/"


def test_sessions_are_json_and_never_pickled() -> None:
    assert live.SESSION_SERIALIZER == "django.contrib.sessions.serializers.JSONSerializer"


def test_the_languages_of_the_browser_are_heard(client: Client, settings: Any) -> None:
    assert client.get("/page/who", headers={"Accept-Language": "de"})["Content-Language"] == "de"

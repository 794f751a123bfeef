from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as live
from django.test import Client

from chatserver.accounts.models import User

SAFE = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
pytestmark = [pytest.mark.urls("tests.support.edge_urls"), pytest.mark.django_db]


@pytest.mark.parametrize("address", ["/api/who", "/page/who", "/page/nothing", "/accounts/login/", "/page/boom"])
def test_every_answer_carries_the_headers_of_safety(client: Client, address: str) -> None:
    client.raise_request_exception = False
    check(client.get(address))


def check(answer: Any) -> None:
    assert {name: answer.headers.get(name) for name in SAFE} == SAFE
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in answer


@pytest.mark.parametrize("debug", [False, True])
def test_so_do_the_files(settings: Any, tmp_path: Path, debug: bool) -> None:
    """An SVG that is opened by itself is a page with scripts, if nothing forbids them."""
    (tmp_path / "mark.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    settings.STATIC_ROOT, settings.DEBUG = tmp_path, debug
    client = Client()
    whole = client.get("/static/mark.svg")
    unchanged = client.get("/static/mark.svg", headers={"If-Modified-Since": whole["Last-Modified"]})
    part = client.get("/static/mark.svg", headers={"Range": "bytes=0-3"})
    refused = client.post("/static/mark.svg")
    assert [each.status_code for each in (whole, unchanged, part, refused)] == [200, 304, 206, 405]
    for answer in (whole, unchanged, part, refused):
        check(answer)
    settings.DEBUG = False
    missing = Client().get("/static/none.svg")
    assert missing.status_code == 404
    check(missing)


def test_an_error_that_is_brought_into_the_one_shape_keeps_them(client: Client) -> None:
    answer = client.post("/api/only-get")
    assert answer.status_code == 405
    check(answer)


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

"""Whoever uses a session must prove that the page is ours; tokens need no such proof."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from chatserver.accounts.models import User

pytestmark = [pytest.mark.urls("tests.support.edge_urls"), pytest.mark.django_db]
OWN = "http://testserver"


class Browser:
    """A signed-in page that sends what is asked of it, so that tests can leave one thing out."""

    def __init__(self, user: User) -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.client.force_login(user)
        self.client.get("/accounts/logout/")
        self.token = self.client.cookies["csrf"].value

    def post(self, address: str = "/api/who", body: Any = None, **changes: str | None) -> HttpResponse:
        headers = {"X-CSRFToken": self.token, "Origin": OWN, "Content-Type": "application/json"} | changes
        sent = {name: value for name, value in headers.items() if value is not None}
        kind = sent.pop("Content-Type", "")
        return self.client.post(address, json.dumps(body or {}), content_type=kind, headers=sent)


@pytest.fixture
def browser(user: User) -> Browser:
    return Browser(user)


@pytest.mark.parametrize("address", ["/api/who", "/api/who-sync", "/api/who-exempt", "/page/who"])
def test_our_own_page_may_post(browser: Browser, address: str) -> None:
    assert browser.post(address).json()["via"] == "session"


@pytest.mark.parametrize("address", ["/api/who", "/api/who-sync", "/api/who-exempt", "/page/who"])
@pytest.mark.parametrize(
    "change",
    [
        {"X-CSRFToken": None},
        {"X-CSRFToken": "a" * 64},
        {"Origin": "https://evil.example"},
        {"Origin": "http://testserver:81"},
        {"Origin": "https://testserver"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_page_may_not(browser: Browser, address: str, change: dict[str, str | None]) -> None:
    assert browser.post(address, **change).status_code == 403


def test_the_refusal_is_json_for_programs_and_a_page_for_people(browser: Browser) -> None:
    refused = browser.post(**{"X-CSRFToken": None})
    assert refused.json()["error"]["code"] == "forbidden"
    page = browser.post("/page/who", **{"X-CSRFToken": None})
    assert page["Content-Type"].startswith("text/html")
    assert b"reload" in page.content


def test_only_listed_origins_count_where_there_is_a_list(browser: Browser, settings: Any) -> None:
    settings.ALLOWED_ORIGINS = ["https://chat.example.org"]
    assert browser.post().status_code == 403
    assert browser.post(Origin="https://chat.example.org").status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_session_sends_json_and_nothing_else(browser: Browser, kind: str) -> None:
    refused = browser.post(**{"Content-Type": kind})
    assert refused.status_code == 415
    assert refused.json()["error"]["code"] == "unsupported_media_type"


def test_a_view_that_takes_files_takes_multipart_but_no_text(browser: Browser) -> None:
    assert browser.post("/api/files", **{"Content-Type": "multipart/form-data; boundary=x"}).status_code == 200
    assert browser.post("/api/files", **{"Content-Type": "text/plain"}).status_code == 415


def test_a_request_without_a_body_needs_no_content_type(browser: Browser) -> None:
    headers = {"X-CSRFToken": browser.token, "Origin": OWN}
    assert browser.client.delete("/api/who", headers=headers).status_code == 200


@pytest.mark.parametrize("address", ["/api/who", "/page/who"])
def test_a_token_needs_no_csrf(user: User, token_for: Callable[..., str], address: str) -> None:
    client = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {token_for(user)}"})
    answer = client.post(address, "{}", content_type="application/json", headers={"Origin": "https://other.example"})
    assert answer.json()["via"] == "token"


def test_a_bad_token_does_not_switch_the_check_off(browser: Browser) -> None:
    refused = browser.post(**{"Authorization": "Bearer chat_a_b", "X-CSRFToken": None})
    assert refused.status_code == 401


def test_a_stranger_without_a_session_is_told_to_sign_in_rather_than_reload() -> None:
    answer = Client(enforce_csrf_checks=True).post("/api/who", "{}", content_type="application/json")
    assert answer.json() == {"username": None}


def test_signing_in_needs_a_csrf_token(user: User, password: str) -> None:
    client = Client(enforce_csrf_checks=True)
    form = {"login": "ada", "password": password}
    assert client.post("/accounts/login/", form).status_code == 403
    client.get("/accounts/login/")
    form["csrfmiddlewaretoken"] = client.cookies["csrf"].value
    assert client.post("/accounts/login/", form).status_code == 302

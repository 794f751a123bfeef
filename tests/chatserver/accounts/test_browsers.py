"""Where somebody is signed in: told to them alone, without the key, and ended there."""

from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.test import Client

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"


@pytest.fixture
def two(user: Any) -> tuple[Client, Client]:
    user.set_password(PASSWORD)
    user.save()
    browsers = [Client(headers={"User-Agent": f"browser {number}"}) for number in range(2)]
    for browser in browsers:
        answer = browser.post("/accounts/login/", {"login": user.username, "password": PASSWORD})
        assert answer.status_code == 302, answer.content
    return browsers[0], browsers[1]


def test_each_browser_is_told_and_which_of_them_asks_and_never_a_key(two: tuple[Client, Client]) -> None:
    first, _ = two
    body = first.get("/api/v1/sessions")
    told = body.json()["results"]
    assert [set(one) for one in told] == [{"id", "created_at", "ip", "user_agent", "current"}] * 2
    assert [(one["user_agent"], one["current"]) for one in told] == [("browser 1", False), ("browser 0", True)]
    for row in UserSession.objects.all():
        assert row.session_key not in body.content.decode()


def test_one_is_ended_and_the_other_goes_on(two: tuple[Client, Client]) -> None:
    first, second = two
    (other, _) = first.get("/api/v1/sessions").json()["results"]
    assert first.delete(f"/api/v1/sessions/{other['id']}").status_code == 204
    assert second.get("/api/v1/me").status_code == 401
    assert len(first.get("/api/v1/sessions").json()["results"]) == 1
    assert first.delete(f"/api/v1/sessions/{other['id']}").status_code == 404


def test_all_others_are_ended_at_once(two: tuple[Client, Client]) -> None:
    first, second = two
    assert first.delete("/api/v1/sessions").status_code == 204
    assert (first.get("/api/v1/me").status_code, second.get("/api/v1/me").status_code) == (200, 401)
    assert Session.objects.count() == 1


def test_what_has_ended_by_itself_is_not_told(two: tuple[Client, Client]) -> None:
    first, second = two
    second.post("/accounts/logout/")
    assert len(first.get("/api/v1/sessions").json()["results"]) == 1


def test_after_a_new_password_only_what_still_lets_in_is_told(user: Any, two: tuple[Client, Client]) -> None:
    user.set_password("another horse battery staple")
    user.save()
    user.refresh_from_db()
    browser = Client()
    browser.post("/accounts/login/", {"login": user.username, "password": "another horse battery staple"})
    assert [one["current"] for one in browser.get("/api/v1/sessions").json()["results"]] == [True]


@pytest.mark.parametrize("name", ["0", "x", "-1", "9" * 30, "١"])
def test_a_session_that_is_none_is_not_there(two: tuple[Client, Client], name: str) -> None:
    assert two[0].delete(f"/api/v1/sessions/{name}").status_code == 404

"""The one-time link of the first administrator."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from chatserver.accounts.models import User
from chatserver.accounts.setup import setup_link

pytestmark = [pytest.mark.urls("tests.support.edge_urls"), pytest.mark.django_db]
SETUP = "/accounts/setup/"
GOOD = "correct horse battery staple"


def fresh_code() -> str:
    link = setup_link("http://127.0.0.1:8000/")
    assert link
    assert link.startswith("http://127.0.0.1:8000/accounts/setup/?code=")
    return parse_qs(urlsplit(link).query)["code"][0]


def form(code: str, **changes: str) -> dict[str, str]:
    return {"code": code, "username": "root", "email": "", "password": GOOD, "password_again": GOOD} | changes


def test_the_link_opens_a_form_and_the_form_makes_and_signs_in_the_administrator(client: Client) -> None:
    code = fresh_code()
    assert code in client.get(SETUP, {"code": code}).content.decode()
    answer = client.post(SETUP, form(code))
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert User.objects.get().is_superuser
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("code", ["", "made up"])
def test_a_made_up_code_opens_nothing(client: Client, code: str) -> None:
    fresh_code()
    assert client.get(SETUP, {"code": code}).status_code == 404
    assert client.post(SETUP, form(code or "x")).status_code == 404
    assert not User.objects.exists()


def test_it_works_once(client: Client) -> None:
    code = fresh_code()
    client.post(SETUP, form(code))
    second = Client()
    assert second.get(SETUP, {"code": code}).status_code == 404
    assert second.post(SETUP, form(code, username="mallory")).status_code == 404
    assert User.objects.count() == 1


def test_a_newer_link_ends_the_older(client: Client) -> None:
    old, new = fresh_code(), fresh_code()
    assert client.post(SETUP, form(old)).status_code == 404
    assert client.post(SETUP, form(new)).status_code == 302


def test_there_is_no_link_once_there_is_an_administrator(admin_user: User) -> None:
    assert setup_link("http://127.0.0.1:8000") is None


def test_ordinary_accounts_do_not_stand_in_the_way(user: User) -> None:
    fresh_code()


@pytest.mark.parametrize(
    "change",
    [{"password": "short", "password_again": "short"}, {"password_again": "other"}, {"username": ""}, {"email": "no"}],
)
def test_a_mistake_can_be_corrected(client: Client, change: dict[str, str]) -> None:
    code = fresh_code()
    assert client.post(SETUP, form(code, **change)).status_code == 200
    assert not User.objects.exists()
    assert client.post(SETUP, form(code)).status_code == 302


def test_the_form_needs_its_csrf_token() -> None:
    code = fresh_code()
    assert Client(enforce_csrf_checks=True).post(SETUP, form(code)).status_code == 403
    assert not User.objects.exists()


def test_the_code_is_not_kept_by_caches(client: Client) -> None:
    assert "no-store" in client.get(SETUP, {"code": fresh_code()})["Cache-Control"]

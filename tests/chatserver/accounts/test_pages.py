"""Sign up, in and out, and the way back in."""

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail
from django.test import Client

from chatserver.accounts.models import Invitation, User
from chatserver.accounts.services import create_invitation, create_user

pytestmark = [pytest.mark.urls("tests.support.edge_urls"), pytest.mark.django_db]
SIGNUP, LOGIN, RESET = "/accounts/signup/", "/accounts/login/", "/accounts/password/reset/"
GOOD = "correct horse battery staple"


def form(**changes: str) -> dict[str, str]:
    return {"username": "eve", "email": "", "password1": GOOD, "password2": GOOD} | changes


def sign_in(client: Client, login: str = "ada", password: str = GOOD, **extra: Any) -> Any:
    return client.post(LOGIN, {"login": login, "password": password}, **extra)


def signed_in(client: Client) -> bool:
    return client.get("/page/who").json()["username"] is not None


# --- sign up -------------------------------------------------------------------------------------------------------


def test_anyone_may_sign_up_where_it_is_open(client: Client) -> None:
    answer = client.post(SIGNUP, form())
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert signed_in(client)
    eve = User.objects.get()
    assert (eve.username, eve.email, eve.is_staff, eve.is_superuser) == ("eve", "", False, False)


@pytest.mark.parametrize(
    "change",
    [
        {"username": ""},
        {"username": "x" * 151},
        {"username": "a b"},
        {"username": "a<b>"},
        {"password1": "short", "password2": "short"},
        {"password2": "another good password"},
        {"email": "nonsense"},
    ],
)
def test_a_form_that_breaks_a_rule_makes_no_account(client: Client, change: dict[str, str]) -> None:
    assert client.post(SIGNUP, form(**change)).status_code == 200
    assert not User.objects.exists()


def test_nobody_makes_oneself_staff(client: Client) -> None:
    client.post(SIGNUP, form(is_staff="on", is_superuser="on", role="admin"))
    assert not User.objects.get().is_staff


@pytest.mark.parametrize("name", ["ada", "ADA", "ａｄａ", " ada "])
def test_a_taken_name_stays_its_owners(client: Client, user: User, name: str) -> None:
    assert client.post(SIGNUP, form(username=name)).status_code == 200
    assert User.objects.count() == 1


def test_sign_up_does_not_tell_whose_address_is_known(client: Client, user: User) -> None:
    known = client.post(SIGNUP, form(username="one", email="ada@example.org"))
    unknown = Client().post(SIGNUP, form(username="two", email="new@example.org"))
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"]) == (302, "/")


@pytest.mark.parametrize("address", ["ada@example.org", "ADA@Example.org"])
def test_an_address_that_another_account_has_is_not_kept(client: Client, user: User, address: str) -> None:
    client.post(SIGNUP, form(username="one", email=address))
    assert User.objects.get(username="one").email == ""
    assert not EmailAddress.objects.filter(user__username="one").exists()


def test_an_address_that_waits_for_its_owners_word_is_another_accounts_too(client: Client, user: User) -> None:
    EmailAddress.objects.create(user=user, email="second@example.org", verified=False)
    client.post(SIGNUP, form(username="one", email="second@example.org"))
    assert User.objects.get(username="one").email == ""


def test_a_free_address_is_kept(client: Client, user: User) -> None:
    client.post(SIGNUP, form(username="one", email="One@example.org"))
    assert User.objects.get(username="one").email == "one@example.org"


@pytest.mark.parametrize("policy", ["closed", "invite"])
def test_where_it_is_not_open_nobody_signs_up(client: Client, settings: Any, policy: str) -> None:
    settings.SIGNUP = policy
    page = client.get(SIGNUP).content
    assert b"password1" not in page
    assert b"Ask them for one, or for an invitation." in page
    client.post(SIGNUP, form())
    client.post(SIGNUP, form(invitation="made up"))
    assert not User.objects.exists()


def test_an_invitation_lets_one_person_in(client: Client, settings: Any) -> None:
    settings.SIGNUP = "invite"
    _, code = create_invitation(created_by=None)
    page = client.get(SIGNUP, {"invitation": code}).content.decode()
    assert f'value="{code}"' in page
    assert client.post(SIGNUP, form(invitation=code)).status_code == 302
    assert Invitation.objects.get().used_by == User.objects.get()
    second = Client()
    second.post(f"{SIGNUP}?invitation={code}", form(username="mallory", invitation=code))
    assert User.objects.count() == 1


def test_an_invitation_does_not_open_a_closed_server(client: Client, settings: Any) -> None:
    settings.SIGNUP = "closed"
    _, code = create_invitation(created_by=None)
    client.post(SIGNUP, form(invitation=code))
    assert not User.objects.exists()


def test_a_failed_form_does_not_spend_the_invitation(client: Client, settings: Any) -> None:
    settings.SIGNUP = "invite"
    _, code = create_invitation(created_by=None)
    assert client.post(SIGNUP, form(invitation=code, password2="other")).status_code == 200
    assert Invitation.objects.get().used_at is None


# --- in and out ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["ada", "ADA", "ada@example.org", "Ada@Example.org"])
def test_people_sign_in_by_name_or_address(client: Client, user: User, login: str) -> None:
    assert sign_in(client, login).status_code == 302
    assert signed_in(client)


@pytest.mark.parametrize(
    ("login", "password"), [("ada", "wrong"), ("nobody", GOOD), ("bob@example.org", GOOD), ("ada", "")]
)
def test_a_wrong_name_or_password_does_not(client: Client, user: User, login: str, password: str) -> None:
    assert sign_in(client, login, password).status_code == 200
    assert not signed_in(client)


def test_signing_in_leaves_no_message_for_some_later_page(client: Client, user: User) -> None:
    sign_in(client)
    assert "messages" not in client.cookies


def test_an_inactive_account_does_not_sign_in(client: Client, user: User) -> None:
    User.objects.update(is_active=False)
    sign_in(client)
    assert not signed_in(client)


def test_the_answer_does_not_tell_whether_a_name_exists(client: Client, user: User) -> None:
    def errors(login: str) -> list[str]:
        return list(sign_in(Client(), login, "wrong").context["form"].non_field_errors())

    assert errors("ada") == errors("nobody") != []
    assert errors("ada@example.org") == errors("nobody@example.org") != []


@pytest.mark.parametrize("login", ["ada", "nobody", "ada@example.org", "nobody@example.org", "carol@example.org"])
def test_every_refusal_costs_one_hash(client: Client, user: User, monkeypatch: pytest.MonkeyPatch, login: str) -> None:
    create_user(username="carol@example.org", email="carol@example.org", password=GOOD)
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def counted(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    sign_in(client, login, "wrong password")
    assert hashed == ["wrong password"]


def test_the_session_key_changes_at_sign_in(client: Client, user: User) -> None:
    session = client.session
    session["theme"] = "dark"
    session.save()
    planted = session.session_key
    client.cookies["session"] = planted
    sign_in(client)
    assert client.cookies["session"].value != planted
    assert signed_in(client)
    thief = Client()
    thief.cookies["session"] = planted
    assert not signed_in(thief)


def test_a_session_key_in_the_address_is_not_taken(client: Client, user: User) -> None:
    sign_in(client)
    key = client.cookies["session"].value
    assert not signed_in(Client(QUERY_STRING=f"session={key}&sessionid={key}"))


def test_signing_out_takes_a_post_and_ends_the_session(client: Client, user: User) -> None:
    sign_in(client)
    key = client.cookies["session"].value
    client.get("/accounts/logout/")
    assert signed_in(client)
    client.post("/accounts/logout/")
    client.cookies["session"] = key
    assert not signed_in(client)


@pytest.mark.parametrize(
    ("next", "goes"),
    [
        ("/threads/1", "/threads/1"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("http:///evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("https://testserver.evil.example/", "/"),
        ("http://localhost/", "/"),  # a host of ours, and still not this one
    ],
)
def test_after_signing_in_one_stays_here(client: Client, user: User, next: str, goes: str) -> None:
    answer = client.post(LOGIN, {"login": "ada", "password": GOOD, "next": next})
    assert (answer.status_code, answer["Location"]) == (302, goes)


# --- limits --------------------------------------------------------------------------------------------------------


def test_guessing_is_stopped_and_the_owner_elsewhere_is_not(client: Client, user: User) -> None:
    for _ in range(5):
        sign_in(client, password="wrong")
    sign_in(client)
    assert not signed_in(client)
    owner = Client(REMOTE_ADDR="192.0.2.7")
    sign_in(owner)
    assert signed_in(owner)


def test_a_made_up_address_of_the_client_does_not_help(client: Client, user: User) -> None:
    for number in range(5):
        sign_in(client, password="wrong", headers={"X-Forwarded-For": f"192.0.2.{number}"})
    sign_in(client, headers={"X-Forwarded-For": "192.0.2.99"})
    assert not signed_in(client)


def test_many_addresses_meet_the_wider_limit(user: User, settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login_failed_anywhere": "3/h/key"}
    for number in range(3):
        sign_in(Client(REMOTE_ADDR=f"192.0.2.{number}"), password="wrong")
    late = Client(REMOTE_ADDR="192.0.2.99")
    sign_in(late)
    assert not signed_in(late)


def test_right_passwords_do_not_use_up_the_limit(user: User, settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login_failed_anywhere": "3/h/key"}
    for number in range(6):
        client = Client(REMOTE_ADDR=f"192.0.2.{number}")
        sign_in(client)
        assert signed_in(client)


# --- the way back in -----------------------------------------------------------------------------------------------


def test_a_forgotten_password_is_replaced_by_mail(client: Client, user: User) -> None:
    client.post(RESET, {"email": "Ada@example.org"})
    (message,) = mail.outbox
    assert message.to == ["ada@example.org"]
    link = re.search(r"http://testserver(/accounts/password/reset/key/\S+)", str(message.body))
    assert link
    page = client.get(link[1], follow=True)
    address = page.redirect_chain[-1][0]
    new = "quite another battery"
    assert client.post(address, {"password1": new, "password2": new}).status_code == 302
    assert sign_in(Client(), password=GOOD).status_code == 200
    assert sign_in(Client(), password=new).status_code == 302
    again = Client().get(link[1], follow=True)
    assert b"password1" not in again.content


def test_the_reset_page_does_not_tell_whose_address_is_known(client: Client, user: User) -> None:
    known = client.post(RESET, {"email": "ada@example.org"})
    unknown = client.post(RESET, {"email": "nobody@example.org"})
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert len(mail.outbox) == 2  # both get one, so that neither takes longer


def test_a_verified_address_is_not_shared_by_those_who_only_claim_it(client: Client, user: User) -> None:
    user.emailaddress_set.create(email="ada@example.org", verified=True, primary=True)  # type: ignore[attr-defined]
    client.post(SIGNUP, form(username="claims", email="ada@example.org"))
    mail.outbox.clear()
    Client().post(RESET, {"email": "ada@example.org"})
    (message,) = mail.outbox
    assert "ada" in str(message.body)
    assert "claims" not in str(message.body)


def test_no_secret_of_a_form_is_logged(client: Client, user: User, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(0):
        sign_in(client, password="wrong-canary-password")
        sign_in(client)
        create_user(username="carol", password="carols-canary-password")
    assert "canary" not in caplog.text
    assert GOOD not in caplog.text

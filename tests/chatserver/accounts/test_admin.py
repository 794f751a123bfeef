import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from chatserver.accounts.models import ApiToken, Invitation, User
from chatserver.accounts.principal import principal_of_token

pytestmark = [pytest.mark.urls("tests.support.edge_urls"), pytest.mark.django_db]
TOKENS, INVITATIONS = "/admin/accounts/apitoken/", "/admin/accounts/invitation/"


@pytest.fixture
def root(client: Client, admin_user: User) -> Client:
    client.force_login(admin_user)
    return client


def test_the_administration_signs_in_where_the_limits_are(client: Client) -> None:
    answer = client.get("/admin/login/?next=/admin/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


def test_staff_without_permission_see_nothing(client: Client, staff: User) -> None:
    client.force_login(staff)
    assert client.get("/admin/").status_code == 200
    for page in (TOKENS, INVITATIONS, "/admin/accounts/user/"):
        assert client.get(page).status_code == 403


def test_people_are_not_let_in(client: Client, user: User) -> None:
    client.force_login(user)
    assert client.get("/admin/").status_code in (302, 403)


def test_accounts_are_listed_and_can_be_switched_off(root: Client, user: User) -> None:
    assert b"ada" in root.get("/admin/accounts/user/").content
    assert root.get(f"/admin/accounts/user/{user.pk}/change/").status_code == 200


def test_a_token_is_shown_without_its_digest(root: Client, user: User, token_for: Callable[..., str]) -> None:
    token = token_for(user)
    row = ApiToken.objects.get()
    pages = [root.get(TOKENS), root.get(f"{TOKENS}{row.pk}/change/")]
    for page in pages:
        text = page.content.decode()
        assert row.prefix in text
        assert row.digest not in text
        assert token.split("_", 2)[2] not in text


def test_tokens_are_not_made_or_deleted_here(root: Client, user: User, token_for: Callable[..., str]) -> None:
    token_for(user)
    assert root.get(f"{TOKENS}add/").status_code == 403
    assert root.post(f"{TOKENS}{ApiToken.objects.get().pk}/delete/", {"post": "yes"}).status_code == 403


def test_chosen_tokens_are_revoked(root: Client, user: User, token_for: Callable[..., str]) -> None:
    chosen, other = token_for(user), token_for(user)
    row = ApiToken.objects.get(prefix=chosen.split("_")[1])
    root.post(TOKENS, {"action": "revoke", "_selected_action": [str(row.pk)]})
    assert principal_of_token(chosen) is None
    assert principal_of_token(other) is not None


def test_an_invitation_shows_its_link_once_and_the_link_works(root: Client, settings: object) -> None:
    settings.SIGNUP = "invite"  # type: ignore[attr-defined]
    until = timezone.now().replace(year=2100)
    form = {"note": "for Bob", "expires_at_0": until.date().isoformat(), "expires_at_1": "12:00:00"}
    page = root.post(f"{INVITATIONS}add/", form, follow=True).content.decode()
    link = re.search(r"http://testserver(/accounts/signup/\?invitation=[\w-]+)", page)
    assert link
    assert Invitation.objects.get().note == "for Bob"
    assert link[1] not in root.get(INVITATIONS).content.decode()
    assert b"password1" in Client().get(link[1]).content

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from chatserver.accounts import services
from chatserver.accounts.models import ApiToken, Invitation, SetupCode, User

pytestmark = pytest.mark.django_db
GOOD = "correct horse battery staple"


def test_a_token_is_kept_as_a_digest_only(user: User) -> None:
    row, text = services.create_token(user=user, name="laptop")
    stored = ApiToken.objects.values().get(pk=row.pk)
    secret = text.split("_", 2)[2]
    assert all(secret not in str(value) for value in stored.values())
    assert text.startswith(f"chat_{row.prefix}_")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes"),
        ({"scopes": ["read", "root"]}, "scopes"),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "expires_at"),
        ({"name": "x" * 101}, "name"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(user: User, change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as failure:
        services.create_token(user=user, **change)
    assert field in failure.value.message_dict
    assert not ApiToken.objects.exists()


def test_nobody_has_more_tokens_than_the_bound(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MOST_TOKENS", 2)
    services.create_token(user=user)
    last, _ = services.create_token(user=user)
    with pytest.raises(ValidationError):
        services.create_token(user=user)
    services.revoke_token(last)
    services.create_token(user=user)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"username": ""}, "username"),
        ({"username": "a b"}, "username"),
        ({"username": "x" * 151}, "username"),
        ({"username": "ADA"}, "username"),
        ({"email": "nonsense"}, "email"),
        ({"email": "ADA@example.org"}, "email"),
        ({"password": "password"}, "password"),
        ({"password": "short"}, "password"),
        ({"password": ""}, "password"),
        ({"username": "penelope", "password": "penelope1"}, "password"),
    ],
)
def test_an_account_that_breaks_a_rule_is_refused(user: User, change: dict[str, str], field: str) -> None:
    wanted = {"username": "new", "email": "new@example.org", "password": GOOD} | change
    with pytest.raises(ValidationError) as failure:
        services.create_user(**wanted)  # type: ignore[arg-type]
    assert field in failure.value.message_dict
    assert User.objects.count() == 1


def test_names_are_normalised() -> None:
    assert services.create_user(username=" ａda\u202e ", password=GOOD).username == "ada"


def test_accounts_without_an_address_do_not_collide() -> None:
    services.create_user(username="one", password=GOOD)
    services.create_user(username="two", password=GOOD)


def test_a_superuser_is_staff_and_a_user_is_neither() -> None:
    root = services.create_user(username="root", password=GOOD, is_superuser=True)
    assert root.is_staff
    plain = services.create_user(username="plain", password=GOOD)
    assert not plain.is_staff
    assert not plain.is_superuser


def test_an_invitation_is_spent_once(user: User, other_user: User) -> None:
    row, code = services.create_invitation(created_by=user, note="for Bob")
    assert services.is_open_invitation(code)
    services.redeem_invitation(code=code, user=other_user)
    assert not services.is_open_invitation(code)
    with pytest.raises(services.CodeSpent):
        services.redeem_invitation(code=code, user=user)
    row.refresh_from_db()
    assert row.used_by == other_user


def test_an_old_or_made_up_invitation_is_worth_nothing(user: User) -> None:
    _, code = services.create_invitation(created_by=user, expires_at=timezone.now() - timedelta(seconds=1))
    for wrong in (code, "", "made up"):
        assert not services.is_open_invitation(wrong)
        with pytest.raises(services.CodeSpent):
            services.redeem_invitation(code=wrong, user=user)


def test_codes_are_kept_as_digests_only(user: User) -> None:
    _, invitation = services.create_invitation(created_by=user)
    setup = services.replace_setup_code()
    assert invitation not in str(Invitation.objects.values().get())
    assert setup
    assert setup not in str(SetupCode.objects.values().get())


def test_a_fresh_setup_code_replaces_the_one_before() -> None:
    old, new = services.replace_setup_code(), services.replace_setup_code()
    assert old
    assert new
    assert not services.is_open_setup_code(old)
    assert services.is_open_setup_code(new)


def test_the_setup_code_makes_one_administrator() -> None:
    code = services.replace_setup_code() or ""
    user = services.redeem_setup_code(code=code, username="root", password=GOOD)
    assert user.is_superuser
    with pytest.raises(services.CodeSpent):
        services.redeem_setup_code(code=code, username="root2", password=GOOD)
    assert User.objects.count() == 1


def test_a_bad_password_does_not_spend_the_setup_code() -> None:
    code = services.replace_setup_code() or ""
    with pytest.raises(ValidationError):
        services.redeem_setup_code(code=code, username="root", password="short")
    assert services.redeem_setup_code(code=code, username="root", password=GOOD).is_superuser


def test_any_administrator_ends_the_setup(admin_user: User) -> None:
    assert services.replace_setup_code() is None
    assert not SetupCode.objects.exists()


def test_an_administrator_made_meanwhile_ends_the_setup() -> None:
    code = services.replace_setup_code() or ""
    services.create_user(username="root", password=GOOD, is_superuser=True)
    assert not services.is_open_setup_code(code)
    with pytest.raises(services.CodeSpent):
        services.redeem_setup_code(code=code, username="root2", password=GOOD)

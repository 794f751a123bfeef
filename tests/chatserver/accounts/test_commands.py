import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chatserver.accounts.models import ApiToken, User
from chatserver.accounts.principal import principal_of_token

pytestmark = pytest.mark.django_db
GOOD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _given_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_PASSWORD", GOOD)


def run(*words: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(*words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def refusal(*words: str) -> str:
    with pytest.raises(CommandError) as failure:
        run(*words)
    assert failure.value.returncode == 1
    return str(failure.value)


def test_create_user_takes_the_password_from_the_environment() -> None:
    run("create_user", "ada", "--email", "ada@example.org")
    ada = User.objects.get()
    assert ada.check_password(GOOD)
    assert (ada.email, ada.is_staff, ada.is_superuser) == ("ada@example.org", False, False)


@pytest.mark.parametrize(("option", "staff", "superuser"), [("--staff", True, False), ("--superuser", True, True)])
def test_create_user_gives_the_rights_asked_for(option: str, staff: bool, superuser: bool) -> None:
    run("create_user", "ada", option)
    assert (User.objects.get().is_staff, User.objects.get().is_superuser) == (staff, superuser)


def test_create_user_asks_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAT_PASSWORD")
    answers = iter([GOOD, "something else"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(answers))
    assert "not the same" in refusal("create_user", "ada")
    answers = iter([GOOD, GOOD])
    run("create_user", "ada")
    assert User.objects.get().check_password(GOOD)


@pytest.mark.parametrize("name", ["ada", "ADA"])
def test_a_taken_name_is_named(user: User, name: str) -> None:
    assert "already taken" in refusal("create_user", name)
    assert User.objects.count() == 1


def test_a_weak_password_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_PASSWORD", "short")
    assert "password" in refusal("create_user", "ada")
    assert not User.objects.exists()


def test_create_token_prints_the_token_alone(user: User) -> None:
    out, _ = run("create_token", "ada")
    principal = principal_of_token(out.strip())
    assert out.count("\n") == 1
    assert principal is not None
    assert principal.scopes == {"read", "chat", "manage"}


def test_create_token_takes_scopes_days_and_a_label(user: User) -> None:
    out, _ = run("create_token", "ada", "--scopes", "read, chat", "--days", "3", "--label", "laptop")
    principal = principal_of_token(out.strip())
    token = ApiToken.objects.get()
    assert principal is not None
    assert principal.scopes == {"read", "chat"}
    assert token.name == "laptop"
    assert token.expires_at is not None
    assert (token.expires_at - token.created_at).days in (2, 3)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nobody"], "no account named nobody"),
        (["ada", "--scopes", "root"], "Choose one or more of"),
        (["ada", "--scopes", ""], "Choose one or more of"),
        (["ada", "--days", "0"], "--days"),
    ],
)
def test_create_token_says_what_is_wrong(user: User, words: list[str], says: str) -> None:
    assert says in refusal("create_token", *words)
    assert not ApiToken.objects.exists()


def test_an_inactive_account_gets_no_token(user: User) -> None:
    User.objects.update(is_active=False)
    assert "switched off" in refusal("create_token", "ada")


def test_djangos_own_createsuperuser_works(monkeypatch: Any) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", GOOD)
    run("createsuperuser", "--noinput", "--username", "root", "--email", "root@example.org")
    assert User.objects.get().is_superuser

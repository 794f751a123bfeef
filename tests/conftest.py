"""What every test may want: people, and the tokens of people."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from chatserver.accounts.models import SCOPES, Scope, User
from chatserver.accounts.services import create_token, create_user

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _cheap_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def password() -> str:
    """The password of every person below."""
    return PASSWORD


@pytest.fixture
def user(db: None) -> User:
    return create_user(username="ada", email="ada@example.org", password=PASSWORD)


@pytest.fixture
def other_user(db: None) -> User:
    return create_user(username="bob", email="bob@example.org", password=PASSWORD)


@pytest.fixture
def staff(db: None) -> User:
    """May open the administration, and has no permission in it."""
    return create_user(username="sam", email="sam@example.org", password=PASSWORD, is_staff=True)


@pytest.fixture
def admin_user(db: None) -> User:
    return create_user(username="root", email="root@example.org", password=PASSWORD, is_superuser=True)


@pytest.fixture
def token_for(db: None) -> Callable[..., str]:
    """``token_for(user, scopes)`` gives the text of a fresh token; without scopes it has all."""

    def make(user: User, scopes: Iterable[Scope] = SCOPES) -> str:
        return create_token(user=user, name="test", scopes=scopes)[1]

    return make

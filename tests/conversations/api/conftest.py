from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client


@pytest.fixture
def api(token_for: Callable[..., str]) -> Callable[..., Client]:
    """``api(user, scopes)`` is a client with a token of that person's."""

    def make(person: Any, *scopes: Any) -> Client:
        token = token_for(person, scopes) if scopes else token_for(person)
        client = Client(headers={"Authorization": f"Bearer {token}"})
        client.get("/api/v1/threads")  # the token's first use is noted, which would be counted as queries below
        return client

    return make


@pytest.fixture
def browser() -> Callable[..., Client]:
    """A signed-in browser, which sends a session cookie and is held to CSRF."""

    def make(person: Any) -> Client:
        client = Client(enforce_csrf_checks=True)
        client.force_login(person)
        return client

    return make

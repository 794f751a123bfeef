import time
from collections.abc import Callable

import pytest
from django.db import connection, connections

from chatserver.accounts.models import ApiToken, User
from chatserver.accounts.principal import principal_of_token


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite has one lock for all writers")
def test_a_held_write_lock_delays_nobody_with_a_token(user: User, token_for: Callable[..., str]) -> None:
    token = token_for(user)
    holder = connections.create_connection("default")
    holder.connect()
    try:
        with holder.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert principal_of_token(token) is not None
        assert time.monotonic() - began < 1
        assert ApiToken.objects.get().last_used_at is None
    finally:
        holder.connection.rollback()
        holder.close()
    principal_of_token(token)
    assert ApiToken.objects.get().last_used_at is not None


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "sqlite", reason="a setting of SQLite")
def test_the_usual_patience_comes_back(user: User, token_for: Callable[..., str]) -> None:
    with connection.cursor() as cursor:
        before = cursor.execute("PRAGMA busy_timeout").fetchone()
        principal_of_token(token_for(user))
        assert cursor.execute("PRAGMA busy_timeout").fetchone() == before
    assert before[0] > 0

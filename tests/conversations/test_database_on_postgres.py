"""What PostgreSQL undoes in favour of others is tried again, and its limits are those that were set."""

import threading
from functools import partial
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection

from conversations import database
from conversations.database import storage_error, verb
from conversations.models import Thread
from tests.support.stored import thread_of
from tests.support.together import together

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def shown(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return str(cursor.fetchone()[0])


def undone() -> OperationalError:
    """As Django raises it."""
    fault = OperationalError("deadlock detected")
    fault.__cause__ = psycopg.errors.DeadlockDetected()
    return fault


def test_statements_and_locks_have_their_time_and_commits_are_durable() -> None:
    assert (shown("statement_timeout"), shown("lock_timeout")) == ("30s", "10s")
    assert shown("synchronous_commit") == "on"


def test_of_two_that_lock_each_other_out_both_are_done(user: Any) -> None:
    one, two = thread_of(user), thread_of(user)
    both_hold_one = threading.Barrier(2)
    calls: list[str] = []

    @verb
    def rename(first: Thread, second: Thread, title: str) -> None:
        calls.append(title)
        Thread.objects.filter(pk=first.pk).update(title=title)
        if len(calls) <= 2:
            both_hold_one.wait(timeout=10)
        Thread.objects.filter(pk=second.pk).update(title=title)

    assert together([partial(rename, one, two, "a"), partial(rename, two, one, "b")]) == [None, None]
    assert sorted(calls) in (["a", "a", "b"], ["a", "b", "b"])
    assert Thread.objects.get(pk=one.pk).title == Thread.objects.get(pk=two.pk).title


def test_what_is_undone_every_time_is_told_after_three_tries(user: Any) -> None:
    calls: list[int] = []

    @verb
    def unlucky() -> None:
        calls.append(1)
        raise undone()

    with pytest.raises(OperationalError) as told:
        unlucky()
    assert len(calls) == database.TRIES == 3
    assert storage_error(told.value).status == 503


def test_a_verb_in_a_verb_is_tried_again_with_the_whole(user: Any) -> None:
    calls: list[str] = []

    @verb
    def inner() -> None:
        calls.append("inner")
        if len(calls) < 3:
            raise undone()

    @verb
    def outer() -> None:
        calls.append("outer")
        inner()

    outer()
    assert calls == ["outer", "inner", "outer", "inner"]


def test_any_other_fault_is_told_at_once(user: Any) -> None:
    calls: list[int] = []

    @verb
    def locked() -> None:
        calls.append(1)
        raise OperationalError("canceling statement due to lock timeout")

    with pytest.raises(OperationalError):
        locked()
    assert len(calls) == 1

"""Writers that wait for somebody else's lock give up in time, and leave threads to the readers."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, connection

from conversations import database
from conversations.database import impatient, writing
from conversations.line import Line
from conversations.models import Thread
from tests.support.stored import thread_of
from tests.support.together import together

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'sqlite'", reason="one writer at a time is SQLite's"),
]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_line", Line(places=2, patience=1.0, grace=0.1))


@pytest.fixture
def another() -> Iterator[sqlite3.Connection]:
    """Another process's connection, which holds the write lock."""
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


def for_a_request(act: Callable[[], Any]) -> tuple[Any, float]:
    """What came of it, and how long it took."""
    begun = time.monotonic()
    try:
        with impatient():
            outcome = act()
    except OperationalError as fault:
        outcome = fault
    return outcome, time.monotonic() - begun


def test_a_request_that_cannot_write_is_told_so_in_time(user: Any, another: sqlite3.Connection) -> None:
    outcome, took = for_a_request(partial(thread_of, user))
    assert isinstance(outcome, OperationalError)
    assert database.storage_error(outcome).status == 503
    assert 0.9 < took < 2.5


def test_a_request_goes_on_where_the_lock_is_let_go_in_time(user: Any) -> None:
    def hold() -> None:
        with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(0.5)

    def write() -> tuple[Any, float]:
        time.sleep(0.1)
        return for_a_request(partial(thread_of, user))

    _, (made, _) = together([hold, write])
    assert made == Thread.objects.get()


def test_few_wait_and_the_others_are_told_at_once(user: Any, another: sqlite3.Connection) -> None:
    outcomes = together([partial(for_a_request, partial(thread_of, user)) for _ in range(8)])
    assert all(isinstance(outcome, OperationalError) for outcome, _ in outcomes)
    assert sum(took > 0.8 for _, took in outcomes) == 2
    assert sum(took < 0.6 for _, took in outcomes) == 6


def test_readers_do_not_wait_for_it(user: Any, another: sqlite3.Connection) -> None:
    outcome, took = for_a_request(Thread.objects.count)
    assert (outcome, took < 0.3) == (0, True)


def test_a_burst_of_short_writes_is_refused_nothing(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_line", Line(places=1, patience=20, grace=1.0))
    outcomes = together([partial(for_a_request, partial(thread_of, user)) for _ in range(30)])
    assert all(isinstance(outcome, Thread) for outcome, _ in outcomes)


def test_a_long_burst_is_no_reason_to_leave_as_long_as_somebody_writes(
    user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_line", Line(places=1, patience=20, grace=0.5))

    def slow() -> bool:
        with writing():
            time.sleep(0.2)
        return True

    outcomes = together([partial(for_a_request, slow) for _ in range(6)])
    assert [outcome for outcome, _ in outcomes] == [True] * 6


def test_one_slow_write_of_this_process_is_no_reason_to_leave(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_line", Line(places=1, patience=20, grace=0.1))

    def slow() -> bool:
        with writing():
            time.sleep(0.8)
        return True

    outcomes = together([partial(for_a_request, slow) for _ in range(4)])
    assert [outcome for outcome, _ in outcomes] == [True] * 4


def test_what_is_not_a_requests_has_the_patience_it_names(user: Any) -> None:
    def hold() -> None:
        with writing():
            time.sleep(0.6)

    def write(patience: float) -> None:
        time.sleep(0.2)
        with writing(patience=patience):
            pass

    _, short, long = together([hold, partial(write, 0.1), partial(write, 5.0)])
    assert isinstance(short, OperationalError)
    assert long is None


def test_the_usual_patience_is_back_after_a_requests_write(user: Any) -> None:
    def usual() -> int:
        with connection.cursor() as cursor:
            return int(cursor.execute("PRAGMA busy_timeout").fetchone()[0])

    before = usual()
    for_a_request(partial(thread_of, user))
    assert usual() == before > 5000


def test_a_requests_own_connection_waits_no_longer_for_what_is_no_verb(user: Any) -> None:
    connection.close()
    with impatient(), connection.cursor() as cursor:
        assert cursor.execute("PRAGMA busy_timeout").fetchone()[0] == 5000
    connection.close()

"""The feed's numbers, with many who write it at once and one who reads."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from conversations import selectors
from conversations.models import FeedEvent
from conversations.ports import RowEventStore, ports
from conversations.services import feed
from conversations.services.run_cancel import cancel_run
from conversations.services.threads import update_thread
from streaming.protocol.codec import Entry
from tests.support.stored import answer, ask, thread_of
from tests.support.together import together

pytestmark = pytest.mark.django_db(transaction=True)
EACH = 6
read = partial(selectors.feed_after, most=5, most_bytes=100_000)


class Reader(threading.Thread):
    """Polls a feed without a pause, and writes down what it was given."""

    def __init__(self, user: Any) -> None:
        super().__init__()
        self.user = user
        self.seen: list[Entry] = []
        self.over = threading.Event()

    def run(self) -> None:
        try:
            while True:
                last_look = self.over.is_set()
                piece = read(user_id=self.user.pk, after=self.seen[-1].id if self.seen else 0)
                self.seen += piece.entries
                if last_look and not piece.entries:
                    return
        finally:
            connection.close()


def busy(user: Any, name: str) -> Callable[[], None]:
    """One writer: every kind of verb, in threads of its own and in one that it shares with nobody."""

    def write() -> None:
        for number in range(EACH):
            thread = thread_of(user, title=f"{name} {number}")
            update_thread(thread=thread, changes={"pinned": True})
            run = ask(user, thread=thread).run
            answer(run) if number % 2 else cancel_run(run=run, by="user", reason="requested")

    return write


def test_a_reader_beside_many_writers_sees_every_number_once_and_in_order(user: Any, other_user: Any) -> None:
    reader = Reader(user)
    reader.start()
    faults = together([*(busy(user, f"w{n}") for n in range(5)), busy(other_user, "elsewhere")])
    reader.over.set()
    reader.join(timeout=60)
    assert [fault for fault in faults if fault is not None] == []
    told = 5 * EACH * 5  # created, updated, updated again by the run, its beginning, its end
    assert [entry.id for entry in reader.seen] == list(range(1, told + 1))
    stored = FeedEvent.objects.filter(user=user).order_by("number").values_list("text", flat=True)
    assert [entry.text for entry in reader.seen] == list(stored)


def test_an_event_is_not_seen_before_those_with_lower_numbers_are(user: Any) -> None:
    """A writer that is late with its commit keeps the next number from being taken."""
    feed.record(user.pk, "thread.deleted", {"thread_id": "first"})
    taken, commit = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            feed.record(user.pk, "thread.deleted", {"thread_id": "slow"})
            taken.set()
            assert commit.wait(20)

    def fast() -> None:
        assert taken.wait(20)
        threading.Timer(0.3, commit.set).start()
        with transaction.atomic():
            feed.record(user.pk, "thread.deleted", {"thread_id": "fast"})
        assert [entry.id for entry in read(user_id=user.pk, after=1).entries] == [2, 3]

    assert together([slow, fast]) == [None, None]
    told = [json.loads(entry.text)["data"]["thread_id"] for entry in read(user_id=user.pk, after=0).entries]
    assert told == ["first", "slow", "fast"]


def test_a_verb_that_fails_takes_no_number(user: Any) -> None:
    def fail() -> None:
        with transaction.atomic():
            feed.record(user.pk, "thread.deleted", {"thread_id": "never"})
            raise RuntimeError

    together([fail, fail])
    assert feed.record(user.pk, "thread.deleted", {"thread_id": "first"}) == 1


def test_the_bell_rings_after_the_commit_with_what_was_written(user: Any) -> None:
    rung: list[tuple[Any, list[Entry], bool]] = []
    ports.connect(
        event_store=RowEventStore(),
        bell=lambda run_id, entries: None,
        feed_bell=lambda user_id, entries: rung.append((user_id, list(entries), connection.in_atomic_block)),
    )
    try:
        thread_of(user)
    finally:
        ports.disconnect()
    (entry,) = read(user_id=user.pk, after=0).entries
    assert rung == [(user.pk, [entry], False)]


def test_what_pruning_leaves_has_no_hole_though_a_clock_was_ahead(user: Any) -> None:
    for _ in range(4):
        feed.record(user.pk, "thread.deleted", {"thread_id": "x"})
    old = timezone.now() - timedelta(hours=25)
    FeedEvent.objects.filter(number__in=[1, 3]).update(created_at=old)
    feed.prune(most=10)
    assert [entry.id for entry in read(user_id=user.pk, after=0).entries] == [4]


def test_a_name_or_data_that_the_protocol_does_not_know_is_not_written(user: Any) -> None:
    for event, data in (("thread.renamed", {"thread_id": "x"}), ("thread.deleted", {"thread": "x"})):
        with pytest.raises((KeyError, AssertionError)):
            feed.record(user.pk, event, data)

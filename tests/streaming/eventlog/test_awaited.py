"""A run that begins here is kept for whoever asked for it, who then need not ask the log."""

from typing import Any
from uuid import UUID

import pytest

from streaming.eventlog import tailer as tailers
from streaming.eventlog.tailer import Tailer
from streaming.protocol.codec import Entry

RUN = UUID(int=1)


def entries(first: int, last: int) -> list[Entry]:
    return [Entry(number, f"{{{number}}}") for number in range(first, last + 1)]


@pytest.fixture
def tailer() -> Tailer:
    nobody_asks_it: Any = object()
    return Tailer(event_log=nobody_asks_it)


def test_its_first_reader_has_all_of_it_at_hand(tailer: Tailer) -> None:
    tailer.published(RUN, entries(1, 3))
    tailer.published(RUN, entries(4, 4))
    whole = tailer.at_hand(RUN, 0)
    assert whole is not None
    assert (whole.first, whole.head) == (1, 4)
    with tailer.subscribe(RUN) as subscription:
        assert subscription.recent(0) == entries(1, 4)
        assert subscription.recent(4) == []


def test_a_run_that_is_not_seen_from_its_beginning_must_be_asked_for(tailer: Tailer) -> None:
    tailer.published(RUN, entries(4, 5))
    assert tailer.at_hand(RUN, 0) is None
    with tailer.subscribe(RUN) as subscription:
        assert subscription.recent(0) is None
        tailer.published(RUN, entries(6, 6))
        assert tailer.at_hand(RUN, 0) is None


def test_what_nobody_reads_is_not_asked_about(tailer: Tailer) -> None:
    tailer.published(RUN, entries(1, 3))
    assert tailer.followed == set()
    with tailer.subscribe(RUN):
        assert tailer.followed == {RUN}
        assert tailer.followed_anew.is_set()
    assert tailer.followed == set()


def test_it_is_kept_for_so_long(tailer: Tailer, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(tailers.time, "monotonic", lambda: now)
    tailer.published(RUN, entries(1, 3))
    now += tailers.AWAITED - 0.1
    tailer.await_no_longer()
    assert tailer.at_hand(RUN, 0) is not None
    with tailer.subscribe(RUN) as subscription:
        now += 0.2
        tailer.await_no_longer()
        assert subscription.recent(0) == entries(1, 3)  # who came in time keeps it
        tailer.published(RUN, entries(4, 4))
        assert subscription.recent(3) == entries(4, 4)
    assert tailer.at_hand(RUN, 0) is None


def test_it_is_kept_for_so_many(tailer: Tailer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tailers, "AWAITED_AT_ONCE", 2)
    runs = [UUID(int=number) for number in range(1, 4)]
    for run in runs:
        tailer.published(run, entries(1, 3))
    assert [tailer.at_hand(run, 0) is not None for run in runs] == [False, True, True]


def test_a_run_that_has_ended_is_awaited_by_nobody(tailer: Tailer) -> None:
    end = Entry(4, '{"event":"thread.run.completed","id":4,"data":{}}')
    tailer.published(RUN, [*entries(1, 3), end])
    assert tailer.at_hand(RUN, 0) is None
    with tailer.subscribe(RUN) as subscription:
        tailer.published(RUN, [*entries(1, 3), end])
        assert subscription.recent(3) == [end]


def test_who_comes_back_needs_the_log_only_where_something_is_missing_here(tailer: Tailer) -> None:
    with tailer.subscribe(RUN) as subscription:
        tailer.published(RUN, entries(4, 6))
        assert [tailer.at_hand(RUN, after) is not None for after in range(9)] == [False] * 3 + [True] * 4 + [False] * 2
        there = tailer.at_hand(RUN, 4)
        assert there is not None
        assert (there.first, there.head, there.backlog_bytes) == (4, 6, len("{5}{6}"))
        # Another reader has read further in the log itself: what lies between is not here.
        tailer._channels[RUN].reached(9)
        assert tailer.at_hand(RUN, 5) is None
        assert subscription.recent(9) == []

from hypothesis import given
from hypothesis import strategies as st

from streaming.eventlog.ring import Ring
from streaming.protocol.codec import Entry


def entries(first: int, last: int, text: str = "x" * 10) -> list[Entry]:
    return [Entry(number, text) for number in range(first, last + 1)]


def after(ring: Ring, cursor: int, most: int = 100, most_bytes: int = 10**6) -> list[int] | None:
    found = ring.after(cursor, most=most, most_bytes=most_bytes)
    return None if found is None else [entry.id for entry in found]


def test_an_empty_ring_sends_its_reader_to_the_log():
    assert after(Ring(), 0) is None


def test_what_follows_the_cursor_is_given_in_order():
    ring = Ring()
    ring.extend(entries(1, 5))
    assert after(ring, 0) == [1, 2, 3, 4, 5]
    assert after(ring, 3) == [4, 5]
    assert after(ring, 5) == []
    assert after(ring, 9) == []


def test_a_cursor_before_the_oldest_entry_is_out_of_reach():
    ring = Ring()
    ring.extend(entries(4, 6))
    assert after(ring, 2) is None
    assert after(ring, 3) == [4, 5, 6]


def test_entries_it_has_already_are_dropped_and_not_called_new():
    ring = Ring()
    assert ring.extend(entries(1, 3))
    assert not ring.extend(entries(2, 3))
    assert ring.extend(entries(3, 4))
    assert after(ring, 0) == [1, 2, 3, 4]


def test_after_a_gap_it_begins_anew_rather_than_hiding_it():
    ring = Ring()
    ring.extend(entries(1, 3))
    ring.extend(entries(7, 8))
    assert after(ring, 3) is None
    assert after(ring, 6) == [7, 8]


def test_a_reader_takes_no_more_than_it_asked_for_but_always_one():
    ring = Ring()
    ring.extend(entries(1, 5))
    assert after(ring, 0, most=2) == [1, 2]
    assert after(ring, 0, most_bytes=25) == [1, 2]
    assert after(ring, 0, most_bytes=1) == [1]


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 6)), max_size=30), st.integers(0, 40))
def test_whatever_comes_it_is_bounded_and_has_no_gap(pieces: list[tuple[int, int]], cursor: int):
    ring = Ring(most=8, most_bytes=60)
    for first, length in pieces:
        ring.extend(entries(first, first + length))
        found = after(ring, cursor)
        if found:
            assert found == list(range(cursor + 1, cursor + 1 + len(found)))
            assert len(found) <= 8
            assert found[-1] == ring.head

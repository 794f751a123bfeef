import pytest

from streaming.protocol.errors import InvalidRequest
from streaming.transports.credit import UNACKNOWLEDGED_BYTES, WINDOW_BYTES, WINDOW_EVENTS, Credit

SMALL = 100


def sent(credit: Credit, *, most: int, size: int = SMALL) -> int:
    """How many further events the credit allows, of at most so many."""
    for count in range(most):
        if not credit.allows(size):
            return count
        credit.spend(credit.head + 1, size)
    return most


def test_a_client_that_acknowledges_gets_a_thousand_events_beyond_and_no_more():
    credit = Credit(after=0)
    sent(credit, most=5)
    credit.acknowledge(5)
    assert sent(credit, most=5000) == WINDOW_EVENTS == 1000
    assert sent(credit, most=1) == 0
    credit.acknowledge(15)
    assert sent(credit, most=5000) == 10
    credit.acknowledge(credit.head)
    assert sent(credit, most=5000) == 1000


def test_or_two_mebibytes():
    credit = Credit(after=0)
    credit.spend(1, SMALL)
    credit.acknowledge(1)
    assert sent(credit, most=100, size=WINDOW_BYTES // 8) == 8
    assert not credit.allows(1)
    credit.acknowledge(2)
    assert credit.allows(WINDOW_BYTES // 8)
    assert not credit.allows(WINDOW_BYTES // 8 + 1)


def test_an_event_larger_than_the_window_goes_alone():
    credit = Credit(after=0)
    credit.acknowledge(0)
    assert credit.allows(2 * WINDOW_BYTES)
    credit.spend(1, 2 * WINDOW_BYTES)
    assert not credit.allows(1)
    credit.acknowledge(1)
    assert credit.allows(1)


def test_a_client_that_never_acknowledges_is_overdrawn_after_four_mebibytes():
    credit = Credit(after=0)
    assert sent(credit, most=4, size=UNACKNOWLEDGED_BYTES // 4) == 4
    assert not credit.is_overdrawn
    credit.spend(5, 1)
    assert credit.is_overdrawn
    assert credit.allows(SMALL)


def test_one_that_acknowledges_never_is():
    credit = Credit(after=0)
    for _ in range(10):
        credit.spend(credit.head + 1, UNACKNOWLEDGED_BYTES)
        credit.acknowledge(credit.head)
    assert not credit.is_overdrawn


def test_a_first_acknowledgement_that_comes_late_counts_what_is_beyond_it():
    credit = Credit(after=0)
    sent(credit, most=3000)
    credit.acknowledge(10)
    assert not credit.allows(SMALL)
    credit.acknowledge(2500)
    assert sent(credit, most=5000) == 500


def test_what_was_acknowledged_before_changes_nothing():
    credit = Credit(after=0)
    sent(credit, most=10)
    credit.acknowledge(8)
    room = Credit(after=0)
    sent(room, most=10)
    room.acknowledge(8)
    for id in (8, 3, 0):
        room.acknowledge(id)
    assert sent(room, most=5000) == sent(credit, most=5000) == 998


def test_what_was_not_sent_cannot_be_acknowledged():
    credit = Credit(after=7)
    for id in (8, 10**15):
        with pytest.raises(InvalidRequest):
            credit.acknowledge(id)
    credit.spend(8, SMALL)
    credit.acknowledge(8)
    assert sent(credit, most=5000) == 1000


def test_a_snapshot_counts_as_one_event_however_far_it_leads():
    credit = Credit(after=0)
    credit.acknowledge(0)
    credit.spend(5000, SMALL)
    assert sent(credit, most=5000) == 999

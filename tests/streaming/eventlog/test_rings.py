"""What processes tell each other has no room for anything but ids, numbers and truth values."""

from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streaming.eventlog.rings import Rings, unpacked

ids = st.uuids()
numbers = st.integers(min_value=0, max_value=2**63)
numbered = st.dictionaries(ids, numbers, max_size=20)


@st.composite
def some_rings(draw: st.DrawFn) -> Rings:
    wishes = dict.fromkeys(draw(st.lists(ids, max_size=5, unique=True)), 0)
    return Rings(
        runs=draw(numbered),
        feeds=draw(numbered),
        wishes=wishes,
        claims=draw(st.booleans()),
        rights=draw(st.booleans()),
        servers=draw(st.booleans()),
    )


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some_rings())
def test_what_is_packed_comes_out_as_it_was(rings: Rings) -> None:
    assert unpacked(rings.packed()) == rings


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some_rings())
def test_nothing_but_ids_numbers_and_truth_values_fits_in(rings: Rings) -> None:
    packed = rings.packed()
    assert {name: type(value) for name, value in packed.items()} == {
        "runs": bytes,
        "feeds": bytes,
        "wishes": bytes,
        "claims": bool,
        "rights": bool,
        "servers": bool,
    }
    assert len(packed["runs"]) == 24 * len(rings.runs)
    assert len(packed["feeds"]) == 24 * len(rings.feeds)
    assert len(packed["wishes"]) == 16 * len(rings.wishes)


def test_a_text_in_the_place_of_a_number_is_refused() -> None:
    rings = Rings(runs={uuid4(): "Hello"})  # type: ignore[dict-item]
    with pytest.raises(Exception, match="argument"):
        rings.packed()


def test_of_a_run_only_the_furthest_is_told() -> None:
    rings, run = Rings(), uuid4()
    for head in (3, 9, 5):
        rings.run(run, head)
    assert rings.runs == {run: 9}


def test_what_does_not_fit_is_dropped_and_what_is_there_still_moves() -> None:
    rings = Rings(most=2)
    first, second, third = UUID(int=1), UUID(int=2), UUID(int=3)
    for run, head in ((first, 1), (second, 1), (third, 1), (first, 7)):
        rings.run(run, head)
    assert (rings.runs, rings.dropped) == ({first: 7, second: 1}, 1)


def test_what_a_newer_process_says_besides_is_passed_over_and_what_an_older_leaves_out_is_nothing() -> None:
    assert unpacked({"type": "rings", "by": "node", "claims": True, "weather": "fine"}) == Rings(claims=True)


@pytest.mark.parametrize("runs", [b"short", "text", 5, None])
def test_what_is_no_rings_is_refused(runs: object) -> None:
    with pytest.raises(ValueError, match="no rings"):
        unpacked({"runs": runs})


def test_nothing_rang_is_false() -> None:
    assert not Rings()
    assert Rings(rights=True)
    assert Rings(wishes={uuid4(): 0})

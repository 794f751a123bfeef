from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations.selectors import Load, Place
from streaming.engine.queue import estimate_ms, shares


def load(server: str, *, waiting: int, running: int = 0, most: int | None = None) -> Load:
    return Load(server=server, waiting=waiting, running=running, max_parallel=most)


def test_all_that_waits_is_taken_where_there_is_room() -> None:
    assert shares([load("a", waiting=3), load("b", waiting=2)], room=64, max_parallel=0) == {"a": 3, "b": 2}


def test_no_more_is_taken_than_there_is_room_for() -> None:
    assert shares([load("a", waiting=30)], room=4, max_parallel=0) == {"a": 4}


def test_a_server_that_has_what_it_may_have_gets_nothing_and_holds_up_no_other() -> None:
    full, over = load("full", waiting=500, running=2, most=2), load("over", waiting=9, running=5, most=2)
    assert shares([full, over, load("free", waiting=1)], room=1, max_parallel=0) == {"free": 1}


def test_the_server_with_the_fewest_at_work_comes_first() -> None:
    busy, idle = load("busy", waiting=500, running=9), load("idle", waiting=500, running=7)
    assert shares([busy, idle], room=4, max_parallel=0) == {"idle": 3, "busy": 1}


@pytest.mark.parametrize(("own", "usual", "taken"), [(None, 2, 2), (3, 2, 3), (0, 2, 9), (None, 0, 9), (1, 0, 1)])
def test_a_bound_of_its_own_stands_above_the_usual_one_and_0_is_none(own: int | None, usual: int, taken: int) -> None:
    assert shares([load("a", waiting=9, most=own)], room=64, max_parallel=usual) == {"a": taken}


LOADS = st.lists(
    st.builds(
        Load,
        server=st.sampled_from("abcde"),
        waiting=st.integers(1, 99),
        running=st.integers(0, 20),
        max_parallel=st.none() | st.integers(0, 9),
    ),
    unique_by=lambda load: load.server,
)


@given(loads=LOADS, room=st.integers(0, 64), usual=st.integers(0, 5))
def test_room_is_used_up_and_no_bound_is_broken(loads: list[Load], room: int, usual: int) -> None:
    given = shares(loads, room=room, max_parallel=usual)
    possible = 0
    for load in loads:
        bound = usual if load.max_parallel is None else load.max_parallel
        most = min(load.waiting, max(0, bound - load.running)) if bound else load.waiting
        assert given.get(load.server, 0) <= most
        possible += most
    assert sum(given.values()) == min(room, possible)


def place(position: int, *, running: int = 1, took: float | None = 10.0) -> Place:
    ids = {"run_id": UUID(int=1), "thread_id": UUID(int=2)}
    return Place(**ids, lasting=True, position=position, running=running, took=took)


@pytest.mark.parametrize(
    ("waits", "milliseconds"),
    [
        (place(1), 10_000),
        (place(3), 30_000),
        (place(3, running=2), 15_000),
        (place(1, took=0.2), 1_000),
        (place(1, took=7.4), 7_000),
        (place(1, took=43.0), 45_000),
        (place(1, took=100.0), 90_000),
        (place(10, took=100.0), 1_020_000),
        (place(1, took=None), None),
        (place(1, running=0), None),
    ],
)
def test_an_estimate_is_made_of_what_is_known_and_rounded(waits: Place, milliseconds: int | None) -> None:
    assert estimate_ms(waits) == milliseconds

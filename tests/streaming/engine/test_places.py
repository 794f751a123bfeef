"""Who has a place in a process, one rule at a time."""

from conversations.selectors import Load
from streaming.engine.places import Places


def waiting(runs: int) -> list[Load]:
    return [Load(server="ollama", max_parallel=None, running=0, waiting=runs)] if runs else []


def places(capacity: int = 3, *, workers: int = 0, in_line: int = 0) -> Places:
    """Of a process that has just looked at the line, and taken what it could."""
    found = Places(capacity, workers=range(workers))
    found.look(found.free)
    shared = found.share_out(waiting(in_line), room=found.free, max_parallel=0)
    got = sum(shared.values())
    found.promised_no_more()
    found.claimed(wanted=got, got=got)
    return found


def test_a_process_that_never_looked_keeps_no_place_for_what_is_new() -> None:
    assert not Places(3, workers=()).keep(1)


def test_where_nobody_waits_a_place_is_kept_for_what_is_new_until_it_is_given_back() -> None:
    some = places(3, workers=1)
    assert some.keep(2)
    assert (some.free, some.some_are_kept) == (0, True)
    some.give_back(2)
    assert (some.free, some.some_are_kept) == (2, False)


def test_all_runs_of_a_question_have_a_place_or_none_has() -> None:
    some = places(3)
    assert not some.keep(4)
    assert some.free == 3


def test_who_did_not_fit_waits_and_nobody_overtakes_before_the_next_look() -> None:
    some = places(3)
    assert not some.keep(4)
    assert not some.keep(1)
    some.share_out([], room=3, max_parallel=0)
    some.claimed(wanted=0, got=0)
    assert some.keep(1)


def test_those_that_wait_come_before_what_is_new() -> None:
    assert not places(2, in_line=5).keep(1)


def test_what_is_promised_is_not_given_away() -> None:
    some = places(3)
    some.share_out(waiting(2), room=3, max_parallel=0)
    assert some.free == 1
    some.promised_no_more()
    assert some.free == 3


def test_what_was_given_away_during_a_look_is_not_promised() -> None:
    some = places(3)
    some.look(3)
    assert some.keep(2)
    assert sum(some.share_out(waiting(3), room=3, max_parallel=0).values()) == 1


def test_a_full_look_may_have_left_some_behind() -> None:
    some = Places(2, workers=())
    some.look(2)
    some.share_out(waiting(5), room=2, max_parallel=0)
    assert some.claimed(wanted=2, got=2)
    assert some.somebody_may_wait
    some.promised_no_more()
    some.share_out(waiting(1), room=2, max_parallel=0)
    assert not some.claimed(wanted=1, got=1)
    assert not some.somebody_may_wait


def test_one_without_room_does_not_know_who_waits() -> None:
    some = places(3)
    some.lost_sight()
    assert some.somebody_may_wait
    assert not some.keep(1)

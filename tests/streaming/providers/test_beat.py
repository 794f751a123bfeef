"""Those who wait for one moment wake together; nobody waits longer than an interval."""

import asyncio

import pytest

from streaming.providers.beat import Beat

INTERVAL = 0.04


async def test_those_who_come_shortly_after_one_another_wake_in_one_turn_of_the_loop():
    loop, beat = asyncio.get_running_loop(), Beat(INTERVAL)
    turns: list[int] = []
    turn = 0

    def count() -> None:
        nonlocal turn
        turn += 1
        loop.call_later(0.001, count)

    async def wait(number: int) -> None:
        struck = beat.strike(number)
        assert struck is not None
        await struck
        turns.append(turn)

    count()
    number = beat.number_after(loop.time())
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(wait(number))
    assert len(set(turns)) == 1
    assert len(turns) == 20


@pytest.mark.parametrize("moment", [0.0, 1.0, 1.001, 1.0099, 1.01, 123456.789])
def test_a_strike_is_at_most_an_interval_away_and_at_least_half_of_one(moment: float):
    beat = Beat(INTERVAL)
    away = beat.number_after(moment) * INTERVAL / 2 - moment
    assert 0.5 * INTERVAL - 1e-6 <= away <= INTERVAL + 1e-6


def test_who_is_woken_a_hair_before_a_strike_waits_for_a_whole_interval():
    beat = Beat(INTERVAL)
    for strike in (50, 51, 61_727_901):
        at = strike * INTERVAL / 2
        assert beat.number_after(at - 0.0005) == beat.number_after(at + 0.0005) == strike + 2


async def test_a_strike_that_has_passed_is_not_waited_for():
    beat = Beat(INTERVAL)
    assert beat.strike(1) is None
    assert beat._waiting == {}


async def test_who_is_cancelled_keeps_nobody_from_waking():
    loop, beat = asyncio.get_running_loop(), Beat(INTERVAL)
    number = beat.number_after(loop.time())
    leaving, staying = beat.strike(number), beat.strike(number)
    assert leaving is not None
    assert staying is not None
    leaving.cancel()
    async with asyncio.timeout(1):
        await staying
    assert beat._waiting == {}


def away(beat: Beat, moment: float = 1000.0) -> float:
    """In intervals."""
    return (beat.number_after(moment) * INTERVAL / 2 - moment) / INTERVAL


def test_strikes_that_come_late_are_waited_for_longer_and_those_in_time_as_before():
    beat = Beat(INTERVAL)
    for _ in range(8):
        beat.came(INTERVAL / 2)
    assert 1.5 < away(beat) <= 2.2
    for _ in range(100):
        beat.came(INTERVAL)
    assert 3.49 < away(beat) < 4.01
    for _ in range(100):
        beat.came(INTERVAL / 8)
    assert 0.49 < away(beat) < 1.01


async def test_a_loop_that_is_kept_busy_stretches_the_beat():
    loop, beat = asyncio.get_running_loop(), Beat(INTERVAL)
    for _ in range(8):
        number = beat.number_after(loop.time())
        waiting = beat.strike(number)
        assert waiting is not None
        while loop.time() < (number + 1) * INTERVAL / 2:  # on purpose: nothing else can run meanwhile
            pass
        await waiting
    assert away(beat) > 1.5

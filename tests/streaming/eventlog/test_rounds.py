"""Everybody's turn once an interval, and in between that of those for whom a bell rang."""

import asyncio

from streaming.eventlog.rounds import GATHER, Rounds

LONG = 30.0


async def test_a_ring_brings_the_turn_of_those_that_rang_within_a_moment() -> None:
    rounds = Rounds[str](interval=LONG)
    turn = asyncio.ensure_future(rounds.turn())
    await asyncio.sleep(0)
    rounds.ring("a")
    await asyncio.sleep(GATHER / 3)
    rounds.ring("b")
    async with asyncio.timeout(1):
        assert await turn == {"a", "b"}


async def test_without_a_ring_it_is_everybodys_turn_after_the_interval() -> None:
    rounds = Rounds[str](interval=0.02)
    async with asyncio.timeout(1):
        assert await rounds.turn() is None


async def test_rings_without_end_do_not_keep_the_others_from_their_turn() -> None:
    rounds = Rounds[str](interval=0.05)
    turns = []
    async with asyncio.timeout(2):
        while None not in turns:
            rounds.ring("loud")
            turns.append(await rounds.turn())
    assert {"loud"} in turns


async def test_whoever_is_forgotten_has_no_turn() -> None:
    rounds = Rounds[str](interval=LONG)
    rounds.ring("a")
    rounds.ring("b")
    rounds.forget("a")
    assert await rounds.turn() == {"b"}

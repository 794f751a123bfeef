import asyncio

from streaming.transports.entrance import Doorstep


async def test_whoever_says_nothing_is_sent_away_in_time():
    doorstep = Doorstep(patience=0.01)
    async with asyncio.timeout(5):
        await doorstep.wait()
    assert len(doorstep) == 0


async def test_when_the_place_is_full_the_one_who_has_waited_longest_goes():
    doorstep = Doorstep(most=2, patience=60)
    waiting = [asyncio.create_task(doorstep.wait()) for _ in range(4)]
    async with asyncio.timeout(5):
        await asyncio.gather(*waiting[:2])
    assert len(doorstep) == 2
    assert not any(task.done() for task in waiting[2:])
    for task in waiting[2:]:
        task.cancel()
    await asyncio.gather(*waiting[2:], return_exceptions=True)
    assert len(doorstep) == 0


async def test_whoever_comes_in_makes_room():
    doorstep = Doorstep(most=1, patience=60)
    for _ in range(3):
        waiting = asyncio.create_task(doorstep.wait())
        await asyncio.sleep(0)
        assert len(doorstep) == 1
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert len(doorstep) == 0

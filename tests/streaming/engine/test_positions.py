"""Who waits behind others is told where, and only then."""

import asyncio
import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chatserver.accounts.models import User
from conversations.models import ModelServer, Run
from streaming.engine import positions
from streaming.protocol.codec import Entry
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, Text
from tests.support.bench import EngineBench, running
from tests.support.waiting import ended

pytestmark = pytest.mark.django_db(transaction=True)
STOP = Finish(reason="stop", usage=Usage(prompt_tokens=None, completion_tokens=None))


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "A_MOMENT", 0.05)


def told(hints: list[str]) -> list[tuple[int, int | None]]:
    found = [json.loads(hint) for hint in hints]
    return [
        (each["data"]["position"], each["data"]["estimate_ms"])
        for each in found
        if each["event"] == "thread.run.queued"
    ]


async def one_at_once() -> None:
    await sync_to_async(ModelServer.objects.create)(name="scripted", max_parallel=1)


async def one_at_work_and(bench: EngineBench, others: int) -> list[Run]:
    at_work = await bench.send()
    await bench.until(at_work, "thread.run.in_progress")
    return [at_work, *[await bench.send() for _ in range(others)]]


async def hinted(bench: EngineBench, run: Run, position: int) -> None:
    """Return once the readers of the run were told this position."""
    async with asyncio.timeout(10):
        while not (hint := bench.engine.tailer.last_hint(run.pk)) or told([hint])[0][0] != position:
            await asyncio.sleep(0.01)


async def test_those_who_wait_are_told_their_places_as_the_line_moves(user: User) -> None:
    await one_at_once()
    await sync_to_async(ended)(user, "scripted", 4.0)
    gates = [asyncio.Event() for _ in range(3)]
    async with running(user, [[gate, [Text("x")], [STOP]] for gate in gates]) as bench:
        runs = await one_at_work_and(bench, 2)
        readers = [asyncio.ensure_future(bench.watch(run)) for run in runs]
        await hinted(bench, runs[1], 1)
        await hinted(bench, runs[2], 2)
        gates[0].set()
        await hinted(bench, runs[2], 1)
        for gate in gates:
            gate.set()
        _, second, third = [told((await reader).hints) for reader in readers]
    assert second == [(1, 4000)]
    assert [position for position, _ in third] == [2, 1]
    assert third[0] == (2, 8000)


async def test_a_reader_who_comes_later_is_told_at_once(user: User) -> None:
    await one_at_once()
    async with running(user, [[asyncio.Event(), [STOP]]]) as bench:
        _, run = await one_at_work_and(bench, 1)
        first = asyncio.ensure_future(bench.watch(run))
        await hinted(bench, run, 1)
        with bench.engine.tailer.subscribe(run.pk) as subscription:
            assert told(subscription.take_hints()) == [(1, None)]
        await bench.cancel(run)
        assert told((await first).hints) == [(1, None)]


async def test_who_waits_because_the_process_has_no_room_is_told_too(user: User, settings: Any) -> None:
    settings.RUN_CAPACITY = 1
    async with running(user, [[asyncio.Event(), [STOP]]]) as bench:
        _, run = await one_at_work_and(bench, 1)
        watching = asyncio.ensure_future(bench.watch(run))
        await hinted(bench, run, 1)
        await bench.cancel(run)
        seen = await watching
    assert seen.names[-1] == "thread.run.cancelled"


async def test_a_process_that_works_on_nothing_tells_its_readers(user: User, settings: Any) -> None:
    settings.RUN_CAPACITY = 0
    async with running(user, []) as bench:
        run = await bench.send()
        watching = asyncio.ensure_future(bench.watch(run))
        await hinted(bench, run, 1)
        await bench.cancel(run)
        await watching


async def test_who_does_not_wait_is_told_nothing(user: User) -> None:
    gate = asyncio.Event()
    async with running(user, [[gate, [Text("x")], [STOP]]]) as bench:
        run = await bench.send()
        await bench.until(run, "thread.run.in_progress")
        with bench.engine.tailer.subscribe(run.pk) as subscription:
            for _ in range(6):
                await bench.engine.positions.tell()
            assert told(subscription.take_hints()) == []
        gate.set()
        await bench.watch(run)


async def test_who_has_only_just_come_is_told_nothing(user: User, settings: Any, monkeypatch: Any) -> None:
    settings.RUN_CAPACITY = 0
    monkeypatch.setattr(positions, "A_MOMENT", 60.0)
    async with running(user, []) as bench:
        run = await bench.send()
        with bench.engine.tailer.subscribe(run.pk) as subscription:
            await bench.engine.positions.tell()
            assert told(subscription.take_hints()) == []
            monkeypatch.setattr(positions, "A_MOMENT", 0.0)
            await bench.engine.positions.tell()
            assert told(subscription.take_hints()) == [(1, None)]


async def test_what_has_not_changed_is_not_said_again(user: User, settings: Any) -> None:
    settings.RUN_CAPACITY = 0
    async with running(user, []) as bench:
        run = await bench.send()
        with bench.engine.tailer.subscribe(run.pk) as subscription:
            await hinted(bench, run, 1)
            subscription.take_hints()
            for _ in range(6):
                await bench.engine.positions.tell()
            assert subscription.take_hints() == []


async def test_a_place_that_was_read_before_the_run_began_is_not_told_after(user: User, settings: Any) -> None:
    settings.RUN_CAPACITY = 0
    async with running(user, []) as bench:
        run = await bench.send()
        entries = await bench.engine.event_log.read(run_id=run.pk, after=0)
        with bench.engine.tailer.subscribe(run.pk) as subscription:
            ask = bench.engine.positions._offload

            async def slowly(*args: Any, **kwargs: Any) -> Any:
                found = await ask(*args, **kwargs)
                assert len(found) == 1
                news = Entry(entries[-1].id + 1, entries[-1].text)
                bench.engine.tailer.published(run.pk, [news])  # meanwhile the run has got on
                return found

            monkeypatched: Any = bench.engine.positions
            monkeypatched._offload = slowly
            await asyncio.sleep(positions.A_MOMENT)
            await bench.engine.positions.tell()
            assert told(subscription.take_hints()) == []

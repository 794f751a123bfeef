"""Twenty ordinary readers, by themselves and beside somebody who asks much of the server, side by side."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from tests.bench.dialects import Dialect
from tests.bench.disturbances import Storm, huge_answers, slow_readers
from tests.bench.figures import figure, seen
from tests.bench.measure import Came, Load, measure, percentile
from tests.bench.notes import faults, note
from tests.bench.systems import System
from tests.bench.table import Figure

ORDINARY = Load("100@50", 100, at_once=20)
_OWNERS = 10  # people whose answers these are; all others are the disturbance's
_STORMERS = 200  # of them; with the connections that each may have, more than come within a few seconds
PEOPLE = _OWNERS + _STORMERS
_HEADWAY = 1.0  # seconds for it to begin

Disturbance = Callable[[System, Sequence[str]], Awaitable[None]]


@dataclass(frozen=True)
class Disturbed:
    calm: Came
    beside: Mapping[str, Came]
    storm: Storm


async def disturbed(
    system: System, way: Callable[[], Dialect], *, load: Load = ORDINARY, storm: Storm | None = None
) -> Disturbed:
    storm = storm or Storm()
    disturbances: dict[str, Disturbance] = {
        "slow readers": slow_readers,
        "huge answers": huge_answers,
        "storm": storm.rage,
    }
    await storm.prepare(system, system.tokens[_OWNERS : _OWNERS + _STORMERS])
    calm = await measure(way(), load, pid=system.pid)
    beside = {name: await _beside(system, way, load, what) for name, what in disturbances.items()}
    return Disturbed(calm, beside, storm)


async def _beside(system: System, way: Callable[[], Dialect], load: Load, what: Disturbance) -> Came:
    raging = asyncio.ensure_future(what(system, system.tokens[_OWNERS:]))
    await asyncio.sleep(_HEADWAY)
    came = await measure(way(), load, pid=system.pid)
    if raging.done():
        await raging
    raging.cancel()
    with suppress(asyncio.CancelledError):
        await raging
    return came


def of_disturbed(system: str, found: Disturbed) -> Iterator[Figure]:
    faults({"calm": found.calm, **found.beside})
    for fault, times in found.storm.faults.most_common(3):
        note(f"    storm: {times} × {fault}")
    for name, came in {"calm": found.calm, **found.beside}.items():
        yield figure(system, f"{name}: answers lost", came.lost)
        for share, told in ((0.5, "p50"), (0.99, "p99")):
            yield seen(system, f"{name}: first token, {told}", percentile(came.first, share) * 1e3)
        yield seen(system, f"{name}: gap, p99", percentile(came.gaps, 0.99) * 1e3)
    for name, came in found.beside.items():
        for share, told in ((0.5, "p50"), (0.99, "p99")):
            later = percentile(came.first, share) - percentile(found.calm.first, share)
            yield figure(system, f"{name}: first token later, {told}", later * 1e3)
        longer = percentile(came.gaps, 0.99) - percentile(found.calm.gaps, 0.99)
        yield figure(system, f"{name}: gap longer, p99", longer * 1e3)
    storm = found.storm
    came_at_all = len(storm.served) + storm.faults.total()
    yield figure(system, "storm: reconnects not served", 100 * storm.faults.total() / came_at_all)
    yield figure(system, "storm: reconnect, p99", percentile(storm.served, 0.99) * 1e3)

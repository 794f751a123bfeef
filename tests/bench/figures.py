"""What is measured of a system in one round, and what it may be at most beside the yardsticks of the same round."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.bench.dialects import Dialect
from tests.bench.measure import Came, Load, measure, percentile
from tests.bench.systems import System
from tests.bench.table import Figure

WARM_UP = Load("20@50", 10, at_once=2)
QUESTIONS = Load("1@max", 100, at_once=4)
ALONE = Load("20@50", 10, at_once=1)
FIFTY = Load("200@50", 50, over=1.0)
TWO_HUNDRED = Load("200@50", 200, over=1.5)
# Open WebUI 0.12.4, asked as its page asks, took so many times the CPU of the relay for a question (93 ms beside 0.6),
# and so many milliseconds more than the direct way to the first token.
RIVAL_QUESTION = 155.0
RIVAL_FIRST = 46.0
FLUSH = 40.0  # milliseconds: FLUSH_INTERVAL as it comes

Loads = dict[str, Came]


@dataclass(frozen=True)
class Yardsticks:
    """The direct path and the bare relay, in the same round."""

    direct: Loads
    relay: Loads


@dataclass
class Rounds:
    """Figures by system and name, a value a round."""

    figures: dict[tuple[str, str], Figure] = field(default_factory=dict)

    def add(self, found: Iterator[Figure]) -> None:
        for figure in found:
            known = self.figures.get((figure.system, figure.name))
            rounds = [*(known.rounds if known else ()), *figure.rounds]
            limits = [each.at_most for each in (known, figure) if each is not None and each.at_most is not None]
            self.figures[figure.system, figure.name] = Figure(
                system=figure.system,
                name=figure.name,
                unit=figure.unit,
                rounds=rounds,
                at_most=max(limits) if limits else None,
                noise=figure.noise,
            )


async def all_of(system: System, dialect: Callable[[], Dialect], loads: dict[str, Load]) -> Loads:
    """Each load in turn, after one that nobody counts."""
    await measure(dialect(), WARM_UP, pid=system.pid)
    return {name: await measure(dialect(), load, pid=system.pid) for name, load in loads.items()}


def of_yardsticks(sticks: Yardsticks) -> Iterator[Figure]:
    for system, loads in (("direct", sticks.direct), ("bare relay", sticks.relay)):
        for name, came in loads.items():
            yield Figure(system=system, name=f"{name}: CPU a token", unit="µs", rounds=[came.cpu_a_token * 1e6])
        if "questions" in loads:
            cpu = loads["questions"].cpu_a_question * 1e3
            yield Figure(system=system, name="CPU a question", unit="ms", rounds=[cpu])


def of_chat(name: str, loads: Loads, sticks: Yardsticks, *, base: int) -> Iterator[Figure]:
    """``base``: bytes of the system before any load."""

    def figure(what: str, unit: str, value: float, at_most: float | None, noise: float = 1.25) -> Figure:
        return Figure(system=name, name=what, unit=unit, rounds=[value], at_most=at_most, noise=noise)

    for load, came in loads.items():
        yield figure(f"{load}: answers lost", "", came.load.streams - came.whole, 0, 1.0)
    if came := loads.get("questions"):
        relay = sticks.relay["questions"].cpu_a_question * 1e3
        yield figure("CPU a question", "ms", came.cpu_a_question * 1e3, 0.12 * RIVAL_QUESTION * relay)
    if came := loads.get("alone"):
        yield figure("alone: first token, p50", "ms", _later(came, sticks, "alone", 0.5), 0.25 * RIVAL_FIRST)
    if came := loads.get("c50"):
        relay = sticks.relay["c50"].cpu_a_token * 1e6
        yield figure("c50: CPU a token", "µs", came.cpu_a_token * 1e6, 1.5 * relay)
        yield figure("c50: bytes a token", "B", came.bytes_a_token, 90, 1.0)
    if came := loads.get("c200"):
        yield figure("c200: first token, p50", "ms", _later(came, sticks, "c200", 0.5), 40)
        yield figure("c200: first token, p99", "ms", _later(came, sticks, "c200", 0.99), 250)
        yield figure("c200: gap, p99", "ms", percentile(came.gaps, 0.99) * 1e3, FLUSH + 15)
        yield figure("c200: memory a stream", "KiB", came.memory / came.load.streams / 1024, 80, 1.1)
    yield figure("memory before any load", "MiB", base / 2**20, 100, 1.1)


def _later(came: Came, sticks: Yardsticks, load: str, share: float) -> float:
    """Milliseconds to the first token beyond those of the direct path."""
    return (percentile(came.first, share) - percentile(sticks.direct[load].first, share)) * 1e3

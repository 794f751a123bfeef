"""What is measured of a system in one round, and what it may be at most beside the yardsticks of the same round."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from tests.bench.dialects import Dialect
from tests.bench.measure import Came, Load, measure, percentile
from tests.bench.systems import System
from tests.bench.table import Figure, Limit

# Open WebUI 0.12.4, asked as its page asks, took so many times the CPU of the relay for a question (93 ms beside 0.6),
# and so many milliseconds more than the direct way to the first token.
RIVAL_QUESTION = 155.0
RIVAL_FIRST = 46.0
FLUSH = 40.0  # milliseconds: FLUSH_INTERVAL as it comes
HEARTBEAT = 15.0  # seconds, as it comes
RELAY = "the relay's"

WARM_UP = Load("20@50", 10, at_once=2)
LOADS: Mapping[str, Load] = {
    "questions": Load("1@max", 100, at_once=4),
    "alone": Load("20@50", 10, at_once=1),
    "c50": Load("200@50", 50, over=1.0),
    "c50, 4 readers": Load("200@50", 50, over=1.0, readers=4),
    "c100": Load("200@50", 100, over=1.0),
    "c200": Load("200@50", 200, over=1.5),
}

# All limits, by the name of the figure; the part of a name before a colon is the load, and need not be named here.
LIMITS: Mapping[str, Limit] = {
    "answers lost": Limit(unit="", at_most=0, noise=1.0, each_round=True),
    "CPU a question": Limit(unit="ms", at_most=0.12 * RIVAL_QUESTION, beside=RELAY, for_now=24),
    "CPU a token, gross": Limit(unit="µs"),
    "CPU a token, net": Limit(unit="µs"),
    "c50: CPU a token, gross": Limit(unit="µs", at_most=1.5, beside=RELAY, for_now=3.2),
    "c50: CPU a token, net": Limit(unit="µs", at_most=1.5, beside=RELAY, for_now=2.3),
    "bytes a token": Limit(unit="B"),
    "c50: bytes a token": Limit(unit="B", at_most=90, for_now=115, noise=1.05),
    "one more reader": Limit(unit="% of the run", at_most=15, for_now=30),
    "first token, p50": Limit(unit="ms"),
    "first token, p99": Limit(unit="ms"),
    "alone: first token, p50": Limit(unit="ms", at_most=0.25 * RIVAL_FIRST),
    "c200: first token, p50": Limit(unit="ms", at_most=40),
    "c200: first token, p99": Limit(unit="ms", at_most=250),
    "gap, p99": Limit(unit="ms"),
    "c200: gap, p99": Limit(unit="ms", at_most=FLUSH + 15),
    "answers at once": Limit(unit=""),
    "CPU of a further token beside c50's": Limit(unit="×", at_most=1.25, noise=1.1),
    "CPU of a late token beside an early one": Limit(unit="×", at_most=1.25, noise=1.1),
    "c200: CPU a token of all beside c100 on one": Limit(unit="×", at_most=1 / 0.9, noise=1.1),
    "c50: CPU a token of all beside c50 on one": Limit(unit="×"),
    "memory in all": Limit(unit="MiB"),
    "c200: memory a stream": Limit(unit="KiB", at_most=80, noise=1.1),
    "first token later, p50": Limit(unit="ms", at_most=40),
    "first token later, p99": Limit(unit="ms", at_most=250),
    "gap longer, p99": Limit(unit="ms", at_most=FLUSH),
    "reconnects not served": Limit(unit="%", at_most=0, noise=1.0),
    "reconnect, p99": Limit(unit="ms"),
    "connections": Limit(unit=""),
    "refused or dropped": Limit(unit="", at_most=0, noise=1.0, each_round=True),
    "longest silence": Limit(unit="s", at_most=HEARTBEAT + 3, noise=1.0),
    "a word's delay, p99": Limit(unit="ms"),
    "memory a connection": Limit(unit="KiB", at_most=80, noise=1.1),
    "CPU of a core": Limit(unit="%"),
    "streams rotated": Limit(unit=""),
    "memory before any load": Limit(unit="MiB", at_most=100, noise=1.1),
    "memory of an idle WebSocket": Limit(unit="KiB", at_most=45, noise=1.1),
}
Loads = Mapping[str, Came]


@dataclass(frozen=True)
class Yardsticks:
    """The direct path and the bare relay, in the same round."""

    direct: Loads
    relay: Loads


def figure(system: str, name: str, value: float, *, beside: float = 1.0) -> Figure:
    """With the limit that ``LIMITS`` has for it. Raises KeyError where it has none."""
    limit = LIMITS[name] if name in LIMITS else LIMITS[name.partition(": ")[2]]
    return Figure(system=system, name=name, limit=limit, value=value, beside=beside)


def seen(system: str, name: str, value: float) -> Figure:
    """The same of a yardstick, which has no limits."""
    return unjudged(figure(system, name, value))


def unjudged(known: Figure) -> Figure:
    """Without its limit."""
    return replace(known, limit=Limit(unit=known.limit.unit))


async def warm_up(system: System, dialect: Callable[[], Dialect]) -> None:
    """A load that nobody counts."""
    await measure(dialect(), WARM_UP, pid=system.pid)


async def all_of(system: System, dialect: Callable[[], Dialect], loads: Mapping[str, Load]) -> Loads:
    """Each load in turn."""
    return {name: await measure(dialect(), load, pid=system.pid, beside=system.beside) for name, load in loads.items()}


def of_yardstick(system: str, loads: Loads) -> Iterator[Figure]:
    questions = loads["questions"]
    yield seen(system, "CPU a question", questions.cpu_a_question * 1e3)
    for name, came in loads.items():
        if name in ("c50", "c200"):
            yield seen(system, f"{name}: CPU a token, gross", came.cpu_a_token * 1e6)
            yield seen(system, f"{name}: CPU a token, net", came.net_a_token(questions) * 1e6)


def of_chat(system: str, loads: Loads, sticks: Yardsticks, *, base: int) -> Iterator[Figure]:
    """``loads`` have the questions and the fifty at least; ``base``: bytes of the system before any load."""
    questions, relays_questions = loads["questions"], sticks.relay["questions"]
    yield figure(system, "answers lost", sum(came.lost for came in loads.values()))
    relay = relays_questions.cpu_a_question
    yield figure(system, "CPU a question", questions.cpu_a_question * 1e3, beside=relay * 1e3)
    fifty, relays_fifty = loads["c50"], sticks.relay["c50"]
    gross, net = relays_fifty.cpu_a_token, relays_fifty.net_a_token(relays_questions)
    yield figure(system, "c50: CPU a token, gross", fifty.cpu_a_token * 1e6, beside=gross * 1e6)
    yield figure(system, "c50: CPU a token, net", fifty.net_a_token(questions) * 1e6, beside=net * 1e6)
    yield figure(system, "c50: bytes a token", fifty.bytes_a_token)
    if came := loads.get("c50, 4 readers"):
        yield figure(system, "c50: one more reader", 100 * (came.cpu / fifty.cpu - 1) / (came.load.readers - 1))
    for name, seconds in fifty.cpu_beside.items():
        yield seen(f"{system}: {name}", "CPU a question", questions.cpu_beside[name] / questions.whole * 1e3)
        yield seen(f"{system}: {name}", "c50: CPU a token, gross", seconds / fifty.tokens * 1e6)
    for name in ("alone", "c200"):
        if name in loads and name in sticks.direct:
            yield from _speed(system, name, loads[name], sticks.direct[name])
    yield figure(system, "memory before any load", base / 2**20)


def is_of_one_process(name: str) -> bool:
    """Whether a figure's limit is for a single process: what many cost is judged beside one."""
    return "CPU" in name or "memory" in name


def of_processes(system: str, one: Loads, two: Loads) -> Iterator[Figure]:
    """Two processes beside one, each with the same number of streams, so that the two have twice the load.

    Twice the cores carry 1.8 times as much where a token then costs no more than 1 / 0.9 of what it did, with all that
    the processes stand on counted in. Where the clients and the model server want cores as well, that can be measured,
    and throughput cannot. The same load on two processes costs more a token, because less of it goes out at once.
    """
    yield figure(system, "c200: CPU a token of all beside c100 on one", _of_all(two["c200"]) / _of_all(one["c100"]))
    yield figure(system, "c50: CPU a token of all beside c50 on one", _of_all(two["c50"]) / _of_all(one["c50"]))


def _of_all(came: Came) -> float:
    return (came.cpu + sum(came.cpu_beside.values())) / came.tokens if came.tokens else math.nan


def _speed(system: str, name: str, came: Came, direct: Came) -> Iterator[Figure]:
    """Milliseconds; of first tokens what is beyond the direct path."""
    for told, share in (("p50", 0.5), ("p99", 0.99)):
        if f"{name}: first token, {told}" in LIMITS:
            later = percentile(came.first, share) - percentile(direct.first, share)
            yield figure(system, f"{name}: first token, {told}", later * 1e3)
    if f"{name}: gap, p99" in LIMITS:
        yield figure(system, f"{name}: gap, p99", percentile(came.gaps, 0.99) * 1e3)

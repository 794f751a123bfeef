"""One load on one system, and what came of it."""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from types import MappingProxyType

from tests.bench import usage
from tests.bench.dialects import Dialect
from tests.bench.wires import Wire
from tests.bench.words import Paced, sent_at

PATIENCE = 60.0  # seconds for an answer, beyond what its pace needs


@dataclass(frozen=True)
class Load:
    """``streams`` answers of ``model``, the questions spread over ``over`` seconds, or ``at_once`` at a time.

    Each is read by ``readers``, of whom all but the one who asks attach to it as soon as it has begun.
    """

    model: str
    streams: int
    over: float = 0.0
    at_once: int = 0
    readers: int = 1

    @property
    def paced(self) -> Paced:
        paced = Paced.named(self.model)
        assert paced is not None
        return paced


@dataclass
class Came:
    """What came of a load. Times in seconds, memory in bytes."""

    load: Load
    first: list[float] = field(default_factory=list)  # from a question to the first token of its answer
    gaps: list[float] = field(default_factory=list)  # between two moments at which something of an answer came
    faults: list[str] = field(default_factory=list)
    bytes_read: int = 0
    cpu: float = 0.0
    cpu_beside: dict[str, float] = field(default_factory=dict)  # of what the system stands on, by name
    memory: int = 0  # while all streams ran, beyond what it was before
    memory_in_all: int = 0
    pieces: int = 0
    followed: int = 0  # answers that came whole to one of the further readers
    spans: list[tuple[float, float]] = field(
        default_factory=list
    )  # when each was asked for, and when its last word came

    @property
    def whole(self) -> int:
        return len(self.first)

    @property
    def lost(self) -> int:
        """Answers that did not come whole, to whomever."""
        return self.load.streams * self.load.readers - self.whole - self.followed

    @property
    def at_once(self) -> int:
        """The most answers that were under way at one moment."""
        changes = sorted([(begin, 1) for begin, _ in self.spans] + [(end, -1) for _, end in self.spans])
        return max(accumulate(change for _, change in changes), default=0)

    @property
    def tokens(self) -> int:
        return self.whole * self.load.paced.tokens

    @property
    def cpu_a_token(self) -> float:
        """Gross: with the questions, and all that is done when an answer begins and ends."""
        return self.cpu / self.tokens if self.tokens else math.nan

    def net_a_token(self, questions: "Came") -> float:
        """Without what as many questions took whose answers are one token long."""
        beyond = self.cpu - self.whole * questions.cpu_a_question
        tokens = self.tokens - self.whole * questions.load.paced.tokens
        return beyond / tokens if tokens else math.nan

    @property
    def cpu_a_question(self) -> float:
        return self.cpu / self.whole if self.whole else math.nan

    @property
    def bytes_a_token(self) -> float:
        return self.bytes_read / self.tokens if self.tokens else math.nan


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of all does not exceed; nan of none."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else math.nan


async def measure(dialect: Dialect, load: Load, *, pid: int, beside: Mapping[str, int] = MappingProxyType({})) -> Came:
    """Put the load on. ``pid`` is the root of the processes whose CPU and memory are counted; ``beside`` are others
    whose CPU is, each by itself.
    """
    came = Came(load)
    await dialect.prepare(load.streams, readers=load.readers)
    await asyncio.sleep(0.3)
    before, cpu = usage.memory(pid), usage.cpu(pid)
    cpu_beside = {name: usage.cpu(each) for name, each in beside.items()}
    gate = asyncio.Semaphore(load.at_once or load.streams)
    asked = [asyncio.create_task(_asked(dialect, load, number, gate)) for number in range(load.streams)]
    if not load.at_once:
        asked.append(asyncio.create_task(_watch(came, load, pid=pid, before=before)))
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    await asyncio.sleep(0.25)  # for what the server still does when the last answer is out
    came.cpu = usage.cpu(pid) - cpu
    came.cpu_beside = {name: usage.cpu(each) - cpu_beside[name] for name, each in beside.items()}
    for outcome in outcomes[: load.streams]:
        if isinstance(outcome, BaseException):
            came.faults.append(repr(outcome))
        else:
            first, *further = outcome
            _read(came, dialect, first)
            for wire in further:
                came.followed += _whole(came, dialect, wire) is not None
    dialect.close()
    return came


async def _asked(dialect: Dialect, load: Load, number: int, gate: asyncio.Semaphore) -> list[Wire]:
    """The wires of all who have read the answer, the first that of whoever asked."""
    async with gate:
        await asyncio.sleep(load.over * number / load.streams)
        rate = load.paced.rate
        async with asyncio.timeout(PATIENCE + load.paced.after + (load.paced.tokens / rate if rate else 0)):
            wires = [await dialect.ask(number, load.model)]
            for _ in range(1, load.readers):
                wires.append(await dialect.follow(number))
            for wire in wires:
                await wire.ended
        return wires


async def _watch(came: Came, load: Load, *, pid: int, before: int) -> None:
    """Memory when all have begun and none has ended."""
    rate = load.paced.rate or math.inf
    await asyncio.sleep(load.over + min(0.8, 0.5 * load.paced.tokens / rate))
    came.memory_in_all = await asyncio.to_thread(usage.memory, pid)
    came.memory = came.memory_in_all - before


def _read(came: Came, dialect: Dialect, wire: Wire) -> None:
    pieces = _whole(came, dialect, wire)
    if pieces is None:
        return
    came.first.append(pieces[0][0] - wire.asked_at)
    moments = sorted({at for at, _ in pieces})
    came.gaps += [later - earlier for earlier, later in pairwise(moments)]
    came.spans.append((wire.asked_at, moments[-1]))
    came.bytes_read += wire.bytes_read
    came.pieces += len(pieces)


def _whole(came: Came, dialect: Dialect, wire: Wire) -> list[tuple[float, str]] | None:
    """The pieces of an answer; None, and a fault that says why, where it is not whole."""
    try:
        pieces = [(at, text) for at, text in dialect.texts(wire) if text]
    except ValueError as fault:
        came.faults.append(str(fault))
        return None
    answer = "".join(text for _, text in pieces)
    if sent_at(answer, tokens=came.load.paced.tokens) is None:
        came.faults.append(f"another text: {answer[:60]!r}, {len(answer)} characters")
        return None
    return pieces

"""A crowd that is only there: sockets over which nothing is said, and readers of answers that come slowly, for minutes.

Each person has ten connections, which is below what one person may have: four idle sockets, three sockets and three
streams that follow an answer of theirs. Every other answer is a word a second; the rest are silent for longer than a
heartbeat.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.bench import usage
from tests.bench.dialects import QUESTION, get, lines_of, opened_socket, threads_of
from tests.bench.figures import figure
from tests.bench.measure import percentile
from tests.bench.systems import System
from tests.bench.table import Figure
from tests.bench.wires import HttpWire, PatientSocket, SocketWire, Wire, frame
from tests.bench.words import Hearing, Paced

A_PERSON = 10
_IDLE, _SOCKETS, _STREAMS = 4, 3, 3
_MODELS = ("100000@1", "100000@0.04")
_AT_ONCE = 40  # people who come in at a time
_LATE = 5.0  # seconds: a word that has not come by then is missing


@dataclass
class Follower:
    """One reader of one answer: the wires that it has used, one after the other, because the server rotates streams."""

    path: str
    token: str
    rate: float
    wires: list[Wire]
    last: int = 0
    hearing: Hearing = field(default_factory=Hearing)
    delays: list[tuple[float, float]] = field(default_factory=list)  # when a word came, and how late

    def take(self, wire: Wire) -> None:
        """Read what a wire has brought when it is over. Raises ValueError on a hole, and on another text."""
        for at, event in _events(wire):
            if event["id"] != self.last + 1:
                raise ValueError(f"event {event['id']} after event {self.last}")
            self.last = event["id"]
            if event["event"] == "thread.message.delta":
                self.hearing.take(event["data"]["content"])
                self.delays.append((at, at - self._due(self.hearing.tokens)))

    def waits_for(self, now: float) -> bool:
        """Whether the next word should have come long ago."""
        return self.hearing.began is None or now - self._due(self.hearing.tokens + 1) > _LATE

    def _due(self, tokens: int) -> float:
        """When the token of this number is sent, from 1 on."""
        return (self.hearing.began or 0.0) + (tokens - 1) / self.rate


@dataclass
class Crowd:
    """Who is there, and what became of them. Times in seconds, memory in bytes."""

    wished: int  # connections
    idle: list[Wire] = field(default_factory=list)
    followers: list[Follower] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    complete_at: float = 0.0  # when all were there
    seconds: float = 0.0
    silences: list[float] = field(default_factory=list)  # the longest of each connection
    rotated: int = 0
    memory: int = 0
    cpu: float = 0.0

    @property
    def lost(self) -> int:
        """Connections that were refused or dropped, or did not bring what they should."""
        return self.wished - len(self.silences)


async def hold(system: System, *, people: int, seconds: float) -> Crowd:
    """Bring the crowd in, keep it for so long, and see what became of it."""
    crowd = Crowd(wished=people * A_PERSON, seconds=seconds)
    before = usage.memory(system.pid)
    tokens = system.tokens[:people]
    threads = await threads_of(system.port, tokens)
    gate = asyncio.Semaphore(_AT_ONCE)
    coming = [_come(crowd, system.port, tokens[number], threads[number], number, gate) for number in range(people)]
    await asyncio.gather(*coming)
    over, cpu, crowd.complete_at = asyncio.Event(), usage.cpu(system.pid), time.monotonic()
    keeping = [asyncio.create_task(_keep(crowd, system.port, follower, over)) for follower in crowd.followers]
    await asyncio.sleep(seconds)
    crowd.memory, crowd.cpu = usage.memory(system.pid) - before, usage.cpu(system.pid) - cpu
    now = time.monotonic()  # to read what thousands were sent takes this process seconds, which nobody else is late by
    over.set()
    await asyncio.gather(*keeping)
    _judge(crowd, now=now)
    return crowd


def of_crowd(system: str, crowd: Crowd) -> Iterator[Figure]:
    delays = [late for follower in crowd.followers for at, late in follower.delays if at > crowd.complete_at]
    yield figure(system, "crowd: connections", crowd.wished)
    yield figure(system, "crowd: refused or dropped", crowd.lost)
    yield figure(system, "crowd: longest silence", max(crowd.silences, default=0.0))
    yield figure(system, "crowd: a word's delay, p99", percentile(delays, 0.99) * 1e3)
    yield figure(system, "crowd: memory a connection", crowd.memory / crowd.wished / 1024)
    yield figure(system, "crowd: CPU of a core", 100 * crowd.cpu / crowd.seconds)
    yield figure(system, "crowd: streams rotated", crowd.rotated)


async def _come(crowd: Crowd, port: int, token: str, thread: str, number: int, gate: asyncio.Semaphore) -> None:
    """One person with ten connections; what is refused is told, and the others come nevertheless."""
    async with gate:
        try:
            asking, run = await _ask(port, token, thread, number)
        except (OSError, ValueError, TimeoutError) as fault:
            crowd.faults.append(f"asking: {fault!r}")
            return
        paced = Paced.named(_MODELS[number % len(_MODELS)])
        assert paced is not None
        path = f"/api/v1/runs/{run}/events"
        crowd.followers.append(Follower(path, token, paced.rate, [asking]))
        for kind in ("idle",) * _IDLE + ("socket",) * (_SOCKETS - 1) + ("stream",) * _STREAMS:
            try:
                wire = await (_stream(port, path, token, after=0) if kind == "stream" else _socket(port, token))
                if kind == "socket":
                    data = {"run_id": run, "after": 0, "snapshot": False}
                    wire.ask(frame(json.dumps({"event": "subscribe", "req": "follow", "data": data}).encode()))
            except (OSError, TimeoutError) as fault:
                crowd.faults.append(f"{kind}: {fault!r}")
                continue
            if kind == "idle":
                crowd.idle.append(wire)
            else:
                crowd.followers.append(Follower(path, token, paced.rate, [wire]))


async def _ask(port: int, token: str, thread: str, number: int) -> tuple[Wire, str]:
    wire = await _socket(port, token)
    model = f"ollama/{_MODELS[number % len(_MODELS)]}"
    data = {"thread_id": thread, "content": QUESTION.format(number=number), "model": model, "subscribe": True}
    wire.ask(frame(json.dumps({"event": "message.send", "req": "ask", "data": data}).encode()))
    async with asyncio.timeout(60):
        return wire, (await wire.reply())["run_id"]


async def _socket(port: int, token: str) -> SocketWire:
    return await opened_socket(port, token=token, kind=PatientSocket)


async def _stream(port: int, path: str, token: str, *, after: int) -> HttpWire:
    _, wire = await asyncio.get_running_loop().create_connection(HttpWire, "127.0.0.1", port)
    wire.ask(get(port, f"{path}?after={after}&snapshot=0", token=token))
    return wire


async def _keep(crowd: Crowd, port: int, follower: Follower, over: asyncio.Event) -> None:
    """Read until it is over; where the server ends a stream in good order, go on after the last event."""
    waiting = asyncio.create_task(over.wait())
    while True:
        wire = follower.wires[-1]
        await asyncio.wait([wire.ended, waiting], return_when=asyncio.FIRST_COMPLETED)
        try:
            follower.take(wire)
            if over.is_set():
                break
            if not isinstance(wire, HttpWire):
                raise ValueError("a socket was closed")
            list(wire.body())  # or it broke off
            follower.wires.append(await _stream(port, follower.path, follower.token, after=follower.last))
        except (OSError, ValueError) as fault:
            crowd.faults.append(f"following: {fault}")
            crowd.followers.remove(follower)
            return
        crowd.rotated += 1
    waiting.cancel()


def _judge(crowd: Crowd, *, now: float) -> None:
    for wire in crowd.idle:
        if wire.ended.done():
            crowd.faults.append("an idle socket was closed")
        else:
            crowd.silences.append(_silence([wire], crowd.complete_at, now))
    for follower in crowd.followers:
        if follower.waits_for(now):
            crowd.faults.append(f"nothing came after event {follower.last}")
        else:
            crowd.silences.append(_silence(follower.wires, crowd.complete_at, now))
    for wire in (*crowd.idle, *(wire for follower in crowd.followers for wire in follower.wires)):
        wire.close()


def _silence(wires: list[Wire], began: float, now: float) -> float:
    """The longest time without anything, heartbeats included."""
    came = [at for wire in wires for at, _ in wire.came if began < at < now]
    return max(later - earlier for earlier, later in pairwise([began, *came, now]))


def _events(wire: Wire) -> Iterator[tuple[float, Any]]:
    """Those that have a number."""
    pieces = wire.body()
    if isinstance(wire, HttpWire):
        pieces = ((at, line[6:]) for at, line in lines_of(wire.so_far()) if line.startswith(b"data: "))
    for at, text in pieces:
        event = json.loads(text)
        if event.get("id") is not None:
            yield at, event

"""Breaks a shape, one act after the other, all drawn from one seed, and writes down what it did and when."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from tests.chaos.checker import Anomaly, Kind
from tests.chaos.proxy import FaultProxy, Weather
from tests.chaos.shapes import Node, Shape

STOP_WITHIN = 20.0
MERCY = 8.0


@dataclass(frozen=True)
class Deed:
    """``held``: the runs that a server worked on when it was killed or asked to end."""

    at: float
    until: float
    name: str
    target: str
    held: tuple[str, ...] = ()
    breaks_answers: bool = False  # what the model server had begun cannot be had from it to the end


@dataclass
class Nemesis:
    """``deeds`` is what it has done, ``found`` what went wrong at it. What it puts down comes up again by itself; of
    several nodes one is always up.
    """

    shape: Shape
    chance: Random
    deeds: list[Deed] = field(default_factory=list)
    kills: int = 0
    found: list[Anomaly] = field(default_factory=list)

    def __post_init__(self) -> None:
        shape = self.shape
        self._rising: set[asyncio.Task[None]] = set()
        self._acts: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (10, self.kill),
            (4, self.terminate),
            (2, self.freeze),
            (3, self.spoil_clients),
            (2, self.slow_models),
            (1, self.cut_models),
        ]
        if shape.postgres is not None:
            self._acts += [(2, self.spoil_database), (1, self.restart_postgres), (1, self.end_backends)]
            self._acts += [(1, self.kill_postgres)]
        if shape.redis is not None:
            self._acts += [(2, self.spoil_redis), (2, self.restart_redis), (1, self.freeze_redis)]

    @property
    def tried(self) -> Counter[str]:
        return Counter(deed.name for deed in self.deeds)

    async def act(self) -> None:
        weights, acts = zip(*self._acts, strict=True)
        await self.chance.choices(acts, weights)[0]()

    async def rest(self) -> None:
        """Until all that it has put down is up again."""
        while self._rising:
            await asyncio.gather(*self._rising)

    # --- processes --------------------------------------------------------------------------------------------------

    async def kill(self) -> None:
        node = self._some_node()
        pid, held = node.server.pid, await self._held(node.server.pid)
        node.up = False
        await asyncio.to_thread(node.server.kill)
        self.kills += 1
        self._did("kill -9", node.name, self._now(), held)
        await self._rise(node)
        await self._left(pid)

    async def terminate(self) -> None:
        """As service managers and upgrades do it."""
        node = self._some_node()
        held = await self._held(node.server.pid)
        at = self._now()
        node.up = False
        node.server.terminate(signal.SIGTERM)
        self.kills += 1
        await asyncio.to_thread(self._ended, node)
        self._did("SIGTERM", node.name, at, held)
        await self._rise(node)

    def _ended(self, node: Node) -> None:
        try:
            node.server.wait(within=STOP_WITHIN)
        except AssertionError:
            what = f"has not ended {STOP_WITHIN} s after SIGTERM; the stacks of its threads are in its log"
            self.found.append(Anomaly(Kind.STUCK, "-", node.name, what))
            node.server.terminate(signal.SIGABRT)
            time.sleep(1)
            node.server.kill()

    async def freeze(self) -> None:
        """Shorter than a lease, or longer: then others take it for dead, and it wakes up among them."""
        node = self._some_node()
        at = self._now()
        node.server.terminate(signal.SIGSTOP)
        try:
            await asyncio.sleep(self.chance.choice([self.chance.uniform(0.2, 1.0), 3.5]))
        finally:
            node.server.terminate(signal.SIGCONT)
        self._did("SIGSTOP", node.name, at)

    # --- wires ------------------------------------------------------------------------------------------------------

    async def spoil_clients(self) -> None:
        await self._spoil(self._some_node().clients, "clients' wire")

    async def spoil_database(self) -> None:
        wire = self._some_node().database
        assert wire is not None
        await self._spoil(wire, "database's wire")

    async def spoil_redis(self) -> None:
        wire = self._some_node().redis
        assert wire is not None
        await self._spoil(wire, "Redis's wire")

    async def cut_models(self) -> None:
        """An answer that is cut off by the model server ends as failed, with what there is of it."""
        wire, at = self._some_node().models, self._now()
        await asyncio.to_thread(self.chance.choice([wire.cut, wire.reset]))
        self.deeds.append(Deed(at, self._now(), "model server's wire cut", str(wire.port), breaks_answers=True))

    async def slow_models(self) -> None:
        await self._under(self._some_node().models, self._slow(), "model server's wire")

    async def _spoil(self, wire: FaultProxy, name: str) -> None:
        at = self._now()
        match self.chance.randrange(6):
            case 0:
                await asyncio.to_thread(wire.cut)
                self._did(f"{name} cut", str(wire.port), at)
            case 1:
                await asyncio.to_thread(wire.reset)
                self._did(f"{name} reset", str(wire.port), at)
            case 2:
                await asyncio.to_thread(wire.refuse)
                await asyncio.to_thread(wire.reset)
                await asyncio.sleep(self.chance.uniform(0.2, 1.0))
                await asyncio.to_thread(wire.accept)
                self._did(f"{name} refused", str(wire.port), at)
            case 3:
                await asyncio.to_thread(wire.forget)
                self._did(f"{name} half-open", str(wire.port), at)
            case _:
                await self._under(wire, self._slow(), name)

    async def _under(self, wire: FaultProxy, weather: Weather, name: str) -> None:
        at = self._now()
        wire.weather = weather
        await asyncio.sleep(self.chance.uniform(0.2, 1.2))
        await asyncio.to_thread(wire.heal)
        kind = "stalled" if weather.stalled else "slow" if weather.latency else "thin"
        self._did(f"{name} {kind}", str(wire.port), at)

    def _slow(self) -> Weather:
        return self.chance.choice(
            [Weather(stalled=True), Weather(latency=self.chance.uniform(0.02, 0.3)), Weather(bandwidth=20_000)]
        )

    # --- services ---------------------------------------------------------------------------------------------------

    async def restart_postgres(self) -> None:
        assert self.shape.postgres is not None
        at = self._now()
        await asyncio.to_thread(self.shape.postgres.restart)
        self._did("PostgreSQL restarted", "postgres", at)

    async def kill_postgres(self) -> None:
        assert self.shape.postgres is not None
        at = self._now()
        await asyncio.to_thread(self.shape.postgres.kill)
        await asyncio.to_thread(self.shape.postgres.start)
        self._did("PostgreSQL killed", "postgres", at)

    async def end_backends(self) -> None:
        at = self._now()
        others = "FROM pg_stat_activity WHERE datname IS NOT NULL AND pid <> pg_backend_pid()"
        with suppress(Exception):  # it is ended with the others now and then
            await asyncio.to_thread(self.shape.database.rows, f"SELECT pg_terminate_backend(pid) {others}")
        self._did("backends terminated", "postgres", at)

    async def restart_redis(self) -> None:
        assert self.shape.redis is not None
        at = self._now()
        await asyncio.to_thread(self.chance.choice([self.shape.redis.stop, self.shape.redis.kill]))
        await asyncio.sleep(self.chance.uniform(0.0, 1.0))
        await asyncio.to_thread(self.shape.redis.start)
        self._did("Redis restarted", "redis", at)

    async def freeze_redis(self) -> None:
        assert self.shape.redis is not None
        at = self._now()
        self.shape.redis.freeze()
        try:
            await asyncio.sleep(self.chance.uniform(0.2, 1.5))
        finally:
            self.shape.redis.thaw()
        self._did("Redis frozen", "redis", at)

    # --- within -----------------------------------------------------------------------------------------------------

    def _some_node(self) -> Node:
        return self.chance.choice([node for node in self.shape.nodes if node.up])

    async def _rise(self, node: Node) -> None:
        """One process comes up at once; of several, one is away for a while, and the others have to do."""
        if len(self.shape.nodes) == 1:
            await asyncio.to_thread(node.start)
            return

        async def later() -> None:
            await asyncio.sleep(self.chance.uniform(0.0, 2.0))
            await asyncio.to_thread(node.start)

        task = asyncio.create_task(later())
        self._rising.add(task)
        task.add_done_callback(self._rising.discard)
        while sum(each.up for each in self.shape.nodes) < 2:
            await asyncio.sleep(0.05)

    async def _left(self, pid: int) -> None:
        """Mostly the next blow waits until what the dead process held is held by somebody else, or by nobody."""
        deadline = self._now() + (MERCY if self.chance.random() < 0.8 else 0)
        while self._now() < deadline and await self._held(pid):
            await asyncio.sleep(0.1)

    async def _held(self, pid: int) -> tuple[str, ...]:
        try:
            return tuple(await asyncio.to_thread(self.shape.held_by, pid))
        except Exception:  # the database is away: nobody knows
            return ()

    def _did(self, name: str, target: str, at: float, held: tuple[str, ...] = ()) -> None:
        self.deeds.append(Deed(at, self._now(), name, target, held))

    def _now(self) -> float:
        return time.monotonic()

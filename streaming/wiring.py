"""Picks the concrete parts and hands out the process's one engine."""

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import connection

from chatserver.accounts.principal import Principal
from chatserver.model_servers import Configured
from conversations.models import Run
from conversations.permissions import hidden_model
from conversations.ports import Tried, ports
from conversations.services.run_lease import Claim, Hands
from conversations.services.run_rows import Choice
from conversations.signals import model_servers_changed
from streaming import configured
from streaming.engine.afterthoughts import Afterthoughts
from streaming.engine.data_lock import DataLock
from streaming.engine.housekeeping import keep_files, keep_house
from streaming.engine.model_keeper import ModelKeeper
from streaming.engine.model_servers import ModelServers
from streaming.engine.positions import Positions
from streaming.engine.prompt import Prompt, prompt_at_hand
from streaming.engine.pulls import Puller
from streaming.engine.supervisor import Supervisor
from streaming.engine.workshop import Workshop
from streaming.eventlog.base import EventLog
from streaming.eventlog.database import DatabaseLog
from streaming.eventlog.doorbell import Doorbell
from streaming.eventlog.feed_tailer import FeedTailer
from streaming.eventlog.memory import MemoryLog
from streaming.eventlog.redis import RedisLog
from streaming.eventlog.rings import Rings
from streaming.eventlog.tailer import Tailer
from streaming.offload import Offload
from streaming.protocol.codec import Entry
from streaming.protocol.errors import ModelUnknown
from streaming.providers.base import Provider
from streaming.providers.demo import DemoProvider
from streaming.providers.making import provider_of
from streaming.providers.registry import Registry
from streaming.tasks import TaskRegistry
from streaming.tools.base import Tool
from streaming.tools.registry import BUILT_IN, ToolRegistry

log = structlog.get_logger(__name__)
MODELS_EVERY = 5.0  # seconds: a model server that appears is listed well within 15
TRY_PATIENCE = 20.0  # more than trying takes: a thread does not wait for ever, whatever happens
LISTED_EVERY = 60.0  # seconds: a row that went is there again


class Engine:
    """Everything of the streaming side that a process has once. Start it in the loop that will use it."""

    def __init__(self, *, providers: Sequence[Provider] | None = None, tools: Sequence[Tool] = BUILT_IN) -> None:
        self.tasks = TaskRegistry()
        self.offload = Offload()
        self._leases = Offload(threads=2)
        # What takes files apart: two at once, each in a process that may take its second, and a storage far away.
        self.uploads = Offload(threads=2)
        self.files = Offload(threads=2)
        # What a stranger's schema says, and whether an answer fits it: however many ask, two seconds' work at once.
        self.checks = Offload(threads=2)
        self.numbers = configured.numbers()
        self.registry = Registry(providers if providers is not None else [DemoProvider()])
        self.model_servers = ModelServers(
            registry=self.registry,
            offload=self.offload,
            settings=Configured() if providers is not None else settings.MODEL_SERVERS,
            make=partial(provider_of, num_ctx=settings.OLLAMA_NUM_CTX, **configured.upstream()),
        )
        self._tool_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="tool")
        self.tools = ToolRegistry(tools, executor=self._tool_threads)
        self.event_log: EventLog = _event_log(self.offload)
        self.tailer = Tailer(event_log=self.event_log)
        self.feeds = FeedTailer(offload=self.offload)
        self._name = f"{socket.gethostname()[:30]}:{os.getpid()}:{secrets.token_hex(4)}"
        self.doorbell = Doorbell(layer=get_channel_layer("doorbell"), name=self._name, heard=self._heard)
        self.rights_changed_elsewhere: Callable[[], None] = _nobody_listens
        self._lock = DataLock(data_lock_file())
        self.limits = configured.limits()
        self.afterthoughts = self._afterthoughts()
        self.supervisor = self._supervisor()
        self.puller = self._puller()
        self.keeper = ModelKeeper(registry=self.registry, offload=self.offload, tasks=self.tasks)
        self.positions = Positions(tailer=self.tailer, offload=self.offload, at_work=lambda: self.supervisor.at_work)

    async def choose(self, name: str, principal: Principal) -> Choice:
        """The model that ``name`` means to somebody; the default one for the empty text. Raises ModelUnknown, also for
        a model that is not for them.
        """
        if not name:
            model = await self.registry.default(settings.DEFAULT_MODEL, principal)
            return Choice(provider=model.provider, model=model.name)
        try:
            provider, model = await self.registry.resolve(name, principal)
        except ModelUnknown:
            if self.registry.hides(name, principal):
                hidden_model(principal)
            raise
        return Choice(provider=provider.name, model=model.name)

    def places(self, runs: int) -> AbstractContextManager[Hands | None]:
        """Room to work here on so many runs from the moment they are opened; None where they have to wait."""
        return self.supervisor.places(runs, taken=self._taken)

    async def start(self) -> None:
        """Raises DataDirectoryInUse where another process works on the same SQLite file."""
        if connection.vendor == "sqlite":
            self._lock.take()
        self._loop = asyncio.get_running_loop()
        self.event_log.start(self._published, delayed=self.supervisor.storage_waits)
        ports.connect(
            event_store=self.event_log.event_store,
            bell=self._bell,
            feed_bell=self._feed_bell,
            try_model_server=self._try_model_server,
        )
        model_servers_changed.connect(self._model_servers_changed, weak=False, dispatch_uid="engine")
        self.tasks.spawn(self.model_servers.watch_for_ever(), name="changes of model servers")
        self.tasks.spawn(self._for_ever(self.model_servers.refresh, MODELS_EVERY), name="models")
        self.tasks.spawn(self._for_ever(self.model_servers.keep_rows, LISTED_EVERY), name="rows of model servers")
        self.tasks.spawn(self.positions.tell_for_ever(), name="positions")
        self.tasks.spawn(self.tailer.poll_for_ever(), name="tailer")
        self.tasks.spawn(self.feeds.poll_for_ever(), name="feed tailer")
        self.tasks.spawn(self.doorbell.speak_for_ever(), name="doorbell, ringing")
        self.tasks.spawn(self.doorbell.listen_for_ever(), name="doorbell, listening")
        keeping = keep_house(self.offload, log_kept=settings.LOG_KEPT, deleted_kept=settings.UNDO_DELETE)
        self.tasks.spawn(keeping, name="housekeeping")
        self.tasks.spawn(keep_files(self.uploads), name="housekeeping of files")
        if settings.RUN_CAPACITY:
            self.tasks.spawn(self.puller.look_for_ever(), name="pulls")
        self.supervisor.start()

    async def stop(self) -> None:
        """End everything that ``start`` began. Runs that are still open are left for the next start."""
        ports.disconnect()
        model_servers_changed.disconnect(dispatch_uid="engine")
        await self.puller.stop()
        await self.supervisor.stop()
        await self.tasks.cancel_all()
        await self.doorbell.stop()
        await self.event_log.stop()
        await self.registry.close()
        self._tool_threads.shutdown(wait=False, cancel_futures=True)
        self.offload.stop()
        self._leases.stop()
        self.uploads.stop()
        self.files.stop()
        self.checks.stop()
        self._lock.release()

    def _afterthoughts(self) -> Afterthoughts:
        return Afterthoughts(
            wishes=configured.wishes(),
            registry=self.registry,
            offload=self.offload,
            tasks=self.tasks,
            max_parallel=settings.MAX_PARALLEL,
            streaming=settings.STREAMING,
            fallback_to_non_streaming=settings.FALLBACK_TO_NON_STREAMING,
        )

    def _supervisor(self) -> Supervisor:
        workshop = Workshop(
            event_log=self.event_log,
            hint=self.tailer.hint,
            offload=self.offload,
            checks=self.checks,
            files=self.files,
            leases=self._leases,
            registry=self.registry,
            afterthoughts=self.afterthoughts,
            tools=self.tools,
            tasks=self.tasks,
            limits=self.limits,
            pace=configured.pace(),
        )
        return Supervisor(
            workshop=workshop,
            holder=self._name,
            alone=connection.vendor == "sqlite",
            capacity=settings.RUN_CAPACITY,
            max_parallel=settings.MAX_PARALLEL,
            lease_beat=settings.LEASE_BEAT,
            lease_expiry=settings.LEASE_EXPIRY,
        )

    def _model_servers_changed(self, **_: Any) -> None:
        """In this process; called in whatever thread that was."""
        self._loop.call_soon_threadsafe(self._tell_of_model_servers)

    def _tell_of_model_servers(self) -> None:
        self.model_servers.rung()
        self.doorbell.servers()

    def _try_model_server(self, name: str) -> Tried:
        """Called in a thread, which waits."""
        trying = partial(self.model_servers.try_one, name)
        return self.tasks.result_of(trying, loop=self._loop, name=f"try {name}", within=TRY_PATIENCE)

    def _puller(self) -> Puller:
        return Puller(
            registry=self.registry,
            offload=self.offload,
            tasks=self.tasks,
            holder=self._name,
            alone=connection.vendor == "sqlite",
            expiry=settings.LEASE_EXPIRY,
            rests=lambda: self.supervisor.draining,
            retry_delay=settings.RETRY_DELAY,
        )

    def _bell(self, run_id: UUID, entries: Sequence[Entry]) -> None:
        """Rung by verbs, in whatever thread they ran."""
        self._loop.call_soon_threadsafe(self._rang, run_id, entries)

    def _taken(self, run: Run, claim: Claim) -> None:
        """A run was opened, and is ours; called in whatever thread that was."""
        self._loop.call_soon_threadsafe(self._begin, claim, prompt_at_hand(run))

    def _begin(self, claim: Claim, prompt: Prompt | None) -> None:
        self.event_log.rang(claim.run_id, claim.opened)
        self.supervisor.begin(claim, prompt)

    def _feed_bell(self, user_id: UUID, entries: Sequence[Entry]) -> None:
        self._loop.call_soon_threadsafe(self._feed_rang, user_id, entries)

    def _rang(self, run_id: UUID, entries: Sequence[Entry]) -> None:
        if entries:
            self.event_log.rang(run_id, entries)
        elif not self.supervisor.holds(run_id):
            self.doorbell.wish(run_id)
        self.supervisor.rang(run_id, entries)
        if not self.supervisor.has_room:  # else it is claimed here; all processes asking for each run would be a herd
            self.doorbell.claims()

    def _feed_rang(self, user_id: UUID, entries: Sequence[Entry]) -> None:
        self.feeds.published(user_id, entries)
        if entries:
            self.doorbell.feed(user_id, entries[-1].id)

    def _published(self, run_id: UUID, entries: Sequence[Entry]) -> None:
        """This process has written these; called in the loop."""
        self.tailer.published(run_id, entries)
        if entries:
            self.doorbell.run(run_id, entries[-1].id)

    def _heard(self, rings: Rings) -> None:
        """Another process has rung."""
        self.tailer.rung(rings.runs)
        self.feeds.rung(rings.feeds)
        self.supervisor.wished(rings.wishes.keys())
        if rings.claims:
            self.supervisor.look()
        if rings.servers:
            self.model_servers.rung()
        if rings.rights:
            self.rights_changed_elsewhere()

    async def _for_ever(self, work: Callable[[], Awaitable[object]], pause: float) -> None:
        while True:
            try:
                await work()
            except Exception as fault:
                log.error("a periodic task stumbled and goes on", exc_info=fault)
            await asyncio.sleep(pause)


def _nobody_listens() -> None:
    """Nobody holds live connections yet."""


def data_lock_file() -> Path:
    """What a process that works on the data directory holds locked."""
    return Path(settings.DATA_DIR) / "supervisor.lock"


_engine: Engine | None = None


def engine() -> Engine:
    """The process's engine. Raises RuntimeError before it was started."""
    if _engine is None:
        raise RuntimeError("the engine has not been started in this process")
    return _engine


async def start_engine(*, providers: Sequence[Provider] | None = None, tools: Sequence[Tool] = BUILT_IN) -> Engine:
    """Make and start the process's one engine."""
    global _engine
    if _engine is None:
        fresh = Engine(providers=providers, tools=tools)
        await fresh.start()
        _engine = fresh
    return _engine


async def stop_engine() -> None:
    global _engine
    if _engine is not None:
        stopping, _engine = _engine, None
        await stopping.stop()


def _event_log(offload: Offload) -> EventLog:
    if settings.EVENT_LOG == "memory":
        return MemoryLog(offload=offload)
    if settings.EVENT_LOG == "redis":
        # While it is held a run ends by its deadline, while it is parked by that of its approvals.
        alive = settings.RUN_DEADLINE + settings.APPROVAL_EXPIRY + settings.LOG_KEPT
        return RedisLog(
            url=settings.REDIS_URL,
            prefix=settings.REDIS_PREFIX,
            kept=settings.LOG_KEPT,
            alive=alive,
        )
    return DatabaseLog(offload=offload)

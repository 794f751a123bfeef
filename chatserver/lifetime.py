"""From the first breath of a process to its last: starting the engine once, and draining on SIGTERM, on any server."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import structlog
from django.conf import settings

from chatserver.accounts.signals import access_changed
from chatserver.daphne_limit import let_whole_messages_out
from chatserver.edge import Application, Receive, Scope, Send, unavailable
from chatserver.last_resort import end_within
from chatserver.watchdog import Watchdog
from streaming.engine.data_lock import DataDirectoryInUse
from streaming.tasks import TaskRegistry
from streaming.transports.live import connections
from streaming.wiring import engine, start_engine, stop_engine

log = structlog.get_logger(__name__)
RECHECK_EVERY = 1.0  # seconds from a logout to the end of its live connections
STREAMS_MAY_TAKE = 1.0  # seconds to end, once told
ENDS_WITHIN = 10.0  # after the grace, in all; what is not over then hangs on something that is away
Handler = Callable[[int, FrameType | None], Any]


class Lifetime:
    """Starts the engine at the server's lifespan event; on servers that never send one, at the first connection.

    SIGTERM and SIGINT first drain, then go on to whatever handler the server had installed, without a frame; a second
    one goes there at once.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._starting: asyncio.Task[DataDirectoryInUse | None] | None = None
        self._tasks = TaskRegistry()
        self._previous: dict[int, Handler] = {}
        self._draining = False
        self._changed = asyncio.Event()
        self._watchdog = Watchdog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        try:
            await self._start_once()
        except DataDirectoryInUse:
            await unavailable(scope, send)
            return
        await self._application(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._start_once()
        except DataDirectoryInUse as fault:
            await send({"type": "lifespan.startup.failed", "message": str(fault)})
            return
        # Daphne, the one server without a lifespan, is also the one that takes whatever is sent, at once.
        connections().server_pushes_back = True
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._watchdog.stop()
        await self._tasks.cancel_all()
        await stop_engine()
        await send({"type": "lifespan.shutdown.complete"})

    async def _start_once(self) -> None:
        # Several first connections at once wait for one start; a start that failed is tried again by the next.
        if self._starting is None or (self._starting.done() and not self._started()):
            self._starting = self._tasks.spawn(self._start(), name="start")
        if not self._starting.done():
            await asyncio.shield(self._starting)
        if refusal := self._starting.result():
            raise refusal

    def _started(self) -> bool:
        assert self._starting is not None
        return self._starting.exception() is None and self._starting.result() is None

    async def _start(self) -> DataDirectoryInUse | None:
        try:
            await start_engine()
        except DataDirectoryInUse as refusal:  # nothing has gone wrong; it only must not be
            log.error(str(refusal))
            return refusal
        self._loop = asyncio.get_running_loop()
        let_whole_messages_out()
        self._watchdog.start()
        access_changed.connect(self._recheck_soon, weak=False, dispatch_uid="lifetime")
        engine().rights_changed_elsewhere = self._changed.set
        self._tasks.spawn(self._recheck_for_ever(), name="rights of live connections")
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = _callable(number, signal.getsignal(number))
                signal.signal(number, self._on_signal)
        return None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._draining:
            self._previous[number](number, frame)
            return
        self._draining = True
        end_within(settings.DRAIN_GRACE + ENDS_WITHIN)
        self._loop.call_soon_threadsafe(lambda: self._tasks.spawn(self._drain(number), name="drain"))

    async def _drain(self, number: int) -> None:
        try:
            running = engine().supervisor.running
            log.info("draining", running=running, grace_s=settings.DRAIN_GRACE if running else 0)
            connections().draining = True
            await engine().supervisor.drain(grace=settings.DRAIN_GRACE)
            connections().end_all("restart")
            deadline = self._loop.time() + STREAMS_MAY_TAKE
            while len(connections()) and self._loop.time() < deadline:  # noqa: ASYNC110  bounded, and rare
                await asyncio.sleep(0.02)
        finally:  # whatever went wrong here, the server must hear of the signal
            self._previous[number](number, None)

    def _recheck_soon(self, **_: Any) -> None:
        """Somebody's rights have changed in this process; called on any thread."""
        self._loop.call_soon_threadsafe(self._rights_changed)

    def _rights_changed(self) -> None:
        self._changed.set()
        engine().doorbell.rights()

    async def _recheck_for_ever(self) -> None:
        """When rights change, here or where somebody rings; and every second for what changes elsewhere, behind our
        back, or by the clock.
        """
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(RECHECK_EVERY):
                    await self._changed.wait()
            self._changed.clear()
            try:
                await connections().end_the_unwelcome()
            except Exception as fault:
                log.warning("rights could not be checked again", exc_info=fault)
                await asyncio.sleep(RECHECK_EVERY)


def _callable(number: int, handler: Any) -> Handler:
    """A server's handler as something to call; the default one ends the process as it always does."""
    if callable(handler):
        return handler  # type: ignore[no-any-return]

    def default(_: int, __: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    return default

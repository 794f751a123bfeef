"""The runs that one socket follows: a task each, owned here, ended here."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from uuid import UUID

from conversations.models import Run
from streaming.eventlog.base import LogLost
from streaming.protocol.errors import InvalidRequest
from streaming.tasks import TaskRegistry
from streaming.transports.beginning import Beginning
from streaming.transports.broken import told_as_broken
from streaming.transports.follow import follow, is_terminal
from streaming.transports.live import Live
from streaming.wiring import Engine

SendText = Callable[[str], Awaitable[None]]


class Subscriptions:
    """``send`` writes one text frame and raises when the socket takes it no more."""

    def __init__(self, *, engine: Engine, tasks: TaskRegistry, live: Live, send: SendText, most: int) -> None:
        self._engine = engine
        self._tasks = tasks
        self._live = live
        self._send = send
        self._most = most
        self._following: dict[UUID, asyncio.Task[None]] = {}
        self._heads: dict[UUID, int] = {}

    @property
    def heads(self) -> dict[str, int]:
        """The last event that was sent of each run that is followed."""
        return {str(run_id): head for run_id, head in self._heads.items()}

    def require_room(self, run_id: UUID | None = None, *, places: int = 1) -> None:
        """Raises InvalidRequest where the socket may not follow ``places`` more runs, and ``run_id`` is not one that it
        follows already.
        """
        if run_id not in self._following and len(self._following) + places > self._most:
            raise InvalidRequest(f"A socket follows at most {self._most} runs.", details={"limit": self._most})

    async def begin(self, run: Run, start: Beginning) -> None:
        """Follow the run; a subscription that it had already is replaced."""
        await self.end(run.pk)
        if start.mode == "ended":
            return
        self._heads[run.pk] = start.after
        task = self._tasks.spawn(self._follow_or_say_why_not(run, start), name=f"socket follows {run.pk}")
        self._following[run.pk] = task
        task.add_done_callback(lambda done: self._ended(run.pk, done))

    async def end(self, run_id: UUID) -> None:
        task = self._following.pop(run_id, None)
        self._heads.pop(run_id, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def end_all(self) -> None:
        for run_id in list(self._following):
            await self.end(run_id)

    async def _follow_or_say_why_not(self, run: Run, start: Beginning) -> None:
        """A reader must not wait for ever for a run that is not followed any more: the socket is closed over it."""
        try:
            await self._follow(run.pk, start)
        except Exception as fault:
            await self._send(told_as_broken(run, fault))
            if not isinstance(fault, LogLost):
                self._live.end("restart")

    async def _follow(self, run_id: UUID, start: Beginning) -> None:
        if start.snapshot is not None:
            await self._send(start.snapshot)
        events = follow(
            tailer=self._engine.tailer,
            run_id=run_id,
            after=start.after,
            heartbeat=3600.0,  # the socket's own pings keep it alive
            live=self._live,
        )
        async with aclosing(events):
            async for news in events:
                for hint in news.hints:
                    await self._send(hint)
                for entry in news.entries:
                    await self._send(entry.text)
                    self._heads[run_id] = entry.id
                if news.entries and is_terminal(news.entries[-1]):
                    return

    def _ended(self, run_id: UUID, done: asyncio.Task[None]) -> None:
        if self._following.get(run_id) is done:
            del self._following[run_id]
            self._heads.pop(run_id, None)

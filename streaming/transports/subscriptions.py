"""The runs that one socket follows: a task each, owned here, ended here."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from uuid import UUID

from conversations.models import Run
from streaming.eventlog.base import LogLost
from streaming.protocol.errors import InvalidRequest
from streaming.protocol.marks import is_terminal
from streaming.tasks import TaskRegistry
from streaming.transports.beginning import Beginning
from streaming.transports.broken import told_as_broken
from streaming.transports.credit import Credit
from streaming.transports.falling_behind import Overtaking, TooFarBehind
from streaming.transports.follow import follow
from streaming.transports.live import Live
from streaming.wiring import Engine

SendText = Callable[[str], Awaitable[None]]


class SocketClosed(Exception):
    """The socket takes nothing any more."""


@dataclass(eq=False)
class _Followed:
    """A run on its way to the client. ``more`` is set when the client has acknowledged something."""

    run: Run
    start: Beginning
    credit: Credit
    more: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Subscriptions:
    """``send`` writes one text frame and raises SocketClosed when the socket takes it no more."""

    def __init__(self, *, engine: Engine, tasks: TaskRegistry, live: Live, send: SendText, most: int) -> None:
        self._engine = engine
        self._tasks = tasks
        self._live = live
        self._send = send
        self._most = most
        self._following: dict[UUID, _Followed] = {}

    @property
    def heads(self) -> dict[str, int]:
        """The last event of each run that is followed, as far as this process knows: a client that has applied less is
        behind.
        """
        tailer = self._engine.tailer
        return {
            str(run_id): max(tailer.head(run_id), followed.start.head, followed.credit.head)
            for run_id, followed in self._following.items()
        }

    def __contains__(self, run_id: UUID) -> bool:
        return run_id in self._following

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
        followed = _Followed(run, start, Credit(after=start.after))
        self._following[run.pk] = followed
        followed.task = self._tasks.spawn(self._follow_or_say_why_not(followed), name=f"socket follows {run.pk}")
        followed.task.add_done_callback(lambda _: self._ended(followed))

    def acknowledge(self, run_id: UUID, id: int) -> None:
        """The client has applied the run's events up to ``id``. Of a run that is not followed it means nothing: the
        last acknowledgement of a run often crosses its end. Raises InvalidRequest for an event that was not sent.
        """
        if followed := self._following.get(run_id):
            followed.credit.acknowledge(id)
            followed.more.set()

    async def end(self, run_id: UUID) -> None:
        """Follow the run no more; when this returns nothing of it is under way."""
        followed = self._following.pop(run_id, None)
        if followed is not None and followed.task is not None:
            followed.task.cancel()
            await asyncio.gather(followed.task, return_exceptions=True)

    async def _follow_or_say_why_not(self, followed: _Followed) -> None:
        """A reader must not wait for ever for a run that is not followed any more: the socket is closed over it."""
        try:
            await self._follow(followed)
        except SocketClosed:
            return
        except TooFarBehind:
            self._live.end("too_slow")
        except Exception as fault:
            with suppress(SocketClosed):
                await self._send(told_as_broken(followed.run, fault))
            if not isinstance(fault, LogLost):
                self._live.end("restart")

    async def _follow(self, followed: _Followed) -> None:
        run, start = followed.run, followed.start
        if start.snapshot is not None and self._live.may_deliver:
            await self._deliver(followed, start.after, start.snapshot)
        events = follow(
            tailer=self._engine.tailer,
            run_id=run.pk,
            after=start.after,
            heartbeat=3600.0,  # the socket's own pings keep it alive
            live=self._live,
            overtake=Overtaking(self._engine, run, start),
        )
        async with aclosing(events):
            async for news in events:
                if news.snapshot is not None:
                    await self._deliver(followed, *news.snapshot)
                for hint in news.hints:
                    await self._send(hint)
                for entry in news.entries:
                    if not self._live.may_deliver:
                        return
                    await self._deliver(followed, *entry)
                if news.entries and is_terminal(news.entries[-1]):
                    return
                if followed.credit.is_overdrawn:
                    self._live.end("rotation")
                    return

    async def _deliver(self, followed: _Followed, id: int, text: str) -> None:
        """Send one event, as soon as the client's credit allows it."""
        while not followed.credit.allows(len(text)):
            followed.more.clear()
            await followed.more.wait()
        await self._send(text)
        followed.credit.spend(id, len(text))

    def _ended(self, followed: _Followed) -> None:
        if self._following.get(followed.run.pk) is followed:
            del self._following[followed.run.pk]

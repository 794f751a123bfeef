"""The log of the largest installations: Redis Streams, one a run.

**Who may write.** The database says who holds a run: each claim raises its lease's number. Redis cannot ask it, so a
holder becomes the writer of a log in three steps, on its one connection, before it reads the log (``fence``):

1. It puts a *pen*, a random text, into the hash beside the stream. That is refused where a higher number has done so.
   ``APPEND`` takes nothing from anybody who has not the pen that lies there.
2. It asks the database whether the run is still its own, and reserves numbers, in one conditional update.
3. It reads the log, or makes it anew where it has been lost.

Say that A had the answer yes in step 2, and that B has claimed the run. B's claim came after that answer, so B's pen
came after A's. As long as Redis remembers B's pen, A is refused, whenever it wakes. When Redis forgets everything, A's
pen is gone too. Where it wakes up with an older state in which A's pen lies there again (a disk written once a second,
a replica that lagged), it is another process: A's connection has ended with the one before, and a pen is never used on
a connection on which it was not put down. So A begins with step 1, and fails in step 2. What A had sent and nobody had
carried out yet ended with the connection too, or is refused for its old pen. (One connection must be one Redis: no
proxy between that connects elsewhere in silence. A leader cut off from all others takes events that vanish; whoever
writes there hears within ten seconds from the database, through its checkpoints, that the run is not its own.)

**What is lost with Redis.** The process that writes a log can make it anew, at the same number: nobody notices but
readers who were behind, and they get a snapshot with ``gap: true``. Where both are gone, the rows have a checkpoint,
two seconds old or younger, and the number up to which events may have been seen; whoever goes on does so from the one
and beyond the other. So no number ever means two things. A Redis that has been restarted may have lost its last moments
without a trace: whoever finds a log of an earlier life of it takes what is there, and goes on beyond those numbers too.

**How it ends.** The events that end a run stand on its row, in the transaction that ends it, and so do those that open
it: readers see rows and stream together, and Redis may be away. Then the end comes to the stream too, which expires.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import structlog

from conversations.models import Run
from conversations.ports import ColumnEventStore, EventStore
from conversations.services.run_checkpoint import keep_head, keep_parked
from streaming.eventlog.base import READ_BYTES, READ_EVENTS, Beyond, Delayed, Extent, Fenced, Published, unheard
from streaming.eventlog.checkpoints import Checkpoints
from streaming.eventlog.held import Held
from streaming.eventlog.redis_keys import Keys
from streaming.eventlog.redis_link import Link
from streaming.eventlog.redis_reader import RedisReader
from streaming.eventlog.redis_store import RedisStore
from streaming.eventlog.writer import Writer
from streaming.offload import Offload
from streaming.protocol.codec import Entry
from streaming.protocol.marks import is_parked, is_terminal

log = structlog.get_logger(__name__)
T = TypeVar("T")


class RedisLog:
    """``kept`` seconds after its end a log is gone; ``alive`` seconds after its writer has begun, one that was left."""

    fenced_by_claims = False

    def __init__(self, *, url: str, prefix: str, kept: float, alive: float, patience: float = 20.0) -> None:
        keys = Keys(prefix)
        self._link = Link(url)
        self._store = RedisStore(link=self._link, keys=keys, alive=alive, kept=kept)
        self._writer = Writer(patience=patience, store=self._store)
        self._checkpoints = Checkpoints(self._store.held, lost=self._lost)
        self._reader = RedisReader(url=url, keys=keys)
        self._reading = Offload()  # while Redis stands still, these threads do
        self._ends = Offload(threads=2)  # an end may take its time without holding up a token, nor wait for readers
        self._appending: dict[UUID, asyncio.Future[None]] = {}
        self.event_store: EventStore = _RowsBesideRedis(self._store.held)

    def start(self, published: Published, *, delayed: Delayed = unheard) -> None:
        self._loop = asyncio.get_running_loop()
        self._published = published
        self._writer.start(published, delayed=delayed)
        self._checkpoints.start()

    async def fence(self, *, run_id: UUID, number: int, after: int = 0) -> tuple[int, list[Entry]]:
        numbers = {run_id: number}
        pens, heads = await self._writer.job(partial(self._store.take_pens, numbers))
        recorded = await self._ends(self._store.take_up, pens, heads, numbers)
        if run_id not in recorded:
            await self._writer.job(partial(self._store.forget, run_id, number))
            raise Fenced()
        begin = partial(self._store.begin, run_id, number, pens[run_id], recorded[run_id], heads[run_id])
        return await self._writer.job(begin), await self.read(run_id=run_id, after=after)

    def append(self, *, run_id: UUID, number: int, entries: Sequence[Entry]) -> asyncio.Future[None]:
        done = self._writer.append(run_id=run_id, number=number, entries=entries)
        self._appending[run_id] = done
        done.add_done_callback(partial(self._appended, run_id))
        return done

    async def run_last(self, closing: Callable[[], T], *, run_id: UUID) -> T:
        if last := self._appending.get(run_id):
            await asyncio.wait({last})
        return await self._ends(_with_head, self._store.held.get(run_id), closing)

    async def read(
        self, *, run_id: UUID, after: int, most: int = READ_EVENTS, most_bytes: int = READ_BYTES
    ) -> list[Entry]:
        return await self._reading(self._reader.read, run_id=run_id, after=after, most=most, most_bytes=most_bytes)

    async def extent(self, *, run_id: UUID, after: int) -> Extent:
        return await self._reading(self._reader.extent, run_id=run_id, after=after)

    async def news(self, heads: Mapping[UUID, int]) -> Beyond:
        return await self._reading(self._reader.news, heads)

    def rang(self, run_id: UUID, entries: Sequence[Entry]) -> None:
        self._published(run_id, entries)
        ended = is_terminal(entries[-1])
        if ended or any(map(is_parked, entries)):
            sealed = self._writer.job(partial(self._store.seal, run_id, entries, ended=ended))
            sealed.add_done_callback(partial(_told_of, run_id))

    async def stop(self) -> None:
        await self._ends(self._checkpoints.stop)
        await self._writer.stop()
        self._link.close()
        self._ends.stop()
        self._reading.stop()
        self._reader.close()

    def _appended(self, run_id: UUID, done: asyncio.Future[None]) -> None:
        if self._appending.get(run_id) is done:
            del self._appending[run_id]

    def _lost(self, run_id: UUID, number: int) -> None:
        """Called by the checkpoints' thread: whatever comes next for this run begins with the question whose it is."""
        log.info("a log is not ours any more", run=str(run_id), number=number)
        self._loop.call_soon_threadsafe(self._writer.job, partial(self._store.forget, run_id, number))


class _RowsBesideRedis(ColumnEventStore):
    def __init__(self, held: Mapping[UUID, Held]) -> None:
        self._held = held

    def write_midway(self, run: Run, entries: Sequence[Entry]) -> None:
        """A run may be parked for longer than Redis remembers, and nobody holds it: it must be whole in the rows."""
        point = self._held[run.pk].point_after(entries)
        keep_parked(run_id=run.pk, point=point)


def _with_head(held: Held | None, closing: Callable[[], T]) -> T:
    if held is not None:
        keep_head(run_id=held.run_id, number=held.number, head=held.head)
    return closing()


def _told_of(run_id: UUID, sealed: asyncio.Future[Any]) -> None:
    if not sealed.cancelled() and (fault := sealed.exception()) is not None:
        log.warning("a log's end is with its rows only", run=str(run_id), fault=str(fault))

"""The one writer thread of a process: takes everything pending, commits it as one, releases it, takes the next.

Under load the batches grow by themselves. Where they are committed to is its ``Store``. The thread has a database
connection of its own for life: reopening SQLite at every commit costs 1.3 ms instead of 0.1.
"""

import asyncio
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, Protocol, TypeVar
from uuid import UUID

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection

from conversations.database import storage_error
from streaming.eventlog.base import Delayed, Fenced, Published, unheard
from streaming.eventlog.commit import RunBatch, commit, joined
from streaming.protocol.codec import Entry
from streaming.protocol.errors import ChatError, InternalError

log = structlog.get_logger(__name__)
T = TypeVar("T")
_Outcome = dict[tuple[int, int], Exception | None]  # by the key of a batch
# Seconds between two tries: what comes back is found at once, and what is away is not asked in a hurry.
LONGEST_PAUSE = 0.5
# Seconds for which SQLite waits for other processes' writes before readers are told what they wait for; then once more.
TOLD_AFTER = 1.0


@dataclass(eq=False, slots=True)
class _Append:
    batch: RunBatch
    done: asyncio.Future[None]


@dataclass(eq=False, slots=True)
class _Job:
    work: Callable[[], Any]
    done: asyncio.Future[Any]


class Store(Protocol):
    """Where batches become durable. All of it is called in the writer's thread."""

    def open(self) -> None:
        """Take what connection there is to have; raises nothing where there is none yet."""

    def commit(self, batches: Sequence[RunBatch], *, perhaps_written: bool) -> Sequence[RunBatch]:
        """Write what may be written and return the batches that are fenced out. Raises OperationalError or
        InterfaceError where trying again may help.

        ``perhaps_written``: an earlier try broke off at a moment when it may have been carried out.
        """
        ...

    def close(self) -> None:
        """Let go of the connection, after a fault too: the next commit takes a new one."""


class DatabaseStore:
    def open(self) -> None:
        """Now: when a server has no more connections to give, runs that are under way need none."""
        try:
            connection.ensure_connection()
            if connection.vendor == "sqlite":
                with connection.cursor() as cursor:
                    cursor.execute(f"PRAGMA busy_timeout = {int(TOLD_AFTER * 1000)}")
        except DatabaseError as fault:
            log.warning("the writer has no connection yet", fault=type(fault).__name__)

    def commit(self, batches: Sequence[RunBatch], *, perhaps_written: bool) -> Sequence[RunBatch]:
        if connection.connection is None:
            self.open()
        return commit(batches, perhaps_written=perhaps_written)

    def close(self) -> None:
        connection.close()


class Writer:
    """``patience``: for how many seconds a batch is tried again before its runs are told that storage is busy."""

    def __init__(self, *, patience: float = 20.0, store: Store | None = None) -> None:
        self._patience = patience
        self._store = store or DatabaseStore()
        self._pending: deque[_Append | _Job] = deque()
        self._gathered: list[_Append | _Job] = []  # in this turn of the event loop
        self._more = threading.Condition()
        self._stopping = False

    def start(self, published: Published, *, delayed: Delayed = unheard) -> None:
        self._loop = asyncio.get_running_loop()
        self._published = published
        self._delayed = delayed
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="event-writer", daemon=True)
        self._thread.start()

    def append(self, *, run_id: UUID, number: int, entries: Sequence[Entry]) -> asyncio.Future[None]:
        done: asyncio.Future[None] = self._loop.create_future()
        self._put(_Append(RunBatch(run_id, number, list(entries)), done))
        return done

    def job(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Run ``work`` in this thread after all that was appended before."""
        done: asyncio.Future[T] = self._loop.create_future()
        self._put(_Job(work, done))
        return done

    async def stop(self) -> None:
        """Finish what is pending, then end the thread."""
        self._hand_over()
        with self._more:
            self._stopping = True
            self._more.notify()
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def _put(self, item: _Append | _Job) -> None:
        """Called in the loop. What comes in one turn of it goes to the thread at once: one commit, not many."""
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append(item)

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            with self._more:
                self._pending.extend(gathered)
                self._more.notify()

    def _run(self) -> None:
        self._store.open()
        while items := self._take():
            for appends, job in _groups(items):
                try:
                    if appends:
                        self._write(appends)
                    if job:
                        self._carry_out(job)
                except Exception as fault:  # the only writer of all runs: it must outlive every fault
                    self._give_up([*appends, *([job] if job else [])], fault)
        self._store.close()

    def _give_up(self, items: Sequence[_Append | _Job], fault: Exception) -> None:
        log_id = secrets.token_hex(8)
        log.error("the writer stumbled and goes on", log_id=log_id, exc_info=fault)
        self._store.close()
        for item in items:
            self._in_loop(partial(_settle, item.done, None, InternalError(log_id=log_id)))

    def _take(self) -> list[_Append | _Job]:
        with self._more:
            while not self._pending and not self._stopping:
                self._more.wait()
            items = list(self._pending)
            self._pending.clear()
        return items

    def _write(self, appends: list[_Append]) -> None:
        batches = joined(append.batch for append in appends)
        outcome: _Outcome = {}
        self._commit(batches, outcome, deadline=time.monotonic() + self._patience)
        self._release(appends, batches, outcome)

    def _commit(
        self,
        batches: list[RunBatch],
        outcome: _Outcome,
        *,
        deadline: float,
        perhaps_written: bool = False,
    ) -> None:
        """Fill ``outcome`` for every batch: None where it is committed."""
        try:
            fenced = self._insist(batches, deadline=deadline, perhaps_written=perhaps_written)
        except Exception as fault:  # the storage's, or one of ours over some run's events
            if not isinstance(fault, DatabaseError):
                self._store.close()
            if len(batches) > 1:  # something in one run's events: the others must not suffer, nor wait once more
                for batch in batches:
                    self._commit([batch], outcome, deadline=deadline, perhaps_written=True)
                return
            outcome[batches[0].key] = _told(fault, batches[0].run_id)
            return
        for batch in batches:
            outcome[batch.key] = Fenced() if batch in fenced else None

    def _insist(self, batches: list[RunBatch], *, deadline: float, perhaps_written: bool) -> Sequence[RunBatch]:
        """Try until ``deadline``, but once at least."""
        pause, told = 0.05, perhaps_written
        while True:
            try:
                return self._store.commit(batches, perhaps_written=perhaps_written)
            except (OperationalError, InterfaceError) as fault:
                self._store.close()
                if time.monotonic() >= deadline:
                    raise OperationalError(*fault.args) from fault
                if not told:
                    self._in_loop(partial(self._delayed, [batch.run_id for batch in batches]))
                log.warning("storage does not take events, trying again", fault=str(fault), runs=len(batches))
                perhaps_written = told = True
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _release(
        self,
        appends: list[_Append],
        batches: list[RunBatch],
        outcome: _Outcome,
    ) -> None:
        def in_the_loop() -> None:
            for batch in batches:
                if outcome[batch.key] is None:
                    self._publish(batch)
            for append in appends:
                _settle(append.done, None, outcome[append.batch.key])

        self._in_loop(in_the_loop)

    def _publish(self, batch: RunBatch) -> None:
        try:
            self._published(batch.run_id, batch.entries)
        except Exception as fault:  # readers find it in the log; who waits for the commit must not wait for ever
            log.error("written events could not be made known", run_id=str(batch.run_id), exc_info=fault)

    def _carry_out(self, job: _Job) -> None:
        result, fault = None, None
        try:
            result = job.work()
        except Exception as raised:  # handed to whoever awaits the job
            fault = raised
            if isinstance(raised, OperationalError | InterfaceError):
                connection.close()
        self._in_loop(lambda: _settle(job.done, result, fault))

    def _in_loop(self, callback: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:
            log.warning("the event loop ended before the writer did")


def _told(fault: Exception, run_id: UUID) -> ChatError:
    """What the run is told, with a line in the log to find it by."""
    error = storage_error(fault) if isinstance(fault, DatabaseError) else InternalError()
    error.log_id = secrets.token_hex(8)
    log.error("events could not be written", run_id=str(run_id), log_id=error.log_id, exc_info=fault)
    return error


def _groups(items: list[_Append | _Job]) -> Iterator[tuple[list[_Append], _Job | None]]:
    """Runs of appends, each as one group, and jobs one by one, in order."""
    for is_job, group in groupby(items, key=lambda item: isinstance(item, _Job)):
        if is_job:
            for item in group:
                assert isinstance(item, _Job)
                yield [], item
        else:
            yield [item for item in group if isinstance(item, _Append)], None


def _settle(done: asyncio.Future[Any], result: Any, fault: Exception | None) -> None:
    if done.done():
        return
    if fault is None:
        done.set_result(result)
    else:
        done.set_exception(fault)

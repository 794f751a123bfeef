"""How verbs write: one transaction each, and on SQLite one writer at a time."""

import functools
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

from conversations.line import Line
from streaming.protocol.errors import ChatError, StorageBusy, StorageFull

P = ParamSpec("P")
R = TypeVar("R")

# SQLite has one writer. Waiting in line here costs less than its busy handler's growing sleeps: measured with eight
# other writers, the p99 of an event fell from 93 ms to 10. Reentrant, because a verb may use another one.
_sqlite_writer = threading.RLock()


_line = Line()
_for_request: ContextVar[bool] = ContextVar("for_request", default=False)
REQUEST_PATIENCE = 5.0  # seconds, also of what a request writes without a verb: sessions, accounts

TRIES = 3
# PostgreSQL has undone a transaction so that another one could go on; begun anew, it finds its way free.
_DEADLOCK, _SERIALIZATION_FAILURE = "40P01", "40001"


@contextmanager
def impatient() -> Iterator[None]:
    """What is written in here is written for a request, which must not hold its thread for long."""
    token = _for_request.set(True)
    try:
        yield
    finally:
        _for_request.reset(token)


@contextmanager
def writing(*, patience: float = 20.0) -> Iterator[None]:
    """One transaction that writes. On SQLite it has the whole process's write lock, so keep it short.

    ``patience``: for how many seconds it waits for other writers of this process before it raises OperationalError, as
    SQLite does after the same time for those of other processes; a request waits as its line says, for both together.
    """
    if connection.vendor != "sqlite":
        with transaction.atomic():
            yield
        return
    with ExitStack() as held:
        if connection.in_atomic_block:  # a verb in a verb
            held.enter_context(_sqlite_writer)
            held.enter_context(transaction.atomic())
            yield
            return
        if _for_request.get():
            with _line.waiting() as turn:
                _hold(held, taken=turn.take(_sqlite_writer))
                with _busy_timeout(turn.left()):
                    held.enter_context(transaction.atomic())
        else:
            _hold(held, taken=_sqlite_writer.acquire(timeout=patience))
            held.enter_context(transaction.atomic())
        _line.began()
        yield


def _hold(held: ExitStack, *, taken: bool) -> None:
    if not taken:
        raise OperationalError("database is locked")
    held.callback(_sqlite_writer.release)
    held.callback(_line.ended)


@contextmanager
def _busy_timeout(seconds: float) -> Iterator[None]:
    if seconds >= REQUEST_PATIENCE - 0.1:
        yield  # nobody was waited for; so long the connection waits as it is
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        (usual,) = cursor.fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {max(0, int(seconds * 1000))}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(usual)}")


@receiver(connection_created)
def _bound(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    if connection.vendor == "sqlite" and _for_request.get():
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {int(REQUEST_PATIENCE * 1000)}")


def verb(change: Callable[P, R]) -> Callable[P, R]:
    """A change of state: one transaction around the whole function.

    Where the database undoes it in favour of another one, the function is called again, up to ``TRIES`` times in all.
    """

    @functools.wraps(change)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        for tried in range(1, TRIES):
            try:
                with writing():
                    return change(*args, **kwargs)
            except OperationalError as fault:
                # In a verb of somebody else's the whole of it has been undone, so that is theirs to try again.
                if not undone_for_another(fault) or connection.in_atomic_block:
                    raise
            time.sleep(random.uniform(0, 0.05 * tried))
        with writing():
            return change(*args, **kwargs)

    return inside


def undone_for_another(fault: BaseException) -> bool:
    """Whether ``fault`` is a deadlock or a serialization failure, after which the same may succeed."""
    return getattr(fault.__cause__, "sqlstate", None) in (_DEADLOCK, _SERIALIZATION_FAILURE)


def storage_error(fault: Exception) -> ChatError:
    """A database's exception as one of ours, without its text, which may hold addresses and user names."""
    if "full" in str(fault).lower() or "No space" in str(fault):
        return StorageFull()
    return StorageBusy(retry_after_ms=1000)

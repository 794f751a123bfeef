"""Who waits for a model server, in which turn, and how long its runs have taken lately.

The database is the queue: nothing here is kept anywhere else, so a queue outlives every process.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, models
from django.db.models import QuerySet

from chatserver.rows import Rows, as_uuid, marks, stored_id
from conversations.models import Run
from streaming.protocol.lifecycle import ACTIVE, HELD

LATELY = 20  # the last runs of a model server, from which the next ones are estimated
SERVERS = 50  # for how many at once there are estimates; without a bound PostgreSQL expects hundreds and compiles
_MOMENT = models.DateTimeField()
_RUNS = Rows(Run)

_WAITING_OF = """
SELECT COUNT(*) FROM (SELECT 1 FROM conversations_run WHERE owner_id = %s AND status = 'queued' LIMIT %s) waiting
"""
_UNDER_WAY = f"""thread_id = %s AND status IN ({", ".join(f"'{status}'" for status in sorted(ACTIVE))})
ORDER BY waiting, lane, created_at, id"""
_SOMEBODY_WAITS = "SELECT 1 FROM conversations_run WHERE thread_id = %s AND waiting LIMIT 1"
# Runs that wait for a worker: queued, or parked with nothing left that a person has to decide.
_CLAIMABLE = """(run.status = 'queued' AND NOT run.waiting)
    OR (run.status = 'requires_action' AND NOT EXISTS (
        SELECT 1 FROM conversations_approval undecided WHERE undecided.run_id = run.id AND undecided.decision = ''
    ))"""
# The turn of a run: how many of its owner's come before it at that model server, at work or waiting, and itself. First
# come those whose turn is the lowest, then the oldest: so nobody's many questions keep another's one waiting.
_QUEUE = f"""
WITH busy AS (
    SELECT provider, owner_id, COUNT(*) AS runs
    FROM conversations_run WHERE status IN ('in_progress', 'cancelling')
    GROUP BY provider, owner_id
), turns AS (
    SELECT run.id, run.thread_id, run.provider, run.created_at,
        COALESCE(busy.runs, 0)
        + ROW_NUMBER() OVER (PARTITION BY run.provider, run.owner_id ORDER BY run.created_at, run.id) AS turn
    FROM conversations_run run
    LEFT JOIN busy ON busy.provider = run.provider AND busy.owner_id = run.owner_id
    WHERE {_CLAIMABLE}
), queue AS (
    SELECT id, thread_id, provider, created_at,
        ROW_NUMBER() OVER (PARTITION BY provider ORDER BY turn, created_at, id) AS position
    FROM turns
)
"""
_LOADS = f"""
SELECT waits.provider, waits.runs,
    (SELECT COUNT(*) FROM conversations_run busy
     WHERE busy.provider = waits.provider AND busy.status IN ('in_progress', 'cancelling')),
    (SELECT max_parallel FROM conversations_modelserver server WHERE server.name = waits.provider)
FROM (SELECT run.provider, COUNT(*) AS runs FROM conversations_run run WHERE {_CLAIMABLE} GROUP BY run.provider) waits
"""
_IN_TURN = _QUEUE + "SELECT id FROM queue WHERE provider = %s ORDER BY position LIMIT %s"

_SECONDS = {
    "sqlite": "(JULIANDAY(done.finished_at) - JULIANDAY(done.started_at)) * 86400.0",
    "postgresql": "EXTRACT(EPOCH FROM done.finished_at - done.started_at)",
}


@dataclass(frozen=True, kw_only=True)
class Load:
    """What there is to do at a model server. ``max_parallel`` is its own bound; None where it has none of its own."""

    server: str
    waiting: int
    running: int
    max_parallel: int | None


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a run stands in the line of its model server: ``position`` 1 is next. ``running`` are at work there now,
    and the last ones ``took`` so many seconds each; None where none has ended yet. ``lasting``: not only since now.
    """

    run_id: UUID
    thread_id: UUID
    lasting: bool
    position: int
    running: int
    took: float | None


def held_at(servers: Collection[str]) -> QuerySet[Run]:
    """Runs that take a place at one of these model servers: at work, wherever, or left by a process that is gone."""
    return Run.objects.filter(status__in=HELD, provider__in=servers)


def waiting_of(owner_id: UUID, *, most: int) -> int:
    """How many runs of a person nobody works on yet; not more than ``most`` are counted."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING_OF, [stored_id(owner_id), most])
        return int(cursor.fetchone()[0])


def runs_under_way(thread_id: UUID) -> list[Run]:
    """What goes on in a thread: first the runs that answer, by lane, then the sends that wait, in their order."""
    return _RUNS.find(_UNDER_WAY, stored_id(thread_id))


def somebody_waits(thread_id: UUID) -> bool:
    """Whether a send waits in a thread. Every end of a run asks it, so it is no more than it must be."""
    with connection.cursor() as cursor:
        cursor.execute(_SOMEBODY_WAITS, [stored_id(thread_id)])
        return cursor.fetchone() is not None


def loads() -> list[Load]:
    """The model servers for which runs wait. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_LOADS)
        return [Load(server=name, waiting=w, running=r, max_parallel=most) for name, w, r, most in cursor.fetchall()]


def in_turn(*, server: str, most: int) -> list[UUID]:
    """The runs that are next at a model server."""
    with connection.cursor() as cursor:
        cursor.execute(_IN_TURN, [server, most])
        return [as_uuid(row[0]) for row in cursor.fetchall()]


def still_claimable(*, run_ids: Sequence[UUID], thread_ids: Sequence[UUID]) -> list[UUID]:
    """Those of the runs that wait for a worker now, of these threads."""
    if not run_ids or not thread_ids:
        return []
    sql = f"""SELECT run.id FROM conversations_run run WHERE ({_CLAIMABLE})
        AND run.id IN {marks(run_ids)} AND run.thread_id IN {marks(thread_ids)}"""
    with connection.cursor() as cursor:
        cursor.execute(sql, [stored_id(each) for each in (*run_ids, *thread_ids)])
        return [as_uuid(row[0]) for row in cursor.fetchall()]


def places(*, run_ids: Collection[UUID], before: datetime) -> list[Place]:
    """Where those of the runs stand that wait. Those made ``before`` are lasting. One query, however many wait."""
    if not run_ids:
        return []
    values = [_MOMENT.get_db_prep_value(before, connection)]
    values += [stored_id(run_id) for run_id in run_ids]
    with connection.cursor() as cursor:
        cursor.execute(_places_of(len(run_ids), connection.vendor), values)
        return [_place(*row) for row in cursor.fetchall()]


def _places_of(count: int, vendor: str) -> str:
    # A parked run's time from start to end has a person's in it; it tells nothing about the model server.
    # Once a server, not once a row: a thousand rows of one server took PostgreSQL 170 ms, and take it 17.
    return f"""{_QUEUE}, servers AS MATERIALIZED (
        SELECT provider,
            (SELECT SUM(runs) FROM busy WHERE busy.provider = waits.provider) AS running,
            (SELECT AVG(seconds) FROM (
                SELECT {_SECONDS[vendor]} AS seconds FROM conversations_run done
                WHERE done.provider = waits.provider AND done.finished_at IS NOT NULL
                AND done.started_at IS NOT NULL AND done.so_far IS NULL
                ORDER BY done.finished_at DESC LIMIT {LATELY}
            ) latest) AS took
        FROM (SELECT DISTINCT provider FROM queue LIMIT {SERVERS}) waits
    )
    SELECT queue.id, queue.thread_id, queue.created_at < %s, queue.position, servers.running, servers.took
    FROM queue LEFT JOIN servers ON servers.provider = queue.provider
    WHERE queue.id IN ({", ".join(["%s"] * count)})
    """


def _place(run_id: Any, thread_id: Any, lasting: Any, position: int, running: Any, took: Any) -> Place:
    return Place(
        run_id=as_uuid(run_id),
        thread_id=as_uuid(thread_id),
        lasting=bool(lasting),
        position=position,
        running=int(running or 0),
        took=None if took is None else max(0.0, float(took)),
    )

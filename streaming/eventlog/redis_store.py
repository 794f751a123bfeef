"""Batches of many runs as one round trip to Redis, by whoever may write them. The argument is redis.py's."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from django.db import connection

from conversations.services.run_checkpoint import RESERVED, Point, RecordedLog, keep_points, take_up_logs
from streaming.eventlog.base import LogAway
from streaming.eventlog.commit import RunBatch
from streaming.eventlog.held import NO_PEN, Held, Pen
from streaming.eventlog.redis_keys import Keys
from streaming.eventlog.redis_link import Call, Link
from streaming.eventlog.redis_scripts import APPEND, BEGIN, SEAL, TAKE
from streaming.protocol.codec import Entry
from streaming.protocol.marks import is_snapshot
from streaming.protocol.snapshot import RunState

log = structlog.get_logger(__name__)
PAGE = 500
# A log that vanishes as often as it is made anew within one commit is one that cannot be written to.
TRIES = 3


class RedisStore:
    """``alive`` is for how many seconds an unfinished log is kept without anybody writing to it, ``kept`` for how many
    after its end. Used in the writer's thread only.
    """

    def __init__(self, *, link: Link, keys: Keys, alive: float, kept: float) -> None:
        self.held: dict[UUID, Held] = {}
        self._link = link
        self._keys = keys
        self._alive = _milliseconds(alive)
        self._kept = _milliseconds(kept)

    def open(self) -> None:
        try:
            self._link.connect()
        except LogAway as away:
            log.warning("the event log is away; runs wait for it", fault=str(away))

    def close(self) -> None:
        """The database's connection, which is asked for rights. That to Redis closes itself where it is of no use."""
        connection.close()

    def commit(self, batches: Sequence[RunBatch], *, perhaps_written: bool) -> Sequence[RunBatch]:
        self._link.connect()
        fenced: list[RunBatch] = []
        left = list(batches)
        for _ in range(TRIES):
            refused = self.take({batch.run_id: batch.number for batch in left if not self._has_a_pen(batch)})
            fenced += [batch for batch in left if batch.run_id in refused]
            left = [batch for batch in left if batch.run_id not in refused]
            left = self._append(left, fenced, perhaps_written=perhaps_written)
            if not left:
                break
        else:
            raise LogAway("Redis forgets events as fast as they are written")
        for batch in fenced:
            self.forget(batch.run_id, batch.number)
        return fenced

    def forget(self, run_id: UUID, number: int) -> None:
        """Somebody else has the run by now, or nobody ever will."""
        if self._same(run_id, number) is not None:
            del self.held[run_id]

    def take(self, numbers: Mapping[UUID, int]) -> set[UUID]:
        """Become the one who may write to these logs, over this connection, and have them as they are: found, or made
        anew. Returns those that are somebody else's by now. Raises LogAway.
        """
        if not numbers:
            return set()
        pens, heads = self.take_pens(numbers)
        recorded = self.take_up(pens, heads, numbers)
        for run_id, found in recorded.items():
            self.begin(run_id, numbers[run_id], pens[run_id], found, heads[run_id])
        return numbers.keys() - recorded.keys()

    def take_pens(self, numbers: Mapping[UUID, int]) -> tuple[dict[UUID, Pen], dict[UUID, int]]:
        """First: nobody else's pen writes from here on. The pens, where nobody with a higher number was here before,
        and how far the logs reach; 0 where there is none.
        """
        text = secrets.token_hex(8)
        calls = [
            Call(TAKE, self._keys.of(run_id), (str(number), text, self._alive)) for run_id, number in numbers.items()
        ]
        replies = dict(zip(numbers, self._at_once(calls), strict=True))
        heads = {run_id: int(reply[1]) for run_id, reply in replies.items() if reply != b"FENCED"}
        return dict.fromkeys(heads, Pen(text, self._link.turn, self._link.life)), heads

    def take_up(
        self, pens: Mapping[UUID, Pen], heads: Mapping[UUID, int], numbers: Mapping[UUID, int]
    ) -> dict[UUID, RecordedLog]:
        """Then: what the rows have, of the runs that are ours by the rows. Asks the database only."""
        if not pens:
            return {}
        (life,) = {pen.life for pen in pens.values()}

        def goes_on_from(run_id: UUID, recorded: RecordedLog) -> int:
            held = self._same(run_id, numbers[run_id])
            return _head_after(recorded, held=held, stream=heads[run_id], life=life)

        ours = {run_id: numbers[run_id] for run_id in pens}
        return take_up_logs(numbers=ours, life=life, goes_on_from=goes_on_from)

    def begin(self, run_id: UUID, number: int, pen: Pen, recorded: RecordedLog, stream: int) -> int:
        """Last: have the log as it is, and make it anew where it was lost; returns where it ends. Raises LogAway where
        that would not be over the pen's own connection.
        """
        if pen.turn != self._link.turn:
            raise LogAway("the connection to Redis is another one")
        held = self._same(run_id, number)
        head = _head_after(recorded, held=held, stream=stream, life=pen.life)
        ours = Held(run_id=run_id, number=number, pen=pen, reserved=head + RESERVED) if held is None else held
        if held is not None:
            held.pen, held.reserved = pen, head + RESERVED
            if stream >= held.head:
                held.wrote(self._read(run_id, after=held.head))
            else:
                self._make(ours, held.anew())
        elif not recorded.life:
            ours.begin(recorded.opening)
            self._make(ours, recorded.opening)
        elif head == stream:
            ours.begin(self._read(run_id, after=0))
        else:
            log.warning("a log was lost with its writer; it goes on from a snapshot", run=str(run_id), number=head)
            ours.begin_at(self._what_is_left(run_id, recorded, stream), head)
            self._make(ours, ours.anew())
        self.held[run_id] = ours
        return ours.head

    def seal(self, run_id: UUID, entries: Sequence[Entry], *, ended: bool) -> None:
        """The rows have these already; nobody writes after them for now, or for ever."""
        held = self.held.pop(run_id, None)
        if held is None and not ended:
            return
        pen = "" if held is None or ended else held.pen.text
        alive = self._kept if ended else self._alive
        texts = tuple(entry.text for entry in entries)
        self._at_once([Call(SEAL, self._keys.of(run_id), (pen, str(entries[0].id), alive, *texts))])

    def _at_once(self, calls: Sequence[Call]) -> list[Any]:
        """On a connection that is new, if need be: that Redis has closed the old one shows only when it is used. For
        what may be carried out twice.
        """
        self._link.connect()
        try:
            return self._link.call(calls)
        except LogAway:
            self._link.connect()
            return self._link.call(calls)

    def _append(self, batches: Sequence[RunBatch], fenced: list[RunBatch], *, perhaps_written: bool) -> list[RunBatch]:
        """Returns the batches whose log or pen is gone, and adds to ``fenced``."""
        lost = self._reserve(batches)
        fenced += [batch for batch in batches if batch.run_id in lost]
        writable = [batch for batch in batches if batch.run_id not in lost]
        calls = [
            Call(
                APPEND,
                self._keys.of(batch.run_id),
                (
                    self.held[batch.run_id].pen.text,
                    str(batch.old_head),
                    str(int(perhaps_written)),
                    *(entry.text for entry in batch.entries),
                ),
            )
            for batch in writable
        ]
        again = []
        for batch, reply in zip(writable, self._link.call(calls) if calls else (), strict=True):
            held = self.held[batch.run_id]
            match reply:
                case b"WRITTEN":
                    held.wrote(batch.entries)
                case b"ELSEWHERE":
                    fenced.append(batch)
                case _ if held.head not in (batch.old_head, batch.new_head):
                    fenced.append(batch)  # whatever has become of the log, this does not continue it
                case _:
                    held.pen = NO_PEN
                    again.append(batch)
        return again

    def _reserve(self, batches: Sequence[RunBatch]) -> set[UUID]:
        """No number is given out that is not reserved. The checkpoints see to that long before; where the database has
        not taken them for so long, it is waited for here. Returns the runs that are somebody else's.
        """
        beyond = [batch for batch in batches if batch.new_head > self.held[batch.run_id].reserved]
        points = [
            Point(run_id=batch.run_id, number=batch.number, head=self.held[batch.run_id].head) for batch in beyond
        ]
        lost = keep_points(points=points) if points else set()
        for batch in beyond:
            self.held[batch.run_id].reserved = self.held[batch.run_id].head + RESERVED
        return lost

    def _has_a_pen(self, batch: RunBatch) -> bool:
        held = self._same(batch.run_id, batch.number)
        return held is not None and held.pen.turn == self._link.turn

    def _same(self, run_id: UUID, number: int) -> Held | None:
        held = self.held.get(run_id)
        return held if held is not None and held.number == number else None

    def _make(self, held: Held, entries: Sequence[Entry]) -> None:
        """Raises LogAway where somebody else has taken the pen meanwhile: whoever has the higher number keeps it."""
        begins_with_snapshot = str(int(is_snapshot(entries[0])))
        texts = (entry.text for entry in entries)
        args = (held.pen.text, str(entries[0].id), begins_with_snapshot, self._alive, *texts)
        (reply,) = self._link.call([Call(BEGIN, self._keys.of(held.run_id), args)])
        if reply != b"BEGUN":
            raise LogAway("the log was taken while it was made")

    def _what_is_left(self, run_id: UUID, recorded: RecordedLog, stream: int) -> RunState:
        """The most that is known of a run whose log is not whole."""
        state = RunState()
        if stream >= recorded.head > 0:  # of an earlier life of Redis: its last moments may be missing
            state.extend(self._read(run_id, after=0))
        elif recorded.checkpoint is not None:
            state.extend([recorded.checkpoint])
        else:
            state.extend(recorded.opening)
        return state

    def _read(self, run_id: UUID, *, after: int) -> list[Entry]:
        entries: list[Entry] = []
        stream = self._keys.stream(run_id)
        while True:
            start = entries[-1].id if entries else after
            page = self._keys.entries(self._link.ask("XRANGE", stream, str(start + 1), "+", "COUNT", str(PAGE)))
            entries += page
            if len(page) < PAGE:
                return entries


def _head_after(recorded: RecordedLog, *, held: Held | None, stream: int, life: str) -> int:
    """The number after which a log goes on whose stream reaches to ``stream`` (0: there is none) in this life of Redis.

    Where ``held`` is given, the process has written it all along and knows. Otherwise the stream is the whole log only
    where nothing can have been lost since the rows were last told: in the same life of Redis, or where nothing can have
    been written since. If it is not, nobody knows which numbers readers have seen: the log goes on beyond all of them.
    """
    if held is not None:
        return max(stream, held.head)
    if not recorded.life:
        return recorded.opening[-1].id
    if stream >= recorded.head and (life == recorded.life or stream == recorded.reserved):
        return stream
    known = recorded.head if recorded.checkpoint is None else recorded.checkpoint.id
    return known if known == recorded.reserved else recorded.reserved + 1


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))

"""Reading the logs of runs: their streams, and what their rows have before, after and in place of them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError
from redis.retry import Retry

from conversations import selectors
from conversations.selectors import RunEnds
from streaming.eventlog.base import ASKED_AT_ONCE, READ_BYTES, READ_EVENTS, Beyond, Extent, LogAway, LogLost
from streaming.eventlog.recorded import recorded_snapshot
from streaming.eventlog.redis_keys import Keys, size_at
from streaming.eventlog.redis_link import CONNECT_PATIENCE, PATIENCE
from streaming.protocol.codec import Entry
from streaming.protocol.fitting import fitted
from streaming.protocol.marks import is_snapshot

log = structlog.get_logger(__name__)
FIRST_PAGE = 8


class RedisReader:
    """All of it is called in threads. The library's asynchronous client waits by ``asyncio.wait_for``, which in Python
    3.11 swallows the cancellation of a reader who leaves at the wrong moment.
    """

    def __init__(self, *, url: str, keys: Keys) -> None:
        self._keys = keys
        self._redis: Any = Redis.from_url(
            url,
            socket_timeout=PATIENCE,
            socket_connect_timeout=CONNECT_PATIENCE,
            protocol=2,
            # After a restart of Redis each connection of the pool is a dead one, and is made anew.
            retry=Retry(NoBackoff(), 1, supported_errors=(NotConnected,)),
        )
        self._redis.response_callbacks.clear()  # replies as they are: dicts of fields would cost more than they help

    def close(self) -> None:
        self._redis.close()

    def read(self, *, run_id: UUID, after: int, most: int, most_bytes: int) -> list[Entry]:
        entries = self._stream(run_id, after=after, most=most, most_bytes=most_bytes)
        if _goes_on(entries, after):
            return entries
        ends = selectors.run_ends(run_id)
        if ends is None:
            raise LogLost()
        told = _told_by_rows(ends, after)
        if told:
            # What the rows know of may have come to the stream meanwhile.
            entries = self._stream(run_id, after=after, most=most, most_bytes=most_bytes)
            if _goes_on(entries, after):
                return entries
        return _bounded(told, most=most, most_bytes=most_bytes)

    def extent(self, *, run_id: UUID, after: int) -> Extent:
        stream, writer = self._keys.of(run_id)
        there, (first, head, size, sealed), at = self._ask(
            ("EXISTS", stream),
            ("HMGET", writer, "first", "head", "size", "sealed"),
            ("XRANGE", stream, str(after), str(after)),
        )
        if there and sealed:
            return Extent(first=int(first), head=int(head), backlog_bytes=_backlog(int(size), at))
        ends = selectors.run_ends(run_id)
        if ends is None:
            return Extent(first=0, head=0, backlog_bytes=0)
        if not there or not head or _is_of_no_use(ends, int(head)):
            return _extent_of_rows(ends, after)
        return Extent(first=int(first), head=max(int(head), ends.head), backlog_bytes=_backlog(int(size), at))

    def news(self, heads: Mapping[UUID, int]) -> Beyond:
        """A question to Redis and one to the database; a second to that where only rows tell what is new."""
        # In this order: what a stream has not got yet may not be missed in its rows.
        now = selectors.log_heads(list(heads))
        streams = self._streams({run_id: head for run_id, head in heads.items() if head > 0})
        news = streams or {}
        behind = {}
        for run_id, head in heads.items():
            piece = news.get(run_id, [])
            known = piece[-1].id if piece else head
            # A full piece is not the stream's end: what follows is asked for the next time.
            if head > 0 and len(piece) < READ_EVENTS and now.get(run_id, 0) > known:
                behind[run_id] = known
        for run_id, entries in selectors.told_by_rows(behind).items() if behind else ():
            # That events are lost is known only of a stream that has answered.
            if streams is not None or not any(map(is_snapshot, entries)):
                news.setdefault(run_id, []).extend(entries)
        return {run_id: entries for run_id, entries in news.items() if entries}, heads.keys() - now.keys()

    def _stream(self, run_id: UUID, *, after: int, most: int, most_bytes: int) -> list[Entry]:
        """Fetches little more than it returns: a first handful of entries tells how large they are."""
        entries: list[Entry] = []
        size, page, stream = 0, min(FIRST_PAGE, most), self._keys.stream(run_id)
        while page > 0:
            start = entries[-1].id if entries else after
            (reply,) = self._ask(("XRANGE", stream, str(start + 1), "+", "COUNT", str(page)))
            found = self._keys.entries(reply)
            for entry in found:
                size += len(entry.text)
                if entries and size > most_bytes:
                    return entries
                entries.append(entry)
            if len(found) < page:
                break
            page = min(most - len(entries), (most_bytes - size) * len(entries) // size)
        return entries

    def _streams(self, heads: Mapping[UUID, int]) -> dict[UUID, list[Entry]] | None:
        """A bounded piece of each stream beyond its head. None while Redis is away: rows still tell of ends."""
        run_ids = list(heads)
        questions = []
        for begin in range(0, len(run_ids), ASKED_AT_ONCE):
            some = run_ids[begin : begin + ASKED_AT_ONCE]
            streams = [self._keys.stream(run_id) for run_id in some]
            after = [f"{heads[run_id]}-0" for run_id in some]
            questions.append(("XREAD", "COUNT", str(READ_EVENTS), "STREAMS", *streams, *after))
        try:
            replies = self._ask(*questions) if questions else []
        except LogAway as away:
            log.warning("the event log is away; readers of other processes' runs wait", fault=str(away))
            return None
        by_name = {self._keys.stream(run_id).encode(): run_id for run_id in run_ids}
        found = (stream for reply in replies for stream in reply or ())
        return {by_name[bytes(name)]: self._keys.entries(entries) for name, entries in found}

    def _ask(self, *commands: tuple[str, ...]) -> list[Any]:
        """One round trip. Raises LogAway."""
        pipe = self._redis.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        try:
            replies: list[Any] = pipe.execute()
        except (RedisError, OSError) as fault:
            raise LogAway(f"Redis does not answer: {type(fault).__name__}") from fault
        return replies


def _goes_on(entries: Sequence[Entry], after: int) -> bool:
    """Whether they follow ``after`` without a hole, or say themselves what they stand for."""
    return bool(entries) and (entries[0].id == after + 1 or is_snapshot(entries[0]))


def _told_by_rows(ends: RunEnds, after: int) -> list[Entry]:
    """What follows ``after`` where the stream does not tell."""
    if after < len(ends.opening):
        return ends.opening[after:]
    if not ends.ended:
        point = ends.checkpoint
        return [point] if point is not None and point.id > after else []
    if after >= ends.head:
        return []
    if ends.closing and after + 1 >= ends.closing[0].id:
        return ends.closing[after + 1 - ends.closing[0].id :]
    snapshot = recorded_snapshot(ends.run, gap=True, reason="log_lost")
    return [Entry(snapshot.as_of, fitted(snapshot))] if snapshot.as_of > after else _kept(ends, after)


def _kept(ends: RunEnds, after: int) -> list[Entry]:
    """Of a run from the time when the log was the database, the rows that tell its end."""
    return selectors.stored_entries(run_id=ends.run.pk, after=after, most=READ_EVENTS, most_bytes=READ_BYTES)


def _is_of_no_use(ends: RunEnds, head: int) -> bool:
    """Whether the stream has lost its end, so that there is a hole between it and what rows have."""
    if ends.ended:
        return head < ends.head - len(ends.closing)
    return head < ends.head


def _extent_of_rows(ends: RunEnds, after: int) -> Extent:
    size = sum(len(entry.text) for entry in ends.closing if entry.id > after)
    if ends.ended:
        first = ends.closing[0].id if ends.closing else 0
        return Extent(first=first, head=ends.head, backlog_bytes=size)
    if ends.checkpoint is not None:
        return Extent(first=ends.checkpoint.id + 1, head=ends.checkpoint.id, backlog_bytes=0)
    return Extent(first=min(1, len(ends.opening)), head=len(ends.opening), backlog_bytes=0)


def _backlog(size: int, at: Sequence[Any]) -> int:
    """Bytes after the entry ``at`` of the cursor; 0 where there is none, and so nothing to go on from."""
    return max(0, size - size_at(at[0][1])) if at else 0


def _bounded(entries: list[Entry], *, most: int, most_bytes: int) -> list[Entry]:
    taken: list[Entry] = []
    for entry in entries[:most]:
        most_bytes -= len(entry.text)
        if taken and most_bytes < 0:
            break
        taken.append(entry)
    return taken

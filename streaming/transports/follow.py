"""Following one run from a cursor: the loop that every transport stands on. It holds a cursor and nothing else."""

from collections.abc import AsyncGenerator
from contextlib import ExitStack, closing
from typing import Protocol
from uuid import UUID

import msgspec

from streaming.eventlog.tailer import Tailer
from streaming.patience import Patience
from streaming.protocol.codec import Entry
from streaming.protocol.marks import is_snapshot, is_terminal
from streaming.transports.live import Live


class Overtake(Protocol):
    """What a reader is given who cannot be told one by one what comes after ``cursor``."""

    async def __call__(self, cursor: int) -> Entry | None:
        """A snapshot for one whom the recent events have left behind; None where it need not be."""
        ...

    async def over_a_hole(self, cursor: int) -> Entry:
        """A snapshot for one whose next events the log has no more."""
        ...


class News(msgspec.Struct, frozen=True):
    """What a reader gets at once: numbered entries in order, and hints. Neither: a heartbeat's time of silence.

    ``snapshot``, with the number it stands at, comes alone and replaces all that the reader has.
    """

    entries: list[Entry] = []
    hints: list[str] = []
    snapshot: Entry | None = None


async def follow(
    *,
    tailer: Tailer,
    run_id: UUID,
    after: int,
    heartbeat: float,
    live: Live | None = None,
    overtake: Overtake | None = None,
) -> AsyncGenerator[News, None]:
    """Yield what comes after event ``after``, until the terminal event has been yielded or ``live`` is told to end: at
    once where its right has gone, with what there is where the server restarts.

    Reads at most 256 events / 256 KiB at a time; asks for more only when the caller does. ``overtake`` is asked with
    the cursor of a reader whom the recent events have left behind, and may give a snapshot to go on from; it must where
    the log does not have what comes next any more. Without it what there is is given.
    Raises LogLost.
    """
    cursor = after
    with ExitStack() as stack:
        subscription = stack.enter_context(tailer.subscribe(run_id))
        silence = stack.enter_context(closing(Patience(heartbeat)))
        if live is not None:
            stack.enter_context(live.waking(subscription.wake))
        while live is None or live.may_deliver:
            entries = subscription.recent(cursor)
            if entries is None and overtake is not None and (snapshot := await overtake(cursor)) is not None:
                if live is None or live.may_deliver:
                    yield News(snapshot=snapshot)
                cursor = snapshot.id
                continue
            asked_the_log = entries is None
            if entries is None:
                entries = await tailer.read(run_id, cursor)
            if live is not None and not live.may_deliver:
                return  # it ended while we read: nothing is given any more
            if entries and is_snapshot(entries[0]):
                yield News(snapshot=entries[0])
                cursor = entries[0].id
                continue
            if entries and entries[0].id > cursor + 1 and overtake is not None:
                snapshot = await overtake.over_a_hole(cursor)
                if live is None or live.may_deliver:
                    yield News(snapshot=snapshot)
                cursor = snapshot.id
                continue
            if len(entries) > 1:
                entries = _up_to_a_snapshot(entries)
            hints = subscription.take_hints()
            if entries or hints:
                yield News(entries, hints)
                if entries:
                    cursor = entries[-1].id
                    if is_terminal(entries[-1]):
                        return
                # A page of the log says nothing of the next one, and another reader may have come just as far.
                if asked_the_log or subscription.has_more(cursor):
                    continue
            if live is not None and live.ending is not None:
                return  # a restart takes nothing away: what there was has been given
            try:
                with silence:
                    await subscription.something_new()
            except TimeoutError:
                yield News()


def _up_to_a_snapshot(entries: list[Entry]) -> list[Entry]:
    for position, entry in enumerate(entries):
        if is_snapshot(entry):
            return entries[:position]
    return entries

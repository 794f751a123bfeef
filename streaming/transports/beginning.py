"""Where a reader who comes with a cursor begins: decided by ``attach``, with the snapshot where it needs one."""

from dataclasses import dataclass
from typing import Literal

from asgiref.sync import sync_to_async

from conversations.models import Run
from streaming.eventlog.base import LogLost
from streaming.eventlog.recorded import recorded_snapshot
from streaming.protocol.codec import Entry
from streaming.protocol.fitting import fitted
from streaming.transports.attach import FromSnapshot, NothingMore, Replay, Wish, attach
from streaming.transports.standing import standing, state_before_the_end
from streaming.wiring import Engine

Mode = Literal["replay", "snapshot", "ended"]


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """Events after ``after`` follow, before them ``snapshot``, whose number that is; nothing where it is ``ended``."""

    mode: Mode
    head: int
    after: int
    wish: Wish
    snapshot: str | None = None


async def beginning_of(engine: Engine, run: Run, *, after: int, wish: Wish) -> Beginning:
    """What a reader of ``run`` gets who has applied the events up to ``after``."""
    # As it is for whoever has just asked, and for those who come back to a run that others follow here.
    known = engine.tailer.at_hand(run.pk, after)
    stands = await standing(engine.event_log, run, after=after, known=known)
    match attach(stands, after=after, wish=wish):
        case NothingMore():
            return Beginning(mode="ended", head=stands.head, after=after, wish=wish)
        case Replay(after=start_after):
            return Beginning(mode="replay", head=stands.head, after=start_after, wish=wish)
        case FromSnapshot(gap=gap, reason=reason):
            made = await snapshot_of(engine, run, gap=gap, reason=reason)
            return Beginning(mode="snapshot", head=stands.head, after=made.id, wish=wish, snapshot=made.text)


async def snapshot_of(engine: Engine, run: Run, *, gap: bool, reason: str) -> Entry:
    """The number it stands at and its text: from the log while it has the run's beginning, from the rows after."""
    try:
        state = await state_before_the_end(engine.event_log, run.pk)
        snapshot = state.as_snapshot(gap, reason)
    except (LogLost, ValueError):
        snapshot = await sync_to_async(recorded_snapshot)(run, gap=gap, reason=reason)
    return Entry(snapshot.as_of, fitted(snapshot))

"""What becomes of a reader who cannot keep up: one snapshot instead of the backlog."""

from asgiref.sync import sync_to_async

from conversations import selectors
from conversations.models import Run
from streaming.eventlog.base import LogLost
from streaming.protocol.codec import Entry
from streaming.protocol.errors import NotFound
from streaming.protocol.lifecycle import TERMINAL, RunStatus
from streaming.transports.beginning import Beginning, snapshot_of
from streaming.wiring import Engine

MOST_EVENTS = 2000
MOST_BYTES = 4 * 1024 * 1024


class TooFarBehind(Exception):
    """A reader who takes no snapshots has to come again."""


class Overtaking:
    """Asked with the cursor of a reader whom the recent events have left behind.

    Only what was written since the reader came counts: who asks for a long history gets all of it, at their own pace.
    Costs one query where something was, and the fold of the log where it was too much. Raises TooFarBehind for a reader
    who asked for no snapshots.
    """

    def __init__(self, engine: Engine, run: Run, start: Beginning) -> None:
        self._engine = engine
        self._run = run
        self._wish = start.wish
        self._came_at = start.head

    async def __call__(self, cursor: int) -> Entry | None:
        base = max(cursor, self._came_at)
        if self._engine.tailer.head(self._run.pk) <= base:
            return None
        extent = await self._engine.event_log.extent(run_id=self._run.pk, after=base)
        if extent.head - base <= MOST_EVENTS and extent.backlog_bytes <= MOST_BYTES:
            return None
        if self._wish == "never":
            raise TooFarBehind()
        snapshot = await snapshot_of(self._engine, self._run, gap=False, reason="far_behind")
        if snapshot.id <= cursor:
            return None  # nothing is missing but the events of the end
        self._came_at = snapshot.id
        return snapshot

    async def over_a_hole(self, cursor: int) -> Entry:
        """Somebody waited so long that what they had not been given yet was pruned."""
        if self._wish == "never":
            raise TooFarBehind()
        try:
            run = (await sync_to_async(selectors.record_of)(self._run.pk)).run
        except NotFound:
            raise LogLost() from None
        ended = RunStatus(run.status) in TERMINAL
        snapshot = await snapshot_of(self._engine, run, gap=not ended, reason="log_pruned" if ended else "log_lost")
        if snapshot.id <= cursor:
            raise LogLost()
        self._came_at = snapshot.id
        return snapshot

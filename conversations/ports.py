"""What the streaming engine hands down to the verbs, so that conversations need not know which log is in use.

Without an engine (management commands, plain tests) events are rows and the bell is silent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from conversations.event_rows import insert_events
from conversations.models import Run, RunCheckpoint
from streaming.protocol.codec import Entry

# Rung after the commit with what was written, so that readers of this process need not fetch it: the first with a
# run's id, the second with that of the user whose feed it is.
Bell = Callable[[UUID, Sequence[Entry]], None]
FeedBell = Callable[[UUID, Sequence[Entry]], None]


@dataclass(frozen=True, kw_only=True)
class Tried:
    """How a model server was when it was asked for its models: one sentence."""

    ok: bool
    message: str


class EventStore(Protocol):
    """Writes events that belong to a change of state, inside its transaction."""

    def write_opening(self, run: Run, entries: Sequence[Entry]) -> None:
        """What a run begins with: at once, or one after the other for a send that waits."""

    def write_midway(self, run: Run, entries: Sequence[Entry]) -> None: ...

    def write_closing(self, run: Run, entries: Sequence[Entry]) -> None: ...


class RowEventStore:
    """The database log's half of it: rows of the same transaction."""

    def write_opening(self, run: Run, entries: Sequence[Entry]) -> None:
        insert_events([(run.pk, entries)])

    write_midway = write_closing = write_opening


class ColumnEventStore:
    """For logs outside the database: the texts stand on the run's row, and readers see log and row together."""

    def write_opening(self, run: Run, entries: Sequence[Entry]) -> None:
        run.opening_events = [*run.opening_events, *(entry.text for entry in entries)]
        Run.objects.filter(pk=run.pk).update(opening_events=run.opening_events)

    def write_midway(self, run: Run, entries: Sequence[Entry]) -> None:
        """Nothing: the bell brings them to the log, and a run whose log is lost does not go on."""

    def write_closing(self, run: Run, entries: Sequence[Entry]) -> None:
        Run.objects.filter(pk=run.pk).update(closing_events=[entry.text for entry in entries])
        RunCheckpoint.objects.filter(pk=run.pk).delete()  # from here on the rows tell everything


def _silent(of: UUID, entries: Sequence[Entry]) -> None:
    """Nobody listens: no engine runs in this process."""


def _nobody_asks(name: str) -> Tried:
    return Tried(ok=False, message="No engine runs in this process, so nobody can ask the model server.")


class Ports:
    def __init__(self) -> None:
        self.disconnect()

    def connect(
        self,
        *,
        event_store: EventStore,
        bell: Bell,
        feed_bell: FeedBell = _silent,
        try_model_server: Callable[[str], Tried] = _nobody_asks,
    ) -> None:
        """``try_model_server`` asks one, by its name, as it is configured now. It takes seconds, in a thread."""
        self.event_store = event_store
        self.bell = bell
        self.feed_bell = feed_bell
        self.try_model_server = try_model_server

    def disconnect(self) -> None:
        self.connect(event_store=RowEventStore(), bell=_silent)


ports = Ports()

"""What an event's text is, told by its beginning: nobody who only passes events on needs to parse them. Pure."""

from streaming.protocol.codec import Entry
from streaming.protocol.events import (
    TERMINAL_EVENTS,
    ErrorEvent,
    RunRequiresAction,
    Snapshot,
    StepCancelled,
    StepCompleted,
    StepFailed,
)


def _beginning(name: str) -> str:
    return f'{{"event":"{name}",'


_ERROR = _beginning(ErrorEvent.name)
_PARKED = _beginning(RunRequiresAction.name)
_SNAPSHOT = _beginning(Snapshot.name)
_TERMINAL = tuple(_beginning(name) for name in TERMINAL_EVENTS)
_STEP_ENDS = tuple(_beginning(event.name) for event in (StepCompleted, StepFailed, StepCancelled))


def is_terminal(entry: Entry) -> bool:
    return entry.text.startswith(_TERMINAL)


def is_parked(entry: Entry) -> bool:
    """The run waits for a person from here on, unless it went on since."""
    return entry.text.startswith(_PARKED)


def is_of_the_end(entry: Entry) -> bool:
    """The terminal event, or the ``error`` that stands directly before a failed one."""
    return entry.text.startswith((_ERROR, *_TERMINAL))


def is_snapshot(entry: Entry) -> bool:
    """What a log has in place of events that it lost."""
    return entry.text.startswith(_SNAPSHOT)


def ends_a_step(entry: Entry) -> bool:
    return entry.text.startswith(_STEP_ENDS)

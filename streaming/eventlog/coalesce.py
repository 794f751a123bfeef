"""Joining deltas, once, before they are numbered: the first at once, then every interval or so many characters.

Pure. After this nobody merges or drops; all readers see the same events.
"""

import msgspec
from msgspec import UNSET

from streaming.protocol.events import Event, MessageDelta, StepInProgress

Key = tuple[str, str]
# What is due within this share of an interval is due now: who reads on a beat reads twice an interval at most, and a
# timer for each piece that the beat brought a little early would be a commit of its own.
_NEARLY = 0.5


class Coalescer:
    """``interval`` in the unit of the ``now`` it is given, ``limit`` in characters. Order is kept."""

    def __init__(self, *, interval: float, limit: int) -> None:
        self._interval = interval
        self._limit = limit
        self._last_out = float("-inf")
        self._seen: set[Key] = set()  # one a message and a step: bounded by the run's steps
        self._key: Key | None = None
        self._held: Event | None = None
        self._pieces: list[str] = []
        self._size = 0

    @property
    def deadline(self) -> float | None:
        """When what is held must be flushed; None while nothing is held."""
        return None if self._held is None else self._last_out + self._interval

    def add(self, event: Event, now: float) -> list[Event]:
        """Take the next event; returns what is to be written now."""
        key, text = _joinable(event)
        if key is None:
            return [*self.flush(now), event]
        out = self.flush(now) if self._held is not None and key != self._key else []
        due = now - self._last_out >= (1 - _NEARLY) * self._interval
        if key not in self._seen:
            self._seen.add(key)
            due = True
        if due and self._held is None:  # as nearly always: there is nothing to join it with
            self._last_out = now
            return [*out, event]
        self._key, self._held = key, event
        self._pieces.append(text)
        self._size += len(text)
        if due or self._size >= self._limit:
            out += self.flush(now)
        return out

    def flush(self, now: float) -> list[Event]:
        """Everything that is held, as one event."""
        if self._held is None:
            return []
        event, text = self._held, "".join(self._pieces)
        self._held, self._pieces, self._size, self._last_out = None, [], 0, now
        return [_with_text(event, text)]


def _joinable(event: Event) -> tuple[Key | None, str]:
    if isinstance(event, MessageDelta):
        return ("message", ""), event.content
    # A tool's sentence replaces the one before and progress is a number: neither can be joined.
    if isinstance(event, StepInProgress) and event.progress is UNSET:
        if event.step == "reasoning" and isinstance(event.details, str):
            return ("details", event.step_id), event.details
        if event.details is UNSET and isinstance(event.output, str):
            return ("output", event.step_id), event.output
    return None, ""


def _with_text(event: Event, text: str) -> Event:
    if isinstance(event, MessageDelta):
        return MessageDelta(run_id=event.run_id, content=text)
    assert isinstance(event, StepInProgress)
    if event.step == "reasoning":
        return msgspec.structs.replace(event, details=text)
    return msgspec.structs.replace(event, output=text)

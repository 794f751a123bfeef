"""What one reader has seen of one run, held to the protocol's rules for clients: a gap or a repeat is a failure."""

import json
from dataclasses import dataclass
from typing import Any

TERMINAL = {f"thread.run.{status}" for status in ("completed", "incomplete", "failed", "cancelled", "expired")}


@dataclass(frozen=True)
class Event:
    """One envelope; ``text`` is the exact JSON that came."""

    text: str
    id: int | None
    name: str
    data: dict[str, Any]


class RuleBroken(AssertionError):
    """The server has sent what no client may ever get."""


def read_event(text: str) -> Event:
    assert text.isascii(), f"an event that is not ASCII: {text!r}"
    envelope = json.loads(text)
    assert list(envelope) in (["event", "id", "data"], ["event", "data"]), envelope
    assert text == json.dumps(envelope, separators=(",", ":")), f"not compact: {text[:200]}"
    return Event(text=text, id=envelope.get("id"), name=envelope["event"], data=envelope["data"])


class Transcript:
    """``after`` is the last event that this reader has applied before."""

    def __init__(self, *, after: int = 0) -> None:
        self.first = after
        self.last = after
        self.events: list[Event] = []
        self.hints: list[Event] = []
        self.snapshot: Event | None = None

    def take(self, text: str) -> Event:
        event = read_event(text)
        if event.name == "thread.run.snapshot":
            assert event.id == event.data["as_of"]
            self.snapshot, self.last = event, event.data["as_of"]
            self.events = []
        elif event.id is None:
            self.hints.append(event)
        else:
            if event.id != self.last + 1:
                raise RuleBroken(f"event {event.id} after event {self.last}")
            if self.ended:
                raise RuleBroken(f"event {event.id} after the end")
            self.last = event.id
            self.events.append(event)
        return event

    @property
    def ended(self) -> bool:
        return bool(self.events) and self.events[-1].name in TERMINAL

    @property
    def end(self) -> Event:
        assert self.ended, [event.name for event in self.events]
        return self.events[-1]

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.events]

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]

    @property
    def content(self) -> str:
        """The answer as its deltas add up."""
        return "".join(event.data["content"] for event in self.events if event.name == "thread.message.delta")

    @property
    def begun(self) -> str:
        """What the answer had when this run began: the text of earlier runs, where it goes on with it."""
        created = [event.data["message"] for event in self.events if event.name == "thread.message.created"]
        return "".join(message["content"] for message in created if message["role"] == "assistant")

    def one(self, name: str) -> Event:
        """The only event of this name."""
        found = [event for event in self.events if event.name == name]
        assert len(found) == 1, f"{len(found)} times {name} in {self.names}"
        return found[0]

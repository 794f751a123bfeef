"""What a reader who comes with a cursor gets: the table of the protocol's section 5, in its order. Pure."""

from dataclasses import dataclass
from typing import Literal

BACKLOG_EVENTS = 256
BACKLOG_BYTES = 128 * 1024

Wish = Literal["auto", "always", "never"]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A run at the moment of the call. ``first`` is the oldest event still in the log (0: none is)."""

    head: int
    ended: bool
    first: int
    backlog_bytes: int


@dataclass(frozen=True, kw_only=True)
class NothingMore:
    """The run has ended and the reader has it all."""


@dataclass(frozen=True, kw_only=True)
class Replay:
    after: int


@dataclass(frozen=True, kw_only=True)
class FromSnapshot:
    gap: bool
    reason: str


Answer = NothingMore | Replay | FromSnapshot


def attach(standing: Standing, *, after: int, wish: Wish) -> Answer:
    if standing.ended and after >= standing.head:
        return NothingMore()
    if after > standing.head:
        return FromSnapshot(gap=True, reason="cursor_ahead")
    if after + 1 < standing.first or standing.first == 0:
        if standing.ended:
            return FromSnapshot(gap=False, reason="log_pruned")
        return FromSnapshot(gap=True, reason="log_lost")
    if wish == "always":
        return FromSnapshot(gap=False, reason="asked")
    backlog = standing.head - after
    # From the beginning a reader gets everything that was said, however long; a snapshot is for those who missed some.
    if wish == "auto" and after > 0 and (backlog > BACKLOG_EVENTS or standing.backlog_bytes > BACKLOG_BYTES):
        return FromSnapshot(gap=False, reason="far_behind")
    return Replay(after=after)

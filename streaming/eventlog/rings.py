"""What processes tell each other: that there is something to look for, never what. Pure.

On the wire ids and numbers are packed into bytes of a fixed size, so there is no room for anybody's text.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

_NUMBERED = struct.Struct("!16sQ")
_ID = struct.Struct("!16s")


@dataclass
class Rings:
    """Merged: of each run and feed only the furthest number. ``claims``: something waits for a worker. ``rights``:
    somebody's have changed. ``servers``: the model servers have. ``wishes``: runs that somebody wants stopped, or gone
    on with.

    At most ``most`` of each kind; what comes on top of that is dropped, and found by the poll.
    """

    runs: dict[UUID, int] = field(default_factory=dict)
    feeds: dict[UUID, int] = field(default_factory=dict)
    wishes: dict[UUID, int] = field(default_factory=dict)  # a dict for its order; the numbers mean nothing
    claims: bool = False
    rights: bool = False
    servers: bool = False
    most: int = 1000
    dropped: int = 0

    def __bool__(self) -> bool:
        return bool(self.runs or self.feeds or self.wishes or self.claims or self.rights or self.servers)

    def run(self, run_id: UUID, head: int) -> None:
        self._note(self.runs, run_id, head)

    def feed(self, user_id: UUID, number: int) -> None:
        self._note(self.feeds, user_id, number)

    def wish(self, run_id: UUID) -> None:
        self._note(self.wishes, run_id, 0)

    def _note(self, kept: dict[UUID, int], key: UUID, number: int) -> None:
        if key in kept:
            kept[key] = max(kept[key], number)
        elif len(kept) < self.most:
            kept[key] = number
        else:
            self.dropped += 1

    def packed(self) -> dict[str, Any]:
        """As plain bytes and truth values."""
        return {
            "runs": _pack(self.runs),
            "feeds": _pack(self.feeds),
            "wishes": b"".join(run_id.bytes for run_id in self.wishes),
            "claims": self.claims,
            "rights": self.rights,
            "servers": self.servers,
        }


def unpacked(message: Mapping[str, Any]) -> Rings:
    """What another process has said; what it knows more than we is passed over. Raises ValueError."""
    try:
        return Rings(
            runs=dict(_unpack(message.get("runs", b""))),
            feeds=dict(_unpack(message.get("feeds", b""))),
            wishes={UUID(bytes=each): 0 for (each,) in _ID.iter_unpack(message.get("wishes", b""))},
            claims=message.get("claims") is True,
            rights=message.get("rights") is True,
            servers=message.get("servers") is True,
        )
    except (struct.error, TypeError) as fault:
        raise ValueError(f"no rings: {fault}") from None


def _pack(numbers: Mapping[UUID, int]) -> bytes:
    return b"".join(_NUMBERED.pack(key.bytes, number) for key, number in numbers.items())


def _unpack(data: bytes) -> Iterator[tuple[UUID, int]]:
    return ((UUID(bytes=key), number) for key, number in _NUMBERED.iter_unpack(data))

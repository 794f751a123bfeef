"""How the logs of runs are named in Redis, and what an entry of a stream is. Pure."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from streaming.protocol.codec import Entry


class Keys:
    """All names begin with ``prefix``, so that installations can share a Redis. The braces put the keys of a run into
    one slot of a cluster.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def stream(self, run_id: UUID) -> str:
        return f"{self._prefix}:log:{{{run_id}}}:events"

    def hash(self, run_id: UUID) -> str:
        return f"{self._prefix}:log:{{{run_id}}}:writer"

    def of(self, run_id: UUID) -> tuple[str, str]:
        return self.stream(run_id), self.hash(run_id)

    def entries(self, reply: Sequence[Any]) -> list[Entry]:
        """Of XRANGE, or of one stream of XREAD."""
        return [entry_of(id, fields) for id, fields in reply]


def entry_of(id: bytes, fields: Sequence[bytes]) -> Entry:
    return Entry(int(id.partition(b"-")[0]), fields[1].decode("ascii"))


def size_at(fields: Sequence[bytes]) -> int:
    """Of all texts of the log up to and with this one."""
    return int(fields[3])

"""What one subscription may be sent before its client acknowledges. Pure.

A server without back-pressure takes everything it is given, so what was sent may all be in its memory. A client that
acknowledges is sent a bounded amount beyond the last event it has acknowledged; one that never does cannot be told from
one that has stopped reading, so its socket is rotated after a bounded amount.
"""

from collections import deque

from streaming.protocol.errors import InvalidRequest

WINDOW_EVENTS = 1000
WINDOW_BYTES = 2 * 1024 * 1024
UNACKNOWLEDGED_BYTES = 4 * 1024 * 1024


class Credit:
    """``after``: the event that the subscription begins after. Sizes in bytes."""

    def __init__(self, *, after: int) -> None:
        self.head = after  # the last event that was sent
        self._acknowledged: int | None = None
        self._total = 0
        # What was sent beyond the last acknowledged event; before the first acknowledgement only the latest of it,
        # since more than a window would leave no room all the same.
        self._beyond: deque[tuple[int, int]] = deque()
        self._beyond_bytes = 0

    @property
    def is_overdrawn(self) -> bool:
        """Whether too much was sent to a client that has never acknowledged anything."""
        return self._acknowledged is None and self._total > UNACKNOWLEDGED_BYTES

    def allows(self, size: int) -> bool:
        """Whether an event of this size may be sent now. One always may where nothing else is on its way."""
        if self._acknowledged is None or not self._beyond:
            return True
        return len(self._beyond) < WINDOW_EVENTS and self._beyond_bytes + size <= WINDOW_BYTES

    def spend(self, id: int, size: int) -> None:
        """Event ``id``, or the snapshot that stands at it, has been sent."""
        self.head = id
        self._total += size
        self._beyond.append((id, size))
        self._beyond_bytes += size
        if len(self._beyond) > WINDOW_EVENTS:
            self._forget_first()

    def acknowledge(self, id: int) -> None:
        """The client has applied all events up to ``id``. What it has said before changes nothing.

        Raises InvalidRequest for an event that was not sent.
        """
        if id > self.head:
            raise InvalidRequest(f"Event {id} has not been sent.", details={"field": "id", "sent": self.head})
        self._acknowledged = max(id, self._acknowledged or 0)
        while self._beyond and self._beyond[0][0] <= self._acknowledged:
            self._forget_first()

    def _forget_first(self) -> None:
        self._beyond_bytes -= self._beyond.popleft()[1]

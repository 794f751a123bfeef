"""How much one socket may say. Pure: a token bucket over the frames of a client."""

BURST = 1000.0  # frames at once: far more than fifty subscriptions and their acknowledgements
PER_SECOND = 100.0
FRAME_BYTES = 4096  # what a frame may hold for one token; a large frame costs as many as it has of these
MOST_WAITING = 1024 * 1024  # bytes of frames that wait for the one that is being worked on


class Inflow:
    """``now`` in seconds of any clock that only goes forward."""

    def __init__(self, *, now: float) -> None:
        self._tokens = BURST
        self._at = now
        self._waiting = 0

    def takes(self, size: int, *, now: float) -> bool:
        """Whether a frame of ``size`` bytes may come in now; if so it waits until it is ``done``."""
        self._tokens = min(BURST, self._tokens + (now - self._at) * PER_SECOND)
        self._at = now
        self._tokens -= 1 + size // FRAME_BYTES
        if self._tokens < 0 or self._waiting + size > MOST_WAITING:
            return False
        self._waiting += size
        return True

    def done(self, size: int) -> None:
        self._waiting -= size

"""Moments that many share: streams that wait for the same one are served by one turn of the event loop."""

import asyncio

# A loop's clock goes by milliseconds, and its timers by rounded ones. Without this whoever is woken a hair before a
# strike would wait for half an interval instead of a whole one.
_EARLY = 0.001


class Beat:
    """Strikes ``parts`` times in each ``interval`` (seconds), as long as somebody waits.

    A hundred streams that each wait 40 ms by themselves wake the loop, and the writer behind it, 2,500 times a second;
    on a beat of 20 ms it is fifty times.

    Where strikes come late the process has more to do than it can, and those who wait are sent further ahead, up to
    ``longest`` intervals: fewer and larger pieces cost less, and what is left over goes to those who wait for a first
    word. Belongs to one event loop.
    """

    def __init__(self, interval: float, *, parts: int = 2, longest: float = 4.0) -> None:
        self._interval = interval
        self._period = interval / parts
        self._longest = longest
        self._stretched = 1.0
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}

    def number_after(self, moment: float) -> int:
        """The last strike that is not later than one interval (as it is now) after ``moment``, of the loop's clock."""
        return int((moment + self._interval * self._stretched + _EARLY) / self._period)

    def came(self, late: float) -> None:
        """A strike has come so many seconds late. It takes half a second of that to stretch the interval to its
        longest, and two seconds of punctual strikes to bring it back.
        """
        if late > self._period / 2:
            self._stretched = min(self._longest, self._stretched * 1.1)
        else:
            self._stretched = max(1.0, self._stretched * 0.98)

    def strike(self, number: int) -> asyncio.Future[None] | None:
        """Is done when strike ``number`` has come; None where it has passed. Each who waits has one of their own."""
        loop = asyncio.get_running_loop()
        at = number * self._period
        if at <= loop.time():
            return None
        waiting = self._waiting.get(number)
        if waiting is None:
            waiting = self._waiting[number] = []
            loop.call_at(at, self._struck, number)
        struck = loop.create_future()
        waiting.append(struck)
        return struck

    def _struck(self, number: int) -> None:
        self.came(asyncio.get_running_loop().time() - number * self._period)
        for struck in self._waiting.pop(number):
            if not struck.done():  # whoever waited may have been cancelled
                struck.set_result(None)

"""When to look for what other processes have written."""

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
GATHER = 0.003  # seconds: rings come in swarms, and one question serves all that rang


class Rounds(Generic[Key]):
    """Once an ``interval`` (seconds) it is everybody's turn, and in between that of those for whom a bell rang."""

    def __init__(self, *, interval: float) -> None:
        self._interval = interval
        self._due: float | None = None
        self._rang: set[Key] = set()
        self._bell = asyncio.Event()

    def ring(self, key: Key) -> None:
        """Keys are of those who are followed here, so there are not more of them than of those."""
        self._rang.add(key)
        self._bell.set()

    def forget(self, key: Key) -> None:
        self._rang.discard(key)

    async def turn(self) -> set[Key] | None:
        """Wait for the next turn: whose it is, or None for everybody's."""
        loop = asyncio.get_running_loop()
        if self._due is None:
            self._due = loop.time() + self._interval
        try:
            async with asyncio.timeout_at(self._due):
                await self._bell.wait()
                await asyncio.sleep(GATHER)
        except TimeoutError:
            self._due = loop.time() + self._interval
            rang = None
        else:
            rang = self._rang
        self._rang = set()
        self._bell.clear()
        return rang

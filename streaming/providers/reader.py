"""Reading the body of an upstream answer: every read timed, and not more often than it pays."""

import asyncio
from collections import deque

import httpx

from streaming.protocol.errors import UpstreamStalled, UpstreamTimeout
from streaming.providers.beat import Beat
from streaming.providers.http_client import HTTP_FAULTS, body_of, upstream_fault

# A read that brought this much means that more is waiting: no pause before the next one.
_LARGE_READ = 8 * 1024
# Bytes a second of what no chunk comes of: comments, empty lines, pieces of calls. No model writes as fast.
_USELESS = 1024 * 1024


class BodyReader:
    """Reads a body in time: the first byte until ``deadline`` (the loop's clock), each further one within ``idle`` s.

    After a small read the next one waits for the ``beat``: meanwhile tokens gather, and one read takes them all. After
    ``rest`` it waits in any case, and nothing is read later than ``end_within`` says.
    """

    def __init__(self, response: httpx.Response, *, deadline: float, idle: float, beat: Beat | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._body = body_of(response)
        self._deadline = deadline
        self._idle = idle
        self._beat = beat
        self._begun = False
        self._not_before = 0  # a strike of the beat
        self._end: float | None = None  # of all reading, by the loop's clock

    async def read(self) -> bytes:
        """What has come, at least one byte; nothing at the end of the body."""
        if self._beat is not None and self._not_before and (strike := self._beat.strike(self._not_before)) is not None:
            await strike
        if self._end is not None and self._loop.time() >= self._end:
            raise UpstreamStalled()
        try:
            # Nothing is to be timed where something is there already, as it is nearly always after a pause.
            data = self._here()
            if not data and not self._body.at_eof():
                until = self._loop.time() + self._idle if self._begun else self._deadline
                async with asyncio.timeout_at(until if self._end is None else min(until, self._end)):
                    data = await self._body.readany()
        except TimeoutError:
            raise UpstreamStalled() if self._begun else UpstreamTimeout() from None
        except (*HTTP_FAULTS, RuntimeError) as fault:  # the last where aiohttp hung up on a body that is no HTTP
            raise upstream_fault(fault, answered=True) from fault
        self._begun = True
        if self._beat is not None:
            self._not_before = self._beat.number_after(self._loop.time()) if len(data) < _LARGE_READ else 0
        return data

    def rest(self, size: int) -> None:
        """The ``size`` bytes of the last read were of no use to a reader. The next one waits the longer the more they
        were: a server that sends nothing else, as fast as it can, would cost a core for it.
        """
        if self._beat is not None and size > 0:
            self._not_before = self._beat.number_after(self._loop.time() + size / _USELESS)

    def end_within(self, seconds: float) -> None:
        """So many seconds are left for all that is still to be read; after them a read raises UpstreamStalled."""
        self._end = self._loop.time() + seconds

    def _here(self) -> bytes:
        """What has come by now; raises what ended the body only after all that came before, which aiohttp would keep
        for itself: the tokens of a pause, and the line that says why the model server gave up.
        """
        body = self._body
        pieces: deque[bytes] = getattr(body, "_buffer", deque())  # an answer without a body has none
        if len(pieces) > 1:  # made one, for aiohttp sees to its connection anew after each piece that is taken
            whole = b"".join(pieces)
            pieces.clear()
            pieces.append(whole)
        data = b"" if body.exception() is None else body._read_nowait(-1)
        return data or body.read_nowait()

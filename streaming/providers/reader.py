"""Reading the body of an upstream answer: every read timed, and not more often than it pays."""

import asyncio

import httpx

from streaming.protocol.errors import UpstreamStalled, UpstreamTimeout
from streaming.providers.http_client import HTTP_FAULTS, upstream_fault

# A read that brought this much means that more is waiting: no pause before the next one.
_LARGE_READ = 8 * 1024


class BodyReader:
    """Reads a body in time: the first byte until ``deadline`` (the loop's clock), each further one within ``idle`` s.

    After a small read the next one waits ``pace`` seconds: meanwhile tokens gather, and one read takes them all.
    """

    def __init__(self, response: httpx.Response, *, deadline: float, idle: float, pace: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._reads = response.aiter_raw()
        self._deadline = deadline
        self._idle = idle
        self._pace = pace
        self._begun = False
        self._not_before = 0.0

    async def read(self) -> bytes:
        """What has come, at least one byte; nothing at the end of the body."""
        now = self._loop.time()
        if now < self._not_before:
            await asyncio.sleep(self._not_before - now)
        until = self._loop.time() + self._idle if self._begun else self._deadline
        try:
            async with asyncio.timeout_at(until):
                data = await anext(self._reads, b"")
        except TimeoutError:
            raise UpstreamStalled() if self._begun else UpstreamTimeout() from None
        except HTTP_FAULTS as fault:
            raise upstream_fault(fault, answered=True) from fault
        self._begun = True
        if len(data) < _LARGE_READ:
            self._not_before = self._loop.time() + self._pace
        return data

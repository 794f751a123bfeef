"""Server-Sent Events as Django's response."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from django.http import StreamingHttpResponse

from streaming.transports import sse_wire
from streaming.transports.broken import told_feed_as_broken
from streaming.transports.live import Live, connections


class EventStream(StreamingHttpResponse):
    """Hands the server what ``body`` yields, as it is: Django's own way there is two more generators long.

    Takes ``live`` over and leaves when it is closed, which stops nothing but itself.
    """

    def __init__(self, body: AsyncGenerator[bytes, None], live: Live) -> None:
        super().__init__(body, headers=sse_wire.HEADERS)
        # The connection may be gone before the body is ever asked for; then its end is nobody's but the response's.
        self._resource_closers.append(lambda: connections().leave(live))  # type: ignore[attr-defined]

    def __aiter__(self) -> AsyncIterator[bytes]:
        body: AsyncIterator[bytes] = self._iterator  # type: ignore[attr-defined]
        return body


async def guarded(body: AsyncGenerator[bytes, None], live: Live, *, names: bool) -> AsyncGenerator[bytes, None]:
    """What is no run's, to its end. No exception may reach the server once the response has begun: see ``sse.py``."""
    try:
        async with aclosing(body):
            async for data in body:
                yield data
    except Exception as fault:
        yield sse_wire.frame(told_feed_as_broken(fault), None, names=names)
    finally:
        connections().leave(live)

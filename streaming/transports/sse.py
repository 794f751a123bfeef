"""Events of a run as a streaming HTTP response."""

import math
import random
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from conversations.models import Run
from streaming.protocol.marks import is_terminal
from streaming.transports import sse_wire
from streaming.transports.beginning import Beginning
from streaming.transports.broken import told_as_broken
from streaming.transports.event_stream import EventStream
from streaming.transports.falling_behind import Overtaking, TooFarBehind
from streaming.transports.follow import News, follow
from streaming.transports.live import Live, connections
from streaming.wiring import Engine


def stream_run(
    engine: Engine, run: Run, live: Live, *, start: Beginning, names: bool = True, done: bool = False
) -> EventStream:
    """The run's events from ``start`` to its end. The response takes ``live`` over and leaves when it is closed, which
    stops nothing but itself.
    """
    return EventStream(_body(engine, run, live, start=start, names=names, done=done), live)


async def _body(
    engine: Engine, run: Run, live: Live, *, start: Beginning, names: bool, done: bool
) -> AsyncGenerator[bytes, None]:
    """No exception may reach the server once the response has begun: Daphne would leave the connection open for ever,
    and its housekeeping would die of the second one.
    """
    numbers = engine.numbers
    rotation = time.monotonic() + numbers.rotation * random.uniform(0.8, 1.2)
    # Where the server does not push back, what was sent may still be in its memory: rotating bounds that.
    room = math.inf if connections().server_pushes_back else numbers.rotation_bytes
    unsent = sse_wire.opening()
    try:
        # Of a run that has just begun the first events are at hand, and go out as one with it.
        if start.after > 0 or start.snapshot is not None or engine.tailer.at_hand(run.pk, 0) is None:
            yield unsent
            unsent = b""
        if start.snapshot is not None and live.may_deliver:
            yield sse_wire.frame(start.snapshot, start.after, names=names)
        events = follow(
            tailer=engine.tailer,
            run_id=run.pk,
            after=start.after,
            heartbeat=numbers.heartbeat,
            live=live,
            overtake=Overtaking(engine, run, start),
        )
        async with aclosing(events):
            async for news in events:
                data = unsent + _bytes(news, names=names)
                unsent = b""
                yield data
                room -= len(data)
                if news.entries and is_terminal(news.entries[-1]):
                    if done:
                        yield sse_wire.DONE
                    return
                if time.monotonic() > rotation or room < 0:
                    return
        if live.ending == "restart":
            yield sse_wire.retry(random.randint(500, 5000))
    except TooFarBehind:
        return  # whoever comes again is served from where they are
    except Exception as fault:
        yield sse_wire.frame(told_as_broken(run, fault), None, names=names)
    finally:
        connections().leave(live)


def _bytes(news: News, *, names: bool) -> bytes:
    if news.snapshot is not None:
        return sse_wire.frame(news.snapshot.text, news.snapshot.id, names=names)
    if not news.entries and not news.hints:
        return sse_wire.HEARTBEAT
    return sse_wire.block(news.entries, news.hints, names=names)

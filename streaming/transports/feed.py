"""The user's feed over HTTP: everything that is not tokens, as Server-Sent Events."""

import math
import random
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from chatserver.accounts.principal import Principal
from conversations.permissions import require
from streaming.transports import sse_wire
from streaming.transports.answers import endpoint, last_event
from streaming.transports.event_stream import EventStream, guarded
from streaming.transports.feed_follow import follow_feed
from streaming.transports.live import Live, connections
from streaming.wiring import Engine, engine


@endpoint("GET")
async def events(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """It counts as one of the user's streams, and ends with their rights."""
    require(principal, "read")
    after = last_event(request)
    live = connections().admit(principal)
    names = request.GET.get("names") != "0"
    return EventStream(guarded(_body(engine(), live, after=after, names=names), live, names=names), live)


async def _body(engine: Engine, live: Live, *, after: int, names: bool) -> AsyncGenerator[bytes, None]:
    numbers = engine.numbers
    yield sse_wire.opening()
    rotation = time.monotonic() + numbers.rotation * random.uniform(0.8, 1.2)
    # Where the server does not push back, what was sent may still be in its memory: rotating bounds that.
    room = math.inf if connections().server_pushes_back else numbers.rotation_bytes
    news = follow_feed(
        feeds=engine.feeds, user_id=live.principal.user_id, after=after, heartbeat=numbers.heartbeat, live=live
    )
    async with aclosing(news):
        async for entries in news:
            data = sse_wire.block(entries, (), names=names) or sse_wire.HEARTBEAT
            yield data
            room -= len(data)
            if time.monotonic() > rotation or room < 0:
                return
    if live.ending == "restart":
        yield sse_wire.retry(random.randint(500, 5000))

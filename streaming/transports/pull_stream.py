"""How far a pull is, as Server-Sent Events. Each is the whole state, so nothing is lost with one that is not read; they
are read off the row, which is written once a second wherever the pull is at work.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from uuid import UUID

from conversations import permissions, selectors, wire
from conversations.models import ModelPull
from streaming.patience import within
from streaming.protocol.codec import dumps
from streaming.protocol.errors import Forbidden
from streaming.transports import sse_wire
from streaming.transports.event_stream import EventStream, guarded
from streaming.transports.live import Live
from streaming.wiring import Engine

UPDATED = "model.pull.updated"
# The number of the last event, so that an EventSource that comes again can say that it has seen the end.
ENDED = 1
LOOK_EVERY = 1.0


def stream_pull(engine: Engine, pull_id: UUID, live: Live, *, names: bool) -> EventStream:
    """The state of the pull now and whenever it changes, to its end. The response takes ``live`` over."""
    return EventStream(guarded(_body(engine, pull_id, live, names=names), live, names=names), live)


async def _body(engine: Engine, pull_id: UUID, live: Live, *, names: bool) -> AsyncGenerator[bytes, None]:
    yield sse_wire.opening()
    numbers = engine.numbers
    now = time.monotonic()
    rotation, silent = now + numbers.rotation * random.uniform(0.8, 1.2), now + numbers.heartbeat
    told = ""
    wake = asyncio.Event()
    with live.waking(wake.set):
        while live.ending is None and time.monotonic() < rotation:
            pull = await engine.offload(_seen, live, pull_id)
            if pull is None:
                return
            text = _event(pull)
            if text != told:
                yield sse_wire.frame(text, None if pull.is_open else ENDED, names=names)
                told, silent = text, time.monotonic() + numbers.heartbeat
            elif time.monotonic() > silent:
                yield sse_wire.HEARTBEAT
                silent = time.monotonic() + numbers.heartbeat
            if not pull.is_open:
                return
            await within(LOOK_EVERY, wake)
    if live.ending == "restart":
        yield sse_wire.retry(random.randint(500, 5000))


def _seen(live: Live, pull_id: UUID) -> ModelPull | None:
    """The pull, where the reader still may see it: a right can be taken without a role that changes with it."""
    try:
        permissions.manage_models(live.principal)
    except Forbidden:
        return None
    return selectors.pull(pull_id)


def _event(pull: ModelPull) -> str:
    return dumps({"event": UPDATED, "data": {"pull": wire.plain(wire.pull_object(pull))}})

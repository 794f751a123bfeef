"""Telling those who wait where they stand in the line. Each process tells its own readers, by one query for all."""

import asyncio
from collections.abc import Callable, Set
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import structlog
from django.utils import timezone

from conversations import selectors
from conversations.selectors import Place
from streaming.engine.queue import estimate_ms
from streaming.eventlog.tailer import Tailer
from streaming.offload import Offload
from streaming.protocol.codec import encode
from streaming.protocol.events import RunQueued

log = structlog.get_logger(__name__)
A_MOMENT = 0.5  # seconds: a run that is claimed within them has not waited
GATHERING = 0.2  # seconds, for many readers who come at once, and for runs that are claimed at once
AFRESH = 5  # every so many looks, those that did not wait are asked about again: a parked run may since do


class Positions:
    """``at_work``: the runs that this process works on, which wait for nothing."""

    def __init__(
        self, *, tailer: Tailer, offload: Offload, at_work: Callable[[], Set[UUID]], interval: float = 1.0
    ) -> None:
        self._tailer = tailer
        self._offload = offload
        self._at_work = at_work
        self._interval = interval
        self._settled: set[UUID] = set()  # what did not wait when it was asked about
        self._looks = 0

    async def tell_for_ever(self) -> None:
        """Once a second, and when somebody begins to follow a run."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._tailer.followed_anew.wait()
            self._tailer.followed_anew.clear()
            await asyncio.sleep(GATHERING)
            try:
                await self.tell()
            except Exception as fault:  # a database away for a while must not end it
                log.warning("positions could not be read", fault=type(fault).__name__)

    async def tell(self) -> None:
        """Tell every reader of a waiting run its place, where it is another than they know."""
        followed = self._tailer.followed
        self._looks += 1
        self._settled = self._settled & followed if self._looks % AFRESH else set()
        asked = followed - self._at_work() - self._settled
        if not asked:
            return
        heads = {run_id: self._tailer.head(run_id) for run_id in asked}
        moment_ago = timezone.now() - timedelta(seconds=A_MOMENT)
        places = await self._offload(selectors.places, run_ids=asked, before=moment_ago)
        self._settled |= asked - {place.run_id for place in places}
        for place in places:
            # What was said in between is news: it waits no more, and nobody may be told so after it.
            if place.lasting and heads[place.run_id] == self._tailer.head(place.run_id):
                self._tell(place)

    def _tell(self, place: Place) -> None:
        run_id, thread_id = str(place.run_id), str(place.thread_id)
        hint = RunQueued(run_id=run_id, thread_id=thread_id, position=place.position, estimate_ms=estimate_ms(place))
        text = encode(hint, None)
        if text != self._tailer.last_hint(place.run_id):
            self._tailer.hint(place.run_id, text)

"""The feed of the socket's user, followed on the socket: one task, owned here, ended here."""

import asyncio
from contextlib import aclosing, suppress

from conversations import selectors
from streaming.tasks import TaskRegistry
from streaming.transports.broken import told_feed_as_broken
from streaming.transports.credit import UNACKNOWLEDGED_BYTES
from streaming.transports.feed_follow import follow_feed
from streaming.transports.live import Live
from streaming.transports.subscriptions import SendText, SocketClosed
from streaming.wiring import Engine


class FeedOnSocket:
    """``send`` writes one text frame, and raises SocketClosed where the socket takes it no more."""

    def __init__(self, *, engine: Engine, tasks: TaskRegistry, live: Live, send: SendText) -> None:
        self._engine = engine
        self._tasks = tasks
        self._live = live
        self._send = send
        self._following: asyncio.Task[None] | None = None

    async def head(self) -> int:
        """The feed's last number."""
        return await self._engine.offload(selectors.feed_cursor, self._live.principal.user_id)

    async def begin(self, *, after: int) -> None:
        """Follow the feed; a subscription that there was already is replaced."""
        await self.end()
        self._following = self._tasks.spawn(self._follow_or_say_why_not(after), name="socket follows the feed")

    async def end(self) -> None:
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _follow_or_say_why_not(self, after: int) -> None:
        """A reader must not wait for ever for a feed that is not followed any more: the socket is closed over it."""
        try:
            await self._follow(after)
        except SocketClosed:
            return
        except Exception as fault:
            with suppress(SocketClosed):
                await self._send(told_feed_as_broken(fault))
            self._live.end("restart")

    async def _follow(self, after: int) -> None:
        news = follow_feed(
            feeds=self._engine.feeds,
            user_id=self._live.principal.user_id,
            after=after,
            heartbeat=3600.0,  # the socket's own pings keep it alive
            live=self._live,
        )
        async with aclosing(news):
            room = UNACKNOWLEDGED_BYTES  # it has no acknowledgements
            async for entries in news:
                for entry in entries:
                    if self._live.may_deliver:
                        await self._send(entry.text)
                        room -= len(entry.text)
                if room < 0:
                    self._live.end("rotation")
                    return

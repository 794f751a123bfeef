"""The frames of one client on their way to the consumer, bounded on every server.

Daphne queues whatever a client sends until the consumer asks for it: 40 MB of frames to a busy consumer are 40 MB of
memory. So they are fetched at once and counted, and a client that floods is let go.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from streaming.transports.inflow import Inflow

Message = dict[str, Any]
DISCONNECT: Message = {"type": "websocket.disconnect", "code": 1006}


class Inbox:
    """``flooded`` is called once, when more comes than may; nothing that comes after it reaches the consumer."""

    def __init__(self, receive: Callable[[], Awaitable[Message]], *, flooded: Callable[[], None]) -> None:
        self._receive = receive
        self._flooded = flooded
        self._clock = asyncio.get_running_loop().time
        self._inflow = Inflow(now=self._clock())
        self._queue: asyncio.Queue[Message] = asyncio.Queue()
        self._shut = False

    async def fill(self) -> None:
        """Fetch what comes, until the client has gone."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.receive":
                if self._shut:
                    continue  # fetched all the same, or the server would keep it
                if not self._inflow.takes(_size(message), now=self._clock()):
                    self._shut = True
                    self._flooded()
                    continue
            self._queue.put_nowait(message)
            if message["type"] == "websocket.disconnect":
                return

    async def next(self) -> Message:
        """The next message for the consumer."""
        message = await self._queue.get()
        if message["type"] == "websocket.receive":
            self._inflow.done(_size(message))
        return message

    def end(self) -> None:
        """The client counts as gone, whatever the server thinks."""
        self._shut = True
        self._queue.put_nowait(DISCONNECT)


def _size(message: Message) -> int:
    return len(message.get("text") or message.get("bytes") or "")

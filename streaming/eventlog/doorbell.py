"""The bell between processes: whoever has committed something rings, and the others look at once instead of at their
next poll. It may lose any ring; nothing but that second depends on it.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol
from uuid import UUID

import structlog

from streaming.eventlog.rings import Rings, unpacked

log = structlog.get_logger(__name__)
GROUP = "doorbell"
# Seconds. Rings that come within a gap go out as one, so a process sends at most a hundred messages a second; with
# many runs fewer, because each of the others pays a microsecond for every run that is named.
GAP = 0.01
GAP_A_RUN = 0.00005
# Each process rings so often even if there is nothing to tell: its own ears prove that the line stands.
PROOF_EVERY = 2.0
DEAF_AFTER = 3 * PROOF_EVERY
PATIENCE = 3.0
AGAIN_AFTER = 1.0


class Layer(Protocol):
    """What we use of a channel layer."""

    async def new_channel(self) -> str: ...
    async def receive(self, channel: str) -> dict[str, Any]: ...
    async def group_add(self, group: str, channel: str) -> None: ...
    async def group_send(self, group: str, message: dict[str, Any]) -> None: ...
    async def flush(self) -> None: ...


class Doorbell:
    """``layer`` is None where there is no other process: then it is silent. ``name`` is this process's.

    The methods that ring are called in the event loop and return at once, whether the line stands or not.
    """

    def __init__(self, *, layer: Layer | None, name: str, heard: Callable[[Rings], None]) -> None:
        self._layer = layer
        self._name = name
        self._heard = heard
        self._rings = Rings()
        self._some = asyncio.Event()
        self._hears = self._speaks = False
        self._told_away = False

    @property
    def works(self) -> bool | None:
        """Whether rings go out and come in; None where there is nobody to ring for."""
        return None if self._layer is None else self._hears and self._speaks

    def run(self, run_id: UUID, head: int) -> None:
        """The run's log reaches to ``head`` now."""
        if self._layer is not None:
            self._rings.run(run_id, head)
            self._some.set()

    def feed(self, user_id: UUID, number: int) -> None:
        if self._layer is not None:
            self._rings.feed(user_id, number)
            self._some.set()

    def wish(self, run_id: UUID) -> None:
        """Somebody wants something of the run, and we do not hold it."""
        if self._layer is not None:
            self._rings.wish(run_id)
            self._some.set()

    def claims(self) -> None:
        """Something waits for a worker, and we have none to spare."""
        if self._layer is not None:
            self._rings.claims = True
            self._some.set()

    def rights(self) -> None:
        if self._layer is not None:
            self._rings.rights = True
            self._some.set()

    def servers(self) -> None:
        """Which model servers there are, or for whom, has changed."""
        if self._layer is not None:
            self._rings.servers = True
            self._some.set()

    async def speak_for_ever(self) -> None:
        """Send what rang. What rings while that cannot be done is merged, and sent when it can, as far as it fits."""
        while self._layer is not None:
            await self._something_to_say()
            rings, self._rings = self._rings, Rings()
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._layer.group_send(GROUP, {"type": "rings", "by": self._name, **rings.packed()})
            except Exception as fault:  # whatever it is, the poll finds what was to be told
                self._is_away(fault)
                await asyncio.sleep(AGAIN_AFTER)
                continue
            self._speaks = True
            self._perhaps_back()
            if rings.dropped:
                log.warning("more rang at once than fits into a message; the poll finds the rest", runs=rings.dropped)
            await asyncio.sleep(GAP + GAP_A_RUN * len(rings.runs))

    async def listen_for_ever(self) -> None:
        while self._layer is not None:
            try:
                await self._listen(self._layer)
            except Exception as fault:  # of the library's, Redis's or the network's making: begin anew
                self._is_away(fault)
                await self._hang_up()
                await asyncio.sleep(AGAIN_AFTER)

    async def stop(self) -> None:
        await self._hang_up()

    async def _something_to_say(self) -> None:
        try:
            async with asyncio.timeout(PROOF_EVERY):
                await self._some.wait()
        except TimeoutError:
            return
        self._some.clear()

    async def _listen(self, layer: Layer) -> None:
        async with asyncio.timeout(PATIENCE):
            channel = await layer.new_channel()
            await layer.group_add(GROUP, channel)
        self._some.set()  # our own proof, at once
        while True:
            async with asyncio.timeout(DEAF_AFTER):
                message = await layer.receive(channel)
            self._hears = True
            self._perhaps_back()
            if message.get("by") != self._name:
                self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        try:
            rings = unpacked(message)
        except ValueError as fault:
            log.warning("a ring that means nothing", fault=str(fault))
            return
        if rings:
            self._heard(rings)

    async def _hang_up(self) -> None:
        if self._layer is None:
            return
        try:
            async with asyncio.timeout(PATIENCE):
                await self._layer.flush()
        except Exception as fault:  # there is nothing left to be closed, then
            log.debug("the line could not be closed", fault=type(fault).__name__)

    def _is_away(self, fault: Exception) -> None:
        self._hears = self._speaks = False  # until both have been seen again
        if not self._told_away:
            self._told_away = True
            log.warning("Redis is away: what other processes do is seen within a second", fault=type(fault).__name__)

    def _perhaps_back(self) -> None:
        if self._told_away and self.works:
            self._told_away = False
            log.info("Redis is back: processes ring for each other again")

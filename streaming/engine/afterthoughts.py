"""Owns what this process asks models when its answers are done: bounded in number and time, and after everything else.

Nothing here is kept: what a crash or a restart takes, the next answer may ask for again.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import structlog
from django.db import DatabaseError, InterfaceError

from chatserver.audience import ADMITTED
from conversations import selectors
from streaming.engine.afterthought import (
    Afterthought,
    FollowUps,
    Occasion,
    Title,
    bound_of,
    exchange_of,
    follow_ups_are_due,
    has_room,
    title_is_due,
)
from streaming.engine.afterthought_words import MAX_READ
from streaming.engine.outcome import Ending
from streaming.engine.prompt import Prompt
from streaming.offload import Offload
from streaming.protocol.errors import ChatError
from streaming.protocol.objects import Usage
from streaming.protocol.parameters import NONE
from streaming.providers.attempts import attempts
from streaming.providers.base import ChatRequest, Finish, ModelInfo, Provider, Text
from streaming.providers.registry import Registry
from streaming.tasks import TaskRegistry

log = structlog.get_logger(__name__)
AT_ONCE = 2  # a process; one that takes its whole time must not hold up all the others
MOST = 50  # threads whose afterthoughts wait in a process; when more come, the oldest have lost their point
# Between the looks whether a model server has room, in seconds. After a minute a title is no news any more.
PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """``model`` is the full name of the one that is asked; empty, it is the one that has answered. ``timeout`` is in
    seconds, for each request.
    """

    titles: bool
    follow_ups: bool
    model: str
    timeout: float


class Afterthoughts:
    """``max_parallel`` counts for model servers without a bound of their own, as it does for runs; ``streaming`` and
    ``fallback_to_non_streaming`` as well.
    """

    def __init__(
        self,
        *,
        wishes: Wishes,
        registry: Registry,
        offload: Offload,
        tasks: TaskRegistry,
        max_parallel: int,
        streaming: bool = True,
        fallback_to_non_streaming: bool = True,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self._wishes = wishes
        self._registry = registry
        self._offload = offload
        self._tasks = tasks
        self._max_parallel = max_parallel
        self._streaming = streaming
        self._fallback_to_non_streaming = fallback_to_non_streaming
        self._pauses = pauses
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._at_it: set[_Turn] = set()
        self._threads: dict[UUID, asyncio.Task[None]] = {}  # the oldest first
        self._dropped = 0
        self._stopped = False

    def __len__(self) -> int:
        """Of how many threads something is to be asked."""
        return len(self._threads)

    def begun(self, prompt: Prompt) -> Occasion | None:
        """A run begins: whatever is being asked here that could keep it waiting is left, and asked again later. Returns
        what ``ended`` needs to know; None where nothing will come of it.
        """
        if self._stopped or not (self._wishes.titles or self._wishes.follow_ups):
            return None
        server, _, _ = prompt.model.partition("/")
        for turn in self._at_it:
            if turn.server == server and (turn.bounded or turn.owner_id == prompt.owner_id):
                turn.leave()
        return Occasion.of(prompt)

    def ended(self, occasion: Occasion | None, ending: Ending) -> None:
        """A run has ended, and its end is stored. Costs the run nothing, and never raises."""
        if occasion is None or self._stopped or ending.run.lane:
            return
        if occasion.parameters.keep_alive == 0 and not self._wishes.model:
            return  # somebody wants the model out of the memory now, and this would load it again
        about = exchange_of(occasion, ending)
        due: list[Afterthought] = []
        if self._wishes.titles and title_is_due(occasion, ending):
            due.append(Title(about))
        if self._wishes.follow_ups and follow_ups_are_due(ending):
            due.append(FollowUps(about))
        if due:
            self._take(about.thread_id, occasion, due)

    def stop(self) -> None:
        """Ask nothing more; what is being asked is left."""
        self._stopped = True
        for task in self._threads.values():
            task.cancel()

    def _take(self, thread_id: UUID, occasion: Occasion, due: Sequence[Afterthought]) -> None:
        if earlier := self._threads.pop(thread_id, None):
            earlier.cancel()
        while len(self._threads) >= MOST:
            oldest = next(iter(self._threads))
            self._threads.pop(oldest).cancel()
            self._dropped += 1
            log.info("an afterthought was dropped, there are too many", thread=str(oldest), dropped=self._dropped)
        task = self._tasks.spawn(self._see_to(thread_id, occasion, due), name=f"afterthoughts {thread_id}")
        self._threads[thread_id] = task
        task.add_done_callback(partial(self._done, thread_id))

    def _done(self, thread_id: UUID, task: asyncio.Task[None]) -> None:
        if self._threads.get(thread_id) is task:
            del self._threads[thread_id]

    async def _see_to(self, thread_id: UUID, occasion: Occasion, due: Sequence[Afterthought]) -> None:
        for afterthought in due:
            try:
                await self._when_there_is_room(thread_id, occasion, afterthought)
            except (ChatError, DatabaseError, InterfaceError, TimeoutError) as fault:
                # Without its words, which may repeat what was said. Nobody waits for it, so nobody is told.
                reason = fault.code if isinstance(fault, ChatError) else type(fault).__name__
                log.info(f"no {afterthought.name}", thread=str(thread_id), reason=reason)

    async def _when_there_is_room(self, thread_id: UUID, occasion: Occasion, afterthought: Afterthought) -> None:
        for pause in self._pauses:
            await asyncio.sleep(pause)
            async with self._turns:
                if await self._over(thread_id, occasion, afterthought):
                    return
        log.info(f"no {afterthought.name}", thread=str(thread_id), reason="no_room")

    async def _over(self, thread_id: UUID, occasion: Occasion, afterthought: Afterthought) -> bool:
        """Ask, if it is wanted and there is room. False where it is to be tried again later."""
        # An administrator has named it, or it has just answered them.
        at_work = self._registry.at_work(self._wishes.model or occasion.model, ADMITTED)
        async with at_work as (provider, model):
            return model.demonstration or await self._over_with(provider, model, thread_id, occasion, afterthought)

    async def _over_with(
        self, provider: Provider, model: ModelInfo, thread_id: UUID, occasion: Occasion, afterthought: Afterthought
    ) -> bool:
        turn = _Turn(server=provider.name, owner_id=occasion.owner_id)
        self._at_it.add(turn)  # before the look, so that no run begins between the two unseen
        try:
            standing = await self._offload(selectors.standing, thread_id=thread_id, server=provider.name)
            if standing is None or not afterthought.wanted(standing):
                return True
            turn.bounded = bound_of(standing, max_parallel=self._max_parallel) > 0
            if turn.was_left() or not has_room(standing, max_parallel=self._max_parallel):
                return False
            parameters = NONE if self._wishes.model else occasion.parameters
            begun = time.monotonic()
            try:
                async with asyncio.timeout(self._wishes.timeout) as turn.limit:
                    written, usage = await self._asked(provider, afterthought.request(model, parameters))
            except TimeoutError:
                if turn.was_left():
                    return False
                raise
        finally:
            self._at_it.discard(turn)
        keep = afterthought.keeping(written)
        kept = keep is not None and await self._offload(keep)
        log.info(
            f"{afterthought.name} by a model",
            thread=str(thread_id),
            model=model.full_name,
            kept=kept,
            took_ms=round((time.monotonic() - begun) * 1000),
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
        )
        return True

    async def _asked(self, provider: Provider, request: ChatRequest) -> tuple[str, Usage]:
        """What the model writes, no more of it than is read. Once: who waits for a title can wait for the next one."""
        pieces: list[str] = []
        length, usage = 0, Usage()
        answer = attempts(
            provider,
            request,
            attempts=1,
            delay=0.0,
            fallback_to_non_streaming=self._fallback_to_non_streaming,
            streaming=self._streaming,
        )
        async with aclosing(answer):
            async for batch in answer:
                for chunk in batch:
                    if isinstance(chunk, Text):
                        pieces.append(chunk.text)
                        length += len(chunk.text)
                    elif isinstance(chunk, Finish):
                        usage = chunk.usage
                if length >= MAX_READ:
                    break
        return "".join(pieces), usage


@dataclass(eq=False, kw_only=True)
class _Turn:
    """One at a model server. ``bounded``: whatever is asked there takes a place that a run may want."""

    server: str
    owner_id: UUID
    bounded: bool = False
    limit: asyncio.Timeout | None = None  # while the model is asked
    _left: bool = False

    def was_left(self) -> bool:
        return self._left

    def leave(self) -> None:
        """A run comes first."""
        self._left = True
        if self.limit is not None and not self.limit.expired():
            self.limit.reschedule(asyncio.get_running_loop().time())

"""Pulling models: work of minutes to hours that belongs to no connection.

Every process that works looks for what waits, and watches over what it has taken up: it tells the rows once a second
how far that is, and hears there whether it is still wanted. Whoever dies leaves a lease that runs out; the next one
asks the model server again, which goes on where it was.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from conversations.services import model_pulls
from conversations.services.model_pulls import PullClaim, Standing
from streaming.offload import Offload
from streaming.patience import within
from streaming.protocol.errors import ChatError, InternalError, UpstreamError
from streaming.protocol.pulls import PullStatus
from streaming.providers.model_store import store_of
from streaming.providers.pull_wire import PullProgress
from streaming.providers.registry import Registry
from streaming.tasks import TaskRegistry

log = structlog.get_logger(__name__)
TELL_EVERY = 1.0  # seconds: how old what is told may be, and a wish for its end
LOOK_EVERY = 2.0  # for what other processes were asked for, or have left
# Pulls that bring nothing are tried again so often, with pauses of 1, 2, 4, 8 s; each that brings something goes on for
# the price of a second's pause.
MOST_TRIES = 5
MOST_PAUSE = 30.0


class Puller:
    """``holder`` and ``alone`` as in the supervisor; ``rests`` says that nothing new is begun now. Times in seconds."""

    def __init__(
        self,
        *,
        registry: Registry,
        offload: Offload,
        tasks: TaskRegistry,
        holder: str,
        alone: bool,
        expiry: float,
        rests: Callable[[], bool] = lambda: False,
        tell_every: float = TELL_EVERY,
        look_every: float = LOOK_EVERY,
        retry_delay: float = 1.0,
    ) -> None:
        self._registry = registry
        self._offload = offload
        self._tasks = tasks
        self._holder = holder
        self._alone = alone
        self._expiry = expiry
        self._rests = rests
        self._tell_every = tell_every
        self._look_every = look_every
        self._retry_delay = retry_delay
        self._at_work: dict[UUID, _Work] = {}
        self._look = asyncio.Event()
        self._stopped = False

    def look(self) -> None:
        """Something was asked for, here."""
        self._look.set()

    def wished(self, pull_id: UUID) -> None:
        """Somebody wants it to end, and the rows say so."""
        if work := self._at_work.get(pull_id):
            work.news.set()

    async def look_for_ever(self) -> None:
        """Claim what waits, whenever somebody asks here, and every now and then in case it was elsewhere."""
        while True:
            self._look.clear()
            try:
                await self._claim()
            except Exception as fault:
                log.warning("pulls cannot be looked for, trying again", exc_info=fault)
            await within(self._look_every, self._look)

    async def stop(self) -> None:
        """Leave what is at work to others, or to the next start."""
        self._stopped = True
        works = list(self._at_work.values())
        for work in works:
            work.task.cancel()
        await asyncio.gather(*(work.task for work in works), return_exceptions=True)

    async def _claim(self) -> None:
        if self._stopped or self._rests() or not await self._offload(model_pulls.somebody_waits):
            return
        claims = await self._offload(
            model_pulls.claim_pulls,
            holder=self._holder,
            expiry=self._expiry,
            at_work=list(self._at_work),
            all_others_dead=self._alone,
        )
        for claim in claims:
            work = _Work(claim)
            self._at_work[claim.id] = work
            work.task = self._tasks.spawn(self._carry_out(work), name=f"pull {claim.id}")
            work.task.add_done_callback(partial(self._dismiss, work))

    def _dismiss(self, work: "_Work", done: asyncio.Task[None]) -> None:
        if self._at_work.get(work.claim.id) is work:
            del self._at_work[work.claim.id]
        self._look.set()  # the next one at this server

    async def _carry_out(self, work: "_Work") -> None:
        """Pull, tell how far it is, and write down the end."""
        claim = work.claim
        log.info("model_pull_begun", server=claim.server, model=claim.model, pull=str(claim.id), attempt=claim.attempt)
        pulling = self._tasks.spawn(self._pull(work), name=f"pulling {claim.id}", awaited=True)
        pulling.add_done_callback(lambda _: work.news.set())
        try:
            standing = await self._watch(work, pulling)
        except asyncio.CancelledError:
            await _ended(pulling)
            await self._offload(model_pulls.let_go_pull, claim=claim, progress=work.told)
            raise
        await _ended(pulling)
        if standing == "lost":
            log.warning("model_pull_lost", pull=str(claim.id), attempt=claim.attempt)
            return
        error = None if standing == "unwanted" else _error_of(pulling)
        status = PullStatus.CANCELLED if standing == "unwanted" else PullStatus.FAILED if error else PullStatus.DONE
        if status is PullStatus.DONE:
            await self._registry.refresh()  # before it is told: whoever hears of it finds the model
        await self._insist(
            partial(self._offload, model_pulls.end_pull, claim=claim, status=status, progress=work.told, error=error)
        )
        log.info(
            "model_pull_ended",
            server=claim.server,
            model=claim.model,
            pull=str(claim.id),
            status=str(status),
            code=None if error is None else error.code,
        )

    async def _watch(self, work: "_Work", pulling: asyncio.Task[None]) -> Standing:
        """Tell the rows how far it is until the pull ends, or is not to go on. A database that is away takes the
        progress, and in the end the lease, but no byte that was fetched.
        """
        while True:
            await within(self._tell_every, work.news)
            work.news.clear()
            if pulling.done():
                return "ours"
            try:
                standing: Standing = await self._offload(
                    model_pulls.beat_pull, claim=work.claim, expiry=self._expiry, progress=work.told
                )
            except Exception as fault:
                log.warning("how far a pull is cannot be stored, trying again", exc_info=fault)
                continue
            if standing != "ours":
                return standing

    async def _pull(self, work: "_Work") -> None:
        """Ask until it is there. Raises the UpstreamError that ends it."""
        claim, tries = work.claim, 0
        while True:
            store = store_of(self._registry.provider(claim.server))
            if store is None:
                raise UpstreamError(f"There is no model server {claim.server} here any more that pulls models.")
            had = work.progress.completed
            try:
                async with aclosing(store.pull(claim.model)) as news:
                    async for progress in news:
                        work.progress = progress
                return
            except UpstreamError as error:
                tries = 1 if work.progress.completed > had else tries + 1
                if not error.retryable or tries >= MOST_TRIES:
                    raise
                log.warning("model_pull_stumbled", pull=str(claim.id), code=error.code, tries=tries)
            await asyncio.sleep(min(self._retry_delay * 2 ** (tries - 1), MOST_PAUSE))

    async def _insist(self, work: Callable[[], Awaitable[object]]) -> None:
        """Store an end also where the database is away for a moment; later the lease has run out."""
        for pause in (0.2, 1.0, 3.0, None):
            try:
                await work()
                return
            except Exception as fault:
                log.warning("the end of a pull cannot be stored", exc_info=fault)
            if pause is not None:
                await asyncio.sleep(pause)


class _Work:
    """One pull that is ours, and how far it is."""

    def __init__(self, claim: PullClaim) -> None:
        self.claim = claim
        self.progress = PullProgress()
        self.news = asyncio.Event()  # it has ended, or somebody wants it to
        self.task: asyncio.Task[None]

    @property
    def told(self) -> dict[str, Any]:
        """What the row is told: of bytes nothing before the server speaks of any, so that an earlier word stays."""
        said = self.progress
        if not said.total:
            return {"message": said.status} if said.status else {}
        return {"message": said.status, "completed": said.completed, "total": said.total}


async def _ended(task: asyncio.Task[None]) -> None:
    """Stop it, and return when it has stopped: the connection to the model server is closed then."""
    task.cancel()
    await asyncio.wait({task})


def _error_of(task: asyncio.Task[None]) -> ChatError | None:
    fault = None if task.cancelled() else task.exception()
    if fault is None or isinstance(fault, ChatError):
        return fault
    log.error("a pull failed in a way that nobody foresaw", exc_info=fault)
    return InternalError()

"""The process's one supervisor: claims runs, owns their workers, keeps their leases, and ends what others left."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from uuid import UUID

import structlog

from conversations.services import run_lease
from conversations.services.run_lease import Claim
from streaming.engine.orphans import close_orphan
from streaming.engine.outcome import INTERRUPTED, Cancelled, Incomplete
from streaming.engine.worker import Worker
from streaming.engine.workshop import Workshop
from streaming.protocol.codec import Entry

log = structlog.get_logger(__name__)
CLAIMED_AT_ONCE = 64
ORPHANS_AT_ONCE = 100
CLOSING_PATIENCE = 5.0


class Supervisor:
    """``holder`` names this process on leases. ``alone``: we hold the data directory's lock, so every other lease that
    we find is a dead process's. Times in seconds.
    """

    def __init__(
        self,
        *,
        workshop: Workshop,
        holder: str,
        alone: bool,
        capacity: int,
        lease_beat: float,
        lease_expiry: float,
        poll: float = 1.0,
    ) -> None:
        self._shop = workshop
        self._holder = holder
        self._alone = alone
        self._capacity = capacity
        self._lease_beat = lease_beat
        self._lease_expiry = lease_expiry
        self._poll = poll
        self._workers: dict[UUID, Worker] = {}
        self._not_before: dict[UUID, float] = {}  # left runs that we have tried to close, and when to try again
        self._loops: list[asyncio.Task[Any]] = []
        self._look = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.draining = False

    @property
    def running(self) -> int:
        return len(self._workers)

    def start(self) -> None:
        self._own(self._again(self._close_orphans, self._poll), "orphans")
        self._own(self._claim_for_ever(), "claims")
        self._own(self._again(self._beat, self._lease_beat), "leases")
        self._own(self._again(self._look_for_wishes, self._poll), "cancel wishes")

    def rang(self, run_id: UUID, entries: Sequence[Entry]) -> None:
        """A verb has committed something about this run: it can be claimed now, or a wish for one of ours to stop."""
        if entries or run_id not in self._workers:
            self._look.set()
        else:
            self._shop.tasks.spawn(self._grant_wishes([run_id]), name=f"cancel {run_id}")

    def storage_waits(self, run_ids: Sequence[UUID]) -> None:
        """What the log has of these runs does not get into the storage at once."""
        for run_id in run_ids:
            if worker := self._workers.get(run_id):
                worker.storage_waits()

    async def drain(self, *, grace: float) -> None:
        """Claim nothing more, let running runs finish within ``grace`` seconds, and end the rest as interrupted."""
        self.draining = True
        if await _within(grace, self._idle):
            return
        for worker in list(self._workers.values()):
            worker.stop(Incomplete(INTERRUPTED))
        if not await _within(CLOSING_PATIENCE, self._idle):
            log.error("runs were left open; they will be closed at the next start", runs=len(self._workers))

    async def stop(self) -> None:
        for task in self._loops:
            task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)

    async def _claim_for_ever(self) -> None:
        """Claim what is queued whenever a bell rings, and once a second in case one was missed."""
        while True:
            await _within(self._poll, self._look)
            self._look.clear()
            await self._guarded(self._claim_what_fits)

    async def _claim_what_fits(self) -> None:
        while not self.draining and (room := min(self._capacity - len(self._workers), CLAIMED_AT_ONCE)) > 0:
            queued = await self._shop.leases(run_lease.queued_run_ids, most=room)
            for run_id in queued:
                await self._claim(run_id)
            if len(queued) < room:
                return

    async def _claim(self, run_id: UUID) -> None:
        if self.draining:
            return
        claim = await self._shop.leases(
            run_lease.claim_run, run_id=run_id, holder=self._holder, expiry=self._lease_expiry
        )
        if claim is not None:
            self._employ(claim)

    def _employ(self, claim: Claim) -> None:
        worker = Worker(claim=claim, workshop=self._shop)
        self._workers[claim.run_id] = worker
        self._idle.clear()
        task = self._shop.tasks.spawn(worker.carry_out(), name=f"run {claim.run_id}")
        task.add_done_callback(lambda done: self._dismiss(worker, done))

    def _dismiss(self, worker: Worker, done: asyncio.Task[None]) -> None:
        claim = worker.claim
        if self._workers.get(claim.run_id) is worker:  # a run that was parked may have been taken up again by now
            del self._workers[claim.run_id]
        if done.cancelled() or done.exception() is not None:
            # A worker that fell must not leave a lease that we would go on extending.
            letting_go = self._shop.leases(run_lease.let_go, claim=claim)
            self._shop.tasks.spawn(letting_go, name=f"let go of {claim.run_id}")
        if not self._workers:
            self._idle.set()
        self._look.set()  # there is room for another one

    async def _beat(self) -> None:
        if self._workers:
            await self._shop.leases(run_lease.beat, holder=self._holder, expiry=self._lease_expiry)

    async def _look_for_wishes(self) -> None:
        if self._workers:
            await self._grant_wishes(list(self._workers))

    async def _grant_wishes(self, run_ids: Sequence[UUID]) -> None:
        wishes = await self._shop.leases(run_lease.cancel_wishes, run_ids=run_ids)
        for run_id, (by, reason) in wishes.items():
            if worker := self._workers.get(run_id):
                worker.stop(Cancelled(by, reason, upstream_closed=True))

    async def _close_orphans(self) -> None:
        found = await self._shop.leases(
            run_lease.orphan_run_ids, holder=self._holder, all_others_dead=self._alone, most=ORPHANS_AT_ONCE
        )
        now = asyncio.get_running_loop().time()
        self._not_before = {run_id: then for run_id, then in self._not_before.items() if then > now}
        for run_id in found:
            if run_id not in self._not_before:
                self._not_before[run_id] = now + self._lease_expiry
                await self._close_orphan(run_id)

    async def _close_orphan(self, run_id: UUID) -> None:
        """One that cannot be closed is given up for a while: it must not hold up the others, nor stay ours for ever."""
        claim = await self._shop.leases(
            run_lease.claim_orphan,
            run_id=run_id,
            holder=self._holder,
            expiry=self._lease_expiry,
            all_others_dead=self._alone,
        )
        if claim is None:
            return
        try:
            await close_orphan(self._shop, claim)
        except Exception as fault:
            log.error("a left run could not be closed", run=str(run_id), exc_info=fault)
            await self._shop.leases(run_lease.let_go, claim=claim)

    def _own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._loops.append(self._shop.tasks.spawn(work, name=name))

    async def _again(self, work: Callable[[], Coroutine[Any, Any, None]], pause: float) -> None:
        while True:
            await self._guarded(work)
            await asyncio.sleep(pause)

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A database away for a while must not end what keeps the runs going."""
        try:
            await work()
        except Exception as fault:
            log.error("the supervisor stumbled and goes on", work=work.__name__, exc_info=fault)


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Whether ``event`` is set within so many seconds. (In Python 3.11 ``asyncio.wait_for`` may swallow a cancellation
    that comes at the same moment as the event.)
    """
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True

"""The process's one supervisor: claims runs, takes over what others left, owns the workers, and keeps their leases."""

import asyncio
import random
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from conversations.models import Run
from conversations.services import learning, processes, run_lease, run_queue
from conversations.services.run_lease import Claim, Hands
from streaming.engine.outcome import Cancelled
from streaming.engine.places import Places
from streaming.engine.prompt import Prompt
from streaming.engine.use import Use
from streaming.engine.worker import HandedBack, Worker
from streaming.engine.workshop import Workshop
from streaming.patience import within
from streaming.protocol.codec import Entry
from streaming.protocol.marks import is_terminal

log = structlog.get_logger(__name__)
CLAIMED_AT_ONCE = 64
A_MOMENT = (0.02, 0.06)  # seconds, at random: processes that met once do not meet again
ORPHANS_AT_ONCE = 100
HANDING_BACK = 1.5  # seconds: to close the connections to model servers, and for a few transactions


class Supervisor:
    """``capacity``: how many runs it works on at once; with 0 it claims none and takes none over. ``max_parallel``: how
    many a model server may have at once that has no bound of its own, in all processes together; 0 is no bound.
    ``holder`` names this process on leases. ``alone``: we hold the data directory's lock, so every other lease that
    we find is a dead process's. Times in seconds.
    """

    def __init__(
        self,
        *,
        workshop: Workshop,
        holder: str,
        alone: bool,
        capacity: int,
        max_parallel: int,
        lease_beat: float,
        lease_expiry: float,
        poll: float = 1.0,
    ) -> None:
        self._shop = workshop
        self._holder = holder
        self._alone = alone
        self._capacity = capacity
        self._max_parallel = max_parallel
        self._lease_beat = lease_beat
        self._lease_expiry = lease_expiry
        self._poll = poll
        self._workers: dict[UUID, Worker] = {}
        self._places = Places(capacity, workers=self._workers)
        self._sweep_at = 0.0  # when to look for left runs next
        self._not_before: dict[UUID, float] = {}  # runs whose worker fell, and when to try again
        self._claiming = False
        self._unworked: Set[UUID] = frozenset()  # leases of ours that had no worker at the last beat
        self._may_hold = False  # leases, with or without a worker
        self._loops: list[asyncio.Task[Any]] = []
        self._look = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.draining = False
        self._told_to_hand_back = False

    @property
    def running(self) -> int:
        return len(self._workers)

    @property
    def has_room(self) -> bool:
        """Whether what can be claimed is claimed here."""
        return not self.draining and self._places.free > 0

    @contextmanager
    def places(self, runs: int, taken: Callable[[Run, Claim], None]) -> Iterator[Hands | None]:
        """Hands for so many runs that are about to be opened, for as long as that takes; None where those that wait
        come first, or there is no room. ``taken`` is theirs, and lets ``begin`` have the run in the loop.
        """
        if self.draining or not self._places.keep(runs):
            yield None
            return
        self._may_hold = True
        self._idle.clear()  # a drain that begins now waits for what is being opened
        use = Use(partial(self._give_back, runs))
        try:
            yield Hands(
                holder=self._holder,
                expiry=self._lease_expiry,
                max_parallel=self._max_parallel,
                taken=taken,
                used=use.in_thread,
            )
        finally:
            use.end()

    def _give_back(self, runs: int) -> None:
        self._places.give_back(runs)
        self._may_hold = True  # also where it is not known what came of it, and whatever a beat found meanwhile
        self._may_be_idle()
        if self._places.somebody_may_wait:
            self._look.set()  # whoever looked meanwhile may have found no room

    def begin(self, claim: Claim, prompt: Prompt | None) -> None:
        """Work on a run that was taken as it was opened. ``prompt`` is its, where it is at hand."""
        self._employ(claim, prompt)
        if self._told_to_hand_back:
            self._workers[claim.run_id].stop(HandedBack())

    def holds(self, run_id: UUID) -> bool:
        return run_id in self._workers

    @property
    def at_work(self) -> Set[UUID]:
        """The runs that this process works on."""
        return self._workers.keys()

    def start(self) -> None:
        if not self._capacity:
            return  # others work; this process serves readers
        self._look.set()  # at once, for what an earlier process has left
        self._own(self._claim_for_ever(), "claims")
        self._own(self._again(self._beat, self._lease_beat), "leases")
        self._own(self._again(self._look_for_wishes, self._poll), "cancel wishes")

    def rang(self, run_id: UUID, entries: Sequence[Entry]) -> None:
        """A verb has committed something about this run: it can be claimed now, or a wish for one of ours to stop."""
        if entries and is_terminal(entries[-1]) and not self._places.somebody_may_wait:
            return
        if entries or run_id not in self._workers:
            if not entries:
                self._sweep_at = 0.0
            self._look.set()
        else:
            self._shop.tasks.spawn(self._grant_wishes([run_id]), name=f"cancel {run_id}")

    def look(self) -> None:
        """Something is there to be claimed, perhaps a run that was handed back."""
        self._sweep_at = 0.0
        self._look.set()

    def wished(self, run_ids: Collection[UUID]) -> None:
        """Another process has committed something about these runs, and does not hold them."""
        if ours := [run_id for run_id in run_ids if run_id in self._workers]:
            self._shop.tasks.spawn(self._grant_wishes(ours), name="cancel what others wish")

    def storage_waits(self, run_ids: Sequence[UUID]) -> None:
        """What the log has of these runs does not get into the storage at once."""
        for run_id in run_ids:
            if worker := self._workers.get(run_id):
                worker.storage_waits()

    async def drain(self, *, grace: float) -> None:
        """Claim nothing more, and let running runs finish within ``grace`` seconds; what can go on elsewhere without a
        loss is handed back at once, and all the rest in the end: for another process, or the next start of this one.
        """
        self.draining = True
        self._shop.afterthoughts.stop()
        self._look.set()
        self._own(self._again(self._hand_back_what_can_be, self._poll), "handing back")
        await within(grace, self._idle)
        self._told_to_hand_back = True
        self._hand_back(list(self._workers.values()))
        if not await within(HANDING_BACK, self._idle):
            log.error("runs were left as they are; they are taken over in time", runs=len(self._workers))

    async def stop(self) -> None:
        for task in self._loops:
            task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        if not self._alone:
            await self._guarded(self._withdraw)

    async def _claim_for_ever(self) -> None:
        """Whenever a bell rings, and once a second in case one was missed: first what others left, then what waits."""
        while True:
            await within(self._poll, self._look)
            self._look.clear()
            await self._guarded(self._take_over_what_fits)
            await self._guarded(self._claim_what_fits)

    async def _take_over_what_fits(self) -> None:
        """What was begun goes before what waits to begin; what is only to be stopped needs no place of its own."""
        now = asyncio.get_running_loop().time()
        if self.draining or now < self._sweep_at:
            return
        self._sweep_at = now + self._poll
        found = await self._shop.leases(
            run_lease.orphans, holder=self._holder, all_others_dead=self._alone, most=ORPHANS_AT_ONCE
        )
        self._not_before = {run_id: then for run_id, then in self._not_before.items() if then > now}
        for orphan in found:
            if self.draining or orphan.run_id in self._not_before:
                continue
            if orphan.unwanted or self._places.free > 0:
                await self._take_over(orphan.run_id)
            else:
                self._sweep_at = 0.0  # there is one for the next place that is free

    async def _take_over(self, run_id: UUID) -> None:
        self._claiming = True
        self._places.promise_one()
        self._idle.clear()
        try:
            claim = await self._shop.leases(
                run_lease.claim_orphan,
                run_id=run_id,
                holder=self._holder,
                expiry=self._lease_expiry,
                all_others_dead=self._alone,
            )
            if claim is not None:
                log.warning("took over a run that was left", run=str(run_id), number=claim.number, lost=claim.lost)
                self._employ(claim)
        finally:
            self._claiming = False
            self._places.promised_no_more()
            self._may_hold = True  # also where it is not known what came of it
            self._may_be_idle()

    async def _claim_what_fits(self) -> None:
        while not self.draining and (room := min(self._places.free, CLAIMED_AT_ONCE)) > 0:
            wanted, got = await self._claim(room)
            may_be_more = self._places.claimed(wanted=wanted, got=got)
            if got < wanted:
                # Another process is at it, or what we wanted is being changed: they are done in a moment.
                asyncio.get_running_loop().call_later(random.uniform(*A_MOMENT), self._look.set)
                return
            if not may_be_more:  # that was all; whatever comes now rings
                return
        self._places.lost_sight()

    async def _claim(self, room: int) -> tuple[int, int]:
        """Take up to so many runs; returns how many were wanted, and how many there were."""
        self._idle.clear()  # a drain that begins now waits for what is being claimed
        self._claiming, wanted = True, room
        self._places.look(room)
        try:
            wanted, claims = await self._shop.leases(
                run_queue.claim_shares,
                share_out=partial(self._places.share_out, room=room, max_parallel=self._max_parallel),
                max_parallel=self._max_parallel,
                holder=self._holder,
                expiry=self._lease_expiry,
            )
            for claim in claims:
                self._employ(claim)
        finally:
            self._claiming = False
            self._places.promised_no_more()
            self._may_hold |= wanted > 0  # also where it is not known what came of it
            self._may_be_idle()
        return wanted, len(claims)

    def _employ(self, claim: Claim, prompt: Prompt | None = None) -> None:
        worker = Worker(claim=claim, workshop=self._shop, prompt=prompt)
        if before := self._workers.get(claim.run_id):
            before.fence_out()
        self._workers[claim.run_id] = worker
        self._may_hold = True
        self._idle.clear()
        task = self._shop.tasks.spawn(worker.carry_out(), name=f"run {claim.run_id}")
        task.add_done_callback(lambda done: self._dismiss(worker, done))

    def _dismiss(self, worker: Worker, done: asyncio.Task[None]) -> None:
        claim = worker.claim
        if self._workers.get(claim.run_id) is worker:  # a run that was parked may have been taken up again by now
            del self._workers[claim.run_id]
        if done.cancelled() or done.exception() is not None:
            # A worker that fell must not leave a lease that we would go on extending, nor get the run again at once.
            self._not_before[claim.run_id] = asyncio.get_running_loop().time() + self._lease_expiry
            letting_go = self._shop.leases(run_lease.let_go, claim=claim)
            self._shop.tasks.spawn(letting_go, name=f"let go of {claim.run_id}")
        self._may_be_idle()
        if self._places.somebody_may_wait:
            self._look.set()  # there is room for another one

    def _may_be_idle(self) -> None:
        if not (self._workers or self._places.some_are_kept or self._claiming):
            self._idle.set()

    async def _beat(self) -> None:
        """Say that we live, and that our runs are ours. One that was frozen learns here which are not any more."""
        if not self._alone:
            await self._announce()
        if not self._may_hold:
            return
        before, self._may_hold = dict(self._workers), False
        try:
            numbers = await self._shop.leases(run_lease.beat, holder=self._holder, expiry=self._lease_expiry)
        except Exception:
            self._may_hold = True
            raise
        self._may_hold |= bool(numbers)
        for run_id, worker in before.items():
            if self._workers.get(run_id) is worker and numbers.get(run_id) != worker.claim.number:
                worker.fence_out()
        await self._let_go_of_what_nobody_works_on(numbers)

    async def _let_go_of_what_nobody_works_on(self, numbers: Mapping[UUID, int]) -> None:
        """A claim may be committed and its answer lost on the way; a lease may not be given up when its worker falls.
        As long as this process lives, nobody would take such a run: it goes on like any that was left.
        """
        if self._claiming:  # what has no worker yet is about to get one
            return
        unworked = numbers.keys() - self._workers.keys()
        # What is being opened is, too; it is there long before the next beat.
        left, self._unworked = unworked & self._unworked if self._places.some_are_kept else unworked, unworked
        for run_id in left:
            log.warning("a lease that nobody here works under is given up", run=str(run_id))
            await self._shop.leases(run_lease.let_go, claim=Claim(run_id=run_id, number=numbers[run_id], head=0))

    async def _announce(self) -> None:
        await self._shop.leases(
            processes.announce,
            holder=self._holder,
            expiry=self._lease_expiry,
            capacity=self._capacity,
            draining=self.draining,
        )

    async def _withdraw(self) -> None:
        await self._shop.leases(processes.withdraw, holder=self._holder)

    async def _hand_back_what_can_be(self) -> None:
        """To those who have room for it, if there are any."""
        if self._alone:
            return
        await self._announce()  # or two that drain together would hand each other their runs
        if not self._workers:
            return
        room = await self._shop.leases(processes.room_elsewhere, holder=self._holder)
        workers = list(self._workers.values())
        models = {worker.model for worker in workers}
        continuing = await self._shop.leases(learning.continuing_models, among=models)
        self._hand_back([worker for worker in workers if worker.can_be_left(continuing)][:room])

    def _hand_back(self, workers: Sequence[Worker]) -> None:
        for worker in workers:
            worker.stop(HandedBack())

    async def _look_for_wishes(self) -> None:
        if self._workers:
            await self._grant_wishes(list(self._workers))

    async def _grant_wishes(self, run_ids: Sequence[UUID]) -> None:
        wishes = await self._shop.leases(run_lease.cancel_wishes, run_ids=run_ids)
        for run_id, (by, reason) in wishes.items():
            if worker := self._workers.get(run_id):
                worker.stop(Cancelled(by, reason, upstream_closed=True))

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

"""One claimed run, from its first event to its last: the owner of the task that iterates the generator."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import aclosing
from functools import partial

import msgspec
import structlog

from chatserver.ids import new_id
from conversations.services import learning
from conversations.services.run_close import EndRefused
from conversations.services.run_lease import Claim, cancel_wishes, let_go
from streaming.engine.adapting import adapted, takes_images
from streaming.engine.afterthought import Occasion
from streaming.engine.attached import with_files
from streaming.engine.closing import close_for_good, insist, park_for_good, read_state
from streaming.engine.continuation import CannotContinue
from streaming.engine.generator import Phase, generate, specs
from streaming.engine.going_on import going_on
from streaming.engine.machine import End, Park, RunMachine
from streaming.engine.outcome import INTERRUPTED, Cancelled, Ending, Expired, Failed, Incomplete, Outcome
from streaming.engine.parking import Decided
from streaming.engine.prompt import Prompt, load_decisions, load_prompt
from streaming.engine.recorder import Recorder
from streaming.engine.salvage import salvage
from streaming.engine.structured import Verdict, judge
from streaming.engine.too_long import Shorter
from streaming.engine.window import Window
from streaming.engine.workshop import Workshop
from streaming.eventlog.base import Fenced
from streaming.protocol.codec import encode
from streaming.protocol.errors import ChatError, InternalError
from streaming.protocol.events import RunStatusHint
from streaming.protocol.lifecycle import MessageStatus, RunStatus
from streaming.protocol.notices import Notice
from streaming.protocol.snapshot import RunState
from streaming.providers.attempts import attempts
from streaming.providers.base import ChatRequest, Chunk, ModelInfo, Provider

log = structlog.get_logger(__name__)


class HandedBack(msgspec.Struct, frozen=True):
    """No end: somebody else goes on with the run, from what its readers have seen."""


class Worker:
    """``prompt`` is the run's where it is at hand; else it is read."""

    def __init__(self, *, claim: Claim, workshop: Workshop, prompt: Prompt | None = None) -> None:
        self.claim = claim
        self._prompt = prompt
        self._shop = workshop
        self._work: asyncio.Task[None] | None = None
        self._stop: Cancelled | Expired | HandedBack | None = None
        self._log_failure: BaseException | None = None
        self._thread: str | None = None
        self._at_work: RunMachine | None = None
        self._occasion: Occasion | None = None
        self.model = ""  # its full name
        self._started = time.monotonic()
        self._began_at = time.time()

    def stop(self, outcome: Cancelled | Expired | HandedBack) -> None:
        """End the run this way. The first to ask decides; a run whose work has ended already keeps its own end."""
        if self._stop is None:
            self._stop = outcome
            if self._work is not None:
                self._work.cancel()

    def fence_out(self) -> None:
        """Somebody else has the run: write nothing more, and close the connection to the model server."""
        self._log_failed(Fenced())

    def can_be_left(self, continuing: Collection[str]) -> bool:
        """Whether another process can go on and no reader would miss anything. ``continuing`` are the models that are
        known to go on with an answer.
        """
        machine = self._at_work
        return machine is None or machine.can_be_left(model_continues=self.model in continuing)

    def storage_waits(self) -> None:
        """The log does not get this run's events into the storage: its readers are told what they wait for."""
        if self._thread is not None:
            hint = RunStatusHint(run_id=self._run, thread_id=self._thread, phase="waiting_for_storage")
            self._shop.hint(self.claim.run_id, encode(hint, None))

    async def carry_out(self) -> None:
        """Do the work and close the run. Leaves nothing of it behind, whatever happens."""
        try:
            await self._carry_out()
        except Fenced:
            await self._taken_over()
        except Exception as fault:  # a log that cannot be read, or a fault of ours: the run must end all the same
            await salvage(self._shop, self.claim, fault)

    async def _carry_out(self) -> None:
        prompt, self._prompt = self._prompt, None  # a long conversation is not kept for as long as its answer takes
        if prompt is None:
            prompt = await insist(partial(self._shop.offload, load_prompt, self.claim.run_id), run=self._run)
        self.model = prompt.model
        self._occasion = self._shop.afterthoughts.begun(prompt)
        machine = self._at_work = self._machine_at_hand() or await self._machine()
        if end := await self._end_of_a_left_one(machine):
            log.warning("a left run is not gone on with", run=self._run, lost=self.claim.lost)
            await self._close(machine, end, head=machine.state.last)
            return
        decided = await self._decided(machine)
        recorder = self._recorder(head=machine.state.last)
        try:
            outcome = await self._outcome(machine, recorder, prompt, decided)
            if isinstance(outcome, HandedBack):
                outcome = await self._wish() or outcome
            if isinstance(outcome, Cancelled):
                await recorder.record(machine.cancelling(by=outcome.by, reason=outcome.reason))
            await recorder.settle()
        except ChatError as fault:  # the log turns events away: what it has not got, nobody has seen
            outcome = self._failed(fault)
            machine = await self._machine()
            recorder.head = machine.state.last
        finally:
            recorder.close()
        if isinstance(outcome, Park):
            await self._park(machine, head=recorder.head)
        elif isinstance(outcome, HandedBack):
            log.info("run handed back", run=self._run, head=recorder.head)
            letting_go = partial(let_go, claim=self.claim, held=self._held)
            await insist(partial(self._shop.event_log.run_last, letting_go, run_id=self.claim.run_id), run=self._run)
        else:
            await self._close(machine, outcome, head=recorder.head)

    async def _taken_over(self) -> None:
        log.warning("another process has taken this run over", run=self._run)
        # Where nobody has after all, the next sweep must find it; the lease of somebody else is left alone.
        await insist(partial(self._shop.leases, let_go, claim=self.claim), run=self._run)

    async def _park(self, machine: RunMachine, *, head: int) -> None:
        parking = machine.park(at=self._now())
        try:
            parked = await park_for_good(self._shop, self.claim, parking, held=self._held, head=head)
        except EndRefused:  # somebody asked for the stop before that could be written
            await self._close(await self._machine(), await self._wished(), head=head)
            return
        if parked:
            log.info("run parked", run=self._run, tools=[approval.tool for approval in parking.approvals])

    async def _close(self, machine: RunMachine, outcome: Outcome, *, head: int) -> None:
        ending = machine.end(outcome, at=self._now())
        try:
            closed = await close_for_good(self._shop, self.claim, ending, head=head)
        except EndRefused:
            # Time ran out, and somebody asked for the stop before that could be written: their stop it is.
            machine = await self._machine()
            ending = machine.end(await self._wished(), at=self._now())
            closed = await close_for_good(self._shop, self.claim, ending, head=head)
        if closed:
            self._say_how_it_went(ending)
            self._shop.afterthoughts.ended(self._occasion, ending)

    async def _wish(self) -> Cancelled | None:
        """Somebody's, that the run be stopped."""
        wishes = await insist(partial(self._shop.leases, cancel_wishes, run_ids=[self.claim.run_id]), run=self._run)
        wish = wishes.get(self.claim.run_id)
        return None if wish is None else Cancelled(*wish, upstream_closed=True)

    async def _wished(self) -> Cancelled:
        wish = await self._wish()
        assert wish is not None, "an end is refused only in favour of somebody's wish"
        return wish

    async def _end_of_a_left_one(self, machine: RunMachine) -> Outcome | None:
        """How a run ends that its process had left; None where it is gone on with."""
        if not self.claim.left:
            return None
        if wish := await self._wish():
            return wish
        in_vain = self.claim.lost >= self._shop.limits.max_attempts
        return Incomplete(INTERRUPTED) if in_vain or machine.answer.status != MessageStatus.IN_PROGRESS else None

    def _machine_at_hand(self) -> RunMachine | None:
        """The run as it was opened just now, where nobody else can have written to its log."""
        if not self.claim.opened or not self._shop.event_log.fenced_by_claims:
            return None
        state = RunState()
        state.extend(self.claim.opened)
        return self._machine_of(state)

    async def _machine(self) -> RunMachine:
        """The run as far as the log has it."""
        return self._machine_of(await insist(partial(read_state, self._shop.event_log, self.claim), run=self._run))

    def _machine_of(self, state: RunState) -> RunMachine:
        machine = RunMachine(state=state, limits=self._shop.limits, new_id=lambda: str(new_id()))
        self._thread = machine.run.thread_id
        return machine

    async def _decided(self, machine: RunMachine) -> Decided | None:
        """What a parked run goes on with; None for one that begins."""
        if machine.run.status != RunStatus.REQUIRES_ACTION:
            return None
        return await insist(partial(self._shop.offload, load_decisions, self.claim.run_id), run=self._run)

    async def _outcome(
        self, machine: RunMachine, recorder: Recorder, prompt: Prompt, decided: Decided | None
    ) -> Outcome | Park | HandedBack:
        """Work until there is nothing left to do here, somebody stops it, or time is up. Raises what the log raised."""
        work = self._drive(machine, recorder, prompt, decided)
        self._work = self._shop.tasks.spawn(work, name=f"work {self._run}", awaited=True)
        if self._stop is not None or self._log_failure is not None:
            self._work.cancel()
        done, _ = await asyncio.wait({self._work}, timeout=max(0.0, self._shop.pace.deadline - self._held))
        if not done:
            self.stop(Expired())
        closed = True
        if not self._work.done():
            done, _ = await asyncio.wait({self._work}, timeout=self._shop.pace.closing_patience)
            closed = bool(done)
        if self._log_failure is not None:
            raise self._log_failure
        return self._what_came_of_it(machine, upstream_closed=closed)

    def _what_came_of_it(self, machine: RunMachine, *, upstream_closed: bool) -> Outcome | Park | HandedBack:
        assert self._work is not None
        fault = None if not self._work.done() or self._work.cancelled() else self._work.exception()
        if fault is None and self._work.done() and not self._work.cancelled():
            if isinstance(machine.next, End):
                return machine.next.outcome
            # A drain that comes at this moment takes nothing away: a parked run is held by nobody.
            if isinstance(machine.next, Park) and not isinstance(self._stop, Cancelled | Expired):
                return machine.next
        if self._stop is not None:
            if isinstance(self._stop, Cancelled):
                return Cancelled(self._stop.by, self._stop.reason, upstream_closed)
            return self._stop
        if isinstance(fault, CannotContinue):
            log.info("the model does not go on with an answer", run=self._run, cause=repr(fault.__cause__))
            return Incomplete(INTERRUPTED)
        if isinstance(fault, ChatError):
            return self._failed(fault)
        log_id = _log_id()
        log.error("run failed by a fault of ours", run=self._run, log_id=log_id, exc_info=fault)
        return Failed(InternalError(log_id=log_id).as_object())

    def _failed(self, fault: ChatError) -> Failed:
        fault.log_id = fault.log_id or _log_id()
        log.warning("run failed", run=self._run, code=fault.code, log_id=fault.log_id, cause=repr(fault.__cause__))
        return Failed(fault.as_object())

    async def _drive(self, machine: RunMachine, recorder: Recorder, prompt: Prompt, decided: Decided | None) -> None:
        # Also here, where it may have waited for hours: what somebody may not use any more is not asked for them.
        async with self._shop.registry.at_work(prompt.model, prompt.owner) as (provider, model):
            await self._drive_with(provider, model, machine, recorder, prompt, decided)

    async def _drive_with(
        self,
        provider: Provider,
        model: ModelInfo,
        machine: RunMachine,
        recorder: Recorder,
        prompt: Prompt,
        decided: Decided | None,
    ) -> None:
        asked = adapted(parameters=prompt.parameters, tools=prompt.tools, there=self._shop.tools.names, model=model)
        tools = self._shop.tools.restricted(asked.tools)
        request = ChatRequest(
            model=model.name,
            messages=(),
            tools=specs(tools),
            tools_wished=bool(prompt.tools),
            think=asked.think,
            parameters=prompt.parameters,
            whole=True,
            response_format=prompt.response_format,
        )
        window = Window(
            size=asked.window, max_tokens=prompt.parameters.max_tokens, tools=request.tools, older=prompt.older
        )
        about_files: list[Notice] = []
        sees = takes_images(model)
        shorter = Shorter(self._shop, prompt=prompt, sees=sees, window=window, machine=machine)
        if prompt.has_files:
            prompt, about_files = await self._shop.files(with_files, prompt, room=window.room, sees=sees)
        fitting = partial(prompt.within, window, begun=machine.state)
        messages = fitting() if prompt.is_short else await self._shop.offload(fitting)
        machine.give_prompt(messages, notices=[*asked.notices, *about_files, *window.notices])

        def ask(request: ChatRequest) -> AsyncIterator[Sequence[Chunk]]:
            return attempts(
                provider,
                request,
                attempts=self._shop.pace.retry_attempts,
                delay=self._shop.pace.retry_delay,
                fallback_to_non_streaming=self._shop.pace.fallback_to_non_streaming,
                streaming=self._shop.pace.streaming,
                shorter=shorter,
            )

        events = generate(
            machine,
            attempt=prompt.attempt,
            earlier=prompt.steps_before,
            decided=decided,
            request=request,
            ask=going_on(ask, known=self._goes_on, learned=self._learned),
            tools=tools,
            spawn=self._shop.tasks.spawn,
            clock=self._now,
            first_wait=_wait_for(model),
            window=window,
            judge=partial(self._judge, prompt),
        )
        async with aclosing(events):
            async for batch in events:
                await recorder.record(batch)

    async def _judge(self, prompt: Prompt, text: str, told: bool) -> Verdict:
        assert prompt.response_format is not None
        return await self._shop.checks(judge, text, prompt.response_format, told=told)

    async def _goes_on(self) -> bool | None:
        return await self._shop.offload(learning.continues, model=self.model)

    def _learned(self, continues: bool) -> None:
        log.info("seen whether a model goes on with an answer", model=self.model, continues=continues)
        learning_it = self._shop.offload(learning.learn, model=self.model, continues=continues)
        self._shop.tasks.spawn(learning_it, name=f"learn about {self.model}")

    def _recorder(self, *, head: int) -> Recorder:
        return Recorder(
            claim=self.claim,
            head=head,
            event_log=self._shop.event_log,
            hint=self._shop.hint,
            failed=self._log_failed,
            interval=self._shop.pace.flush_interval,
            limit=self._shop.pace.flush_bytes,
        )

    def _log_failed(self, fault: BaseException) -> None:
        self._log_failure = fault
        if self._work is not None:
            self._work.cancel()

    def _now(self) -> float:
        """Unix seconds that never go back: the wall clock at the start, and the monotonic one from there."""
        return self._began_at + (time.monotonic() - self._started)

    @property
    def _held(self) -> float:
        """For how many seconds the run was held by now."""
        return self.claim.held + (time.monotonic() - self._started)

    @property
    def _run(self) -> str:
        return str(self.claim.run_id)

    def _say_how_it_went(self, ending: Ending) -> None:
        timing, usage = ending.run.timing, ending.run.usage
        log.info(
            "run ended",
            run=self._run,
            thread=ending.run.thread_id,
            status=ending.status.value,
            model=ending.run.model,
            attempt=ending.run.attempt,
            first_token_ms=timing.first_token_ms if timing else None,
            duration_ms=timing.duration_ms if timing else None,
            prompt_tokens=usage.prompt_tokens if usage else None,
            completion_tokens=usage.completion_tokens if usage else None,
            characters=len(ending.message.text),
            steps=len(ending.steps),
            error=ending.run.error.code if ending.run.error else None,
        )


def _log_id() -> str:
    return secrets.token_hex(8)


def _wait_for(model: ModelInfo) -> Phase:
    """What the first turn waits for. Only a model server that says so is known to have to load the model."""
    return "loading_model" if model.loaded is False else "waiting_for_model"

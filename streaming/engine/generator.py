"""The one generator of an answer: it drives a run machine through model and tools, and yields what is to be told."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, Literal, Protocol

import msgspec

from streaming.engine.machine import Ask, End, Judge, Park, PendingCall, RunMachine, RunTools
from streaming.engine.parking import Decided
from streaming.engine.structured import Verdict
from streaming.engine.window import Window
from streaming.protocol.errors import ErrorObject, UpstreamError, UpstreamTruncated
from streaming.protocol.events import Event, RunStatusHint
from streaming.protocol.objects import Step
from streaming.providers.base import ChatRequest, Chunk, ToolSpec
from streaming.tools.base import ToolError, ToolFailed, ToolResult
from streaming.tools.registry import ToolRegistry

# After its Finish a model server has nothing to say; this long it may take to close by itself, so that the connection
# can be used again.
LAST_WORDS = 0.25

Clock = Callable[[], float]
Phase = Literal["loading_model", "waiting_for_model"]
# Whether a text has the form that was asked for, and whether readers have seen it already.
Judging = Callable[[str, bool], Awaitable[Verdict]]


class Spawn(Protocol):
    """Makes a task that somebody owns: a task registry's method."""

    def __call__(self, work: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]: ...


async def generate(
    machine: RunMachine,
    *,
    request: ChatRequest,
    ask: Callable[[ChatRequest], AsyncIterator[Sequence[Chunk]]],
    tools: ToolRegistry,
    spawn: Spawn,
    clock: Clock,
    attempt: int = 1,
    earlier: Sequence[Step] = (),
    decided: Decided | None = None,
    first_wait: Phase = "waiting_for_model",
    window: Window | None = None,
    judge: Judging | None = None,
) -> AsyncGenerator[list[Event], None]:
    """Yield lists of events until ``machine.next`` is Park or End; either is its driver's to make.

    ``request`` is what the model is asked each time, but for its messages. ``decided`` is what a parked run goes on
    with; without it the run begins, or is taken up where it was left. ``earlier`` are the steps of an answer that other
    runs have begun.

    ``first_wait`` is what readers are told that the first turn waits for. ``window`` says what of the messages the
    model is given. An answer that is to have a form needs somebody to ``judge`` it.

    Its driver commits every event but deltas before it asks for more: so a tool's step is durable before the tool
    runs. Raises what ``ask`` raises, and UpstreamTruncated where its iterator ends without a Finish. Close it, or
    cancel what awaits it, and the model's iterator is closed and the tools are cancelled before it returns.
    """
    if decided is None:
        yield machine.begin(at=clock(), attempt=attempt, earlier=earlier, asks=tools.needs_approval)
    else:
        yield machine.go_on(
            at=clock(),
            attempt=attempt,
            rulings=decided.rulings,
            so_far=decided.so_far,
            earlier=earlier,
            asks=tools.needs_approval,
        )
    window = window or Window()
    waits_for = first_wait
    while True:
        match machine.next:
            case Ask(messages, corrects):
                yield [_waiting(machine, waits_for)]
                waits_for = "waiting_for_model"  # by then it is loaded
                given = window.fitted(messages)
                machine.note(window.notices)
                offered = () if corrects else request.tools
                chunks = ask(msgspec.structs.replace(request, messages=given, tools=offered))
                # Here and not in a generator of its own, which every piece would have to come through.
                try:
                    async for batch in chunks:
                        if events := machine.feed(batch, at=clock()):
                            yield events
                        if machine.turn_finished or machine.answer_full:
                            break
                    else:
                        raise UpstreamTruncated()
                    if machine.turn_finished:
                        await _hear_out(chunks)
                finally:
                    await _close(chunks)  # before the turn's tool steps are told
                    machine.note(window.notices)  # it may have been too much, and less was asked
                window.counted(machine.turn_usage)
                if events := machine.turn_ended(at=clock()):
                    yield events
            case RunTools(calls):
                async with aclosing(_ToolRound(machine, tools, clock).run(calls, spawn)) as told:
                    async for events in told:
                        if events:
                            yield events
            case Judge(text, told):
                assert judge is not None, "a run with a form has somebody to judge it"
                machine.judged(await judge(text, told))
            case Park() | End():
                return


def specs(tools: ToolRegistry) -> tuple[ToolSpec, ...]:
    """The tools as they are offered to a model."""
    return tuple(
        ToolSpec(name=tool.name, description=tool.description, parameters=tool.parameters) for tool in tools.describe()
    )


def _waiting(machine: RunMachine, phase: Phase) -> RunStatusHint:
    return RunStatusHint(run_id=machine.run.id, thread_id=machine.run.thread_id, phase=phase)


async def _hear_out(chunks: AsyncIterator[Sequence[Chunk]]) -> None:
    try:
        async with asyncio.timeout(LAST_WORDS):
            async for _ in chunks:
                pass
    except (TimeoutError, UpstreamError):
        pass  # the turn is complete, whatever becomes of the connection


async def _close(chunks: AsyncIterator[Sequence[Chunk]]) -> None:
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()


class _ToolRound:
    """The calls of one turn, side by side; what they say is yielded as it comes."""

    def __init__(self, machine: RunMachine, tools: ToolRegistry, clock: Clock) -> None:
        self._machine = machine
        self._tools = tools
        self._clock = clock
        # What came, in order: a callable that tells the machine. Bounded by what the registry lets a tool say.
        self._came: asyncio.Queue[Callable[[], list[Event]]] = asyncio.Queue()

    async def run(self, calls: Sequence[PendingCall], spawn: Spawn) -> AsyncGenerator[list[Event], None]:
        tasks = [spawn(self._call(call), name=f"tool {call.name} of run {self._machine.run.id}") for call in calls]
        for task, call in zip(tasks, calls, strict=True):
            task.add_done_callback(self._when_done(call))
        try:
            while isinstance(self._machine.next, RunTools):
                events = (await self._came.get())()
                while not self._came.empty():
                    events += self._came.get_nowait()()
                yield events
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _call(self, call: PendingCall) -> ToolResult | ToolError:
        def emit(*, output: str = "", progress: float | None = None) -> None:
            self._came.put_nowait(lambda: self._machine.tool_progress(call.step_id, output=output, progress=progress))

        try:
            return await self._tools.run(
                call.name,
                call.arguments,
                emit=emit,
                deadline=self._machine.limits.tool_timeout,
                approved=call.approved,
            )
        except ToolError as fault:
            return fault

    def _when_done(self, call: PendingCall) -> Callable[[asyncio.Task[ToolResult | ToolError]], None]:
        def done(task: asyncio.Task[ToolResult | ToolError]) -> None:
            self._came.put_nowait(lambda: self._ended(call, task))

        return done

    def _ended(self, call: PendingCall, task: asyncio.Task[ToolResult | ToolError]) -> list[Event]:
        """However a tool's task ended, its step ends: nobody waits for ever."""
        at = self._clock()
        if task.cancelled() or task.exception() is not None:
            return self._machine.tool_ended(call.step_id, error=_broken(call), at=at)
        result = task.result()
        if isinstance(result, ToolError):
            return self._machine.tool_ended(call.step_id, error=result.as_object(), at=at)
        return self._machine.tool_ended(call.step_id, output=result.output, output_cut=result.output_cut, at=at)


def _broken(call: PendingCall) -> ErrorObject:
    return ToolFailed(f"The tool {call.name} failed.").as_object()

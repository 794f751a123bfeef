"""The run machine: chunks and tool results in, events out, and what is to be done next. No await, clock or socket.

Its state is the fold of the events that it made, so that content, parts and steps are what a reader of them sees.
It counts events before they are joined: the numbers of the log are the log's own.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from streaming.engine.calls import CallLedger, VettedCall
from streaming.engine.limits import Limits
from streaming.engine.measure import Measure, SoFar
from streaming.engine.outcome import (
    INTERRUPTED,
    Cancelled,
    Completed,
    Ending,
    Failed,
    IllegalMove,
    Incomplete,
    Outcome,
    message_end,
    run_end,
    status_of,
)
from streaming.engine.parking import Approved, Asks, Parking, Ruling, nobody_is_asked
from streaming.engine.retold import as_messages, prompt_calls, retell
from streaming.engine.room import size, what_fits
from streaming.engine.structured import Verdict, once_more, withheld_of
from streaming.engine.teller import Teller
from streaming.engine.turn import NOT_FINISHED, Turn, follow, result_message
from streaming.protocol.approvals import NEVER_ALLOWED, waits
from streaming.protocol.errors import ErrorObject
from streaming.protocol.events import Event, RunCancelling, RunInProgress, RunRequiresAction
from streaming.protocol.lifecycle import MessageStatus, RunStatus, may_become
from streaming.protocol.notices import Notice, left_out, noted
from streaming.protocol.objects import Approval, Message, Run, Step, Usage
from streaming.protocol.response_format import ended
from streaming.protocol.snapshot import RunState
from streaming.protocol.text import clean
from streaming.protocol.times import rfc3339
from streaming.providers.base import Chunk, PromptCall, PromptMessage, Text, Thinking, ToolCall

# A turn that was cut off is not whole: its calls are shown, but never run.
CUT_OFF = {"length": "max_tokens", "content_filter": "content_filter"}
NOT_RUN = ErrorObject(code="not_run", message="Not run: the model's turn was cut off.")
NEVER_BEGUN = ErrorObject(code="not_run", message="Not run: the server was stopped before it began.")
MAX_REASON = 100  # characters of a model server's own word for why it stopped


class Ask(msgspec.Struct, frozen=True):
    """Ask the model with these messages and feed what it says. ``corrects``: it has given its answer, in another form
    than was asked for, and is to give it once more; no tools are needed for that.
    """

    messages: tuple[PromptMessage, ...]
    corrects: bool = False


class Judge(msgspec.Struct, frozen=True):
    """The answer is to have a form: find out whether this has it, and say so with ``judged``. ``told``: readers have
    seen the text already.
    """

    text: str
    told: bool


class PendingCall(msgspec.Struct, frozen=True, kw_only=True):
    """``approved``: a person has allowed it, with these arguments."""

    step_id: str
    name: str
    arguments: dict[str, Any]
    approved: bool = False


class RunTools(msgspec.Struct, frozen=True):
    """Run these, side by side if you like; report each with ``tool_ended``."""

    calls: tuple[PendingCall, ...]


class Park(msgspec.Struct, frozen=True):
    """Every other call of the turn has ended; nothing can be done but ``park`` until a person has decided on these."""

    calls: tuple[PendingCall, ...]


class End(msgspec.Struct, frozen=True):
    """Nothing is left to do but ``end(outcome)``."""

    outcome: Completed | Incomplete


Next = Ask | RunTools | Judge | Park | End


class RunMachine:
    """One run. ``at`` is unix seconds, and never goes back. Methods return the events that they caused, in order.

    A call that cannot follow raises IllegalMove; after ``end`` that is every call.
    """

    def __init__(
        self,
        *,
        state: RunState,
        messages: tuple[PromptMessage, ...] = (),
        limits: Limits,
        new_id: Callable[[], str],
    ) -> None:
        """``state`` is the fold of the run's log so far, and belongs to the machine from here on."""
        run, answer = state.run, state.answer
        if run is None or answer is None:
            raise ValueError("a run machine needs the run and its answer")
        self.limits = limits
        self.state = state
        self._new_id = new_id
        self._messages = messages
        self._teller = Teller(state, run=run, max_piece=limits.max_piece, new_id=new_id)
        self._ledger = CallLedger(limits, state.steps)
        asked_at = next((message.created_at for message in state.messages if message.role == "user"), None)
        self._measure = Measure(run, streamed_before=run.attempt > 0 and bool(answer.parts), asked_at=asked_at)
        self._turn = Turn()
        self._begun = False
        self._calls: list[tuple[PromptCall, str]] = []  # of the last turn, in its order, with their steps
        self._pending: dict[str, PendingCall] = {}
        self._waiting: dict[str, PendingCall] = {}  # for a person
        self._asks: Asks = nobody_is_asked
        self._left_open = frozenset(step.id for step in state.open_steps)  # by another process
        self._told: dict[str, tuple[int, int]] = {}  # by step: characters of output, and bytes that still fit
        self._cut: set[str] = set()
        self._notices: list[Notice] = []
        self._room = limits.max_answer - size(answer.text) - size(answer.thinking)
        self._withheld = withheld_of(run, told=bool(answer.text.strip()))
        self._unjudged: Completed | None = None  # how the run ends if its answer has the form that was asked for
        self._outcome: Completed | Incomplete | None = None

    @property
    def run(self) -> Run:
        assert self.state.run is not None
        return self.state.run

    @property
    def answer(self) -> Message:
        assert self.state.answer is not None
        return self.state.answer

    @property
    def ended(self) -> bool:
        return self.state.terminal

    @property
    def turn_finished(self) -> bool:
        """The model server has said that this turn is over."""
        return self._turn.finish is not None

    @property
    def answer_full(self) -> bool:
        """No more of the answer is taken; what is left of this turn need not be heard."""
        return self._room < 0

    def can_be_left(self, *, model_continues: bool) -> bool:
        """Whether somebody else can go on from what was told by now, and no reader would miss anything."""
        if self._pending or self.state.open_steps or self.turn_finished or self._outcome is not None:
            return False
        turns = retell(self.answer, self.state.steps)
        if not turns or turns[-1].calls or turns[-1].says_nothing:
            return True
        return model_continues and bool(turns[-1].text.strip())

    @property
    def next(self) -> Next:
        going = self._begun and not self.ended and self.run.status != RunStatus.REQUIRES_ACTION
        self._require(going, "nothing comes next")
        if self._pending:
            return RunTools(tuple(self._pending.values()))
        if self._outcome is not None:
            return End(self._outcome)
        if self._waiting:
            return Park(tuple(self._waiting.values()))
        if self._withheld is None:
            return Ask(self._messages)
        if self._unjudged is not None:
            return Judge(self.answer.text + self._withheld.text, self._withheld.told)
        return Ask(self._messages, corrects=self._withheld.outcome.repaired)

    def give_prompt(self, messages: tuple[PromptMessage, ...], *, notices: Sequence[Notice] = ()) -> None:
        """What the model is to be asked with, where that was not known when the machine was made. ``notices`` say what
        it is not given; readers are told when the run begins.
        """
        self._require(not self._begun, "the model has been asked already")
        self._messages = messages
        self._notices = list(notices)

    @property
    def turn_usage(self) -> Usage:
        """What the turn that has finished took."""
        return Usage() if self._turn.finish is None else self._turn.finish.usage

    def note(self, notices: Sequence[Notice]) -> None:
        """What the model was not given, as it turned out meanwhile; told when the run ends or parks."""
        if notices:
            self._notices = noted(self._notices, notices)

    def begin(
        self, *, at: float, attempt: int, earlier: Sequence[Step] = (), asks: Asks = nobody_is_asked
    ) -> list[Event]:
        """Start the run, or take it up again where another process left it: what that one had open is closed.

        A tool that had begun is not run again; one that had not begun either waits for a person still, or the model is
        told that it was not run. ``asks`` says for which calls the run is to be parked; ``earlier`` are the steps of
        an answer that other runs have begun.
        """
        run, status = self.run, RunStatus(self.run.status)
        self._require(not self._begun and attempt > run.attempt, f"attempt {attempt} cannot begin")
        startable = status in (RunStatus.QUEUED, RunStatus.IN_PROGRESS)
        self._require(startable, f"a {status} run cannot begin")
        self._require(self.answer.status == MessageStatus.IN_PROGRESS, "the answer has ended")
        self._asks = asks
        self._tell_in_progress(attempt, at=at)
        for step in self.state.open_steps:
            self._take_up(step, at=at)
        self._retell(earlier)
        return self._teller.take()

    def park(self, *, at: float) -> Parking:
        """Ask a person about every call that waits. After this the machine is done with: another one goes on."""
        self._require(isinstance(self.next, Park), "nothing waits for a person")
        expires_at = rfc3339(at + self.limits.approval_expiry)
        approvals = [
            Approval(
                approval_id=self._new_id(),
                step_id=call.step_id,
                tool=call.name,
                arguments=call.arguments,
                expires_at=expires_at,
            )
            for call in self._waiting.values()
        ]
        self._teller.tell(
            RunRequiresAction(run_id=self.run.id, thread_id=self.run.thread_id, approvals=approvals),
        )
        return Parking(
            events=self._teller.take(),
            run=replace(self.run, notices=noted(self.run.notices, self._notices)),
            message=self.answer,
            steps=self.state.steps,
            approvals=approvals,
            so_far=self._measure.so_far(at=at),
        )

    def go_on(
        self,
        *,
        at: float,
        attempt: int | None = None,
        rulings: Mapping[str, Ruling],
        so_far: SoFar | None = None,
        earlier: Sequence[Step] = (),
        asks: Asks = nobody_is_asked,
    ) -> list[Event]:
        """Take a parked run up again: what was approved is pending, all else that waited fails. ``rulings`` are by
        step; ``attempt`` is given where another process had taken it up before, and died.
        """
        status = RunStatus(self.run.status)
        self._require(not self._begun and status is RunStatus.REQUIRES_ACTION, f"a {status} run cannot go on")
        self._asks = asks
        if so_far is not None:
            self._measure.go_on_from(so_far)
        self._tell_in_progress(self.run.attempt if attempt is None else attempt, at=at)
        for step in self.state.open_steps:
            self._rule(step, rulings.get(step.id), at=at)
        self._retell(earlier)
        return self._teller.take()

    def feed(self, chunks: Sequence[Chunk], *, at: float) -> list[Event]:
        """What the model said, as it said it. Chunks after the turn's Finish are ignored.

        So is what the answer has no room for: of a piece that does not fit whole, as much is kept as does.
        """
        self._require_asking()
        taken, count = self._turn.take(chunks)
        self._measure.received(count, at=at)
        for chunk in taken:
            match chunk:
                case Text():
                    self._teller.end_thinking(at=at)
                    piece = self._what_fits(chunk.text)
                    self._teller.text(piece if self._withheld is None else self._withheld.take(piece))
                case Thinking():
                    if piece := self._what_fits(chunk.text):
                        self._teller.think(piece, at=at)
                case ToolCall():
                    self._teller.end_thinking(at=at)
        return self._teller.take()

    def turn_ended(self, *, at: float) -> list[Event]:
        """The turn is over, its Finish was fed or the answer is full: its tool calls become steps, and what is next is
        decided.
        """
        self._require_asking()
        finish = self._turn.finish
        if finish is None and not self.answer_full:
            raise IllegalMove("the turn has no end yet")
        self._teller.end_thinking(at=at)
        if finish is not None:
            self._measure.turn_ended(finish.usage, at=at)
            self._note_what_was_left_out(finish.left_out)
        reason = None if finish is None or finish.reason is None else clean(finish.reason)[:MAX_REASON]
        cut_off = "max_tokens" if self.answer_full else CUT_OFF.get(reason or "")
        if self._withheld is not None and self._turn.calls and (said := self._withheld.take_out()):
            self._teller.think(said, at=at)
            self._teller.end_thinking(at=at)
        shown = max(self.limits.max_calls_shown, self.limits.max_tool_steps + 1)
        for call in self._turn.calls[:shown]:
            vetted = self._open_call(call, at=at, cut_off=cut_off is not None)
            if vetted.ends_run is not None and self._outcome is None:
                self._outcome = Incomplete(vetted.ends_run, reason)
        if cut_off is not None:
            self._outcome = Incomplete(cut_off, reason)
        elif not self._turn.calls and self._withheld is None:
            self._outcome = Completed(reason)
        elif not self._turn.calls:
            self._unjudged = Completed(reason)
        self._end_round()
        return self._teller.take()

    def judged(self, verdict: Verdict) -> None:
        """What came of ``Judge``. An answer that does not have its form, and that nobody has seen, is asked for once
        more; the second one stands as it is.
        """
        self._require(isinstance(self.next, Judge), "nothing is to be judged")
        assert self._withheld is not None
        said, completed, self._unjudged = self._withheld.text, self._unjudged, None
        if self._withheld.settle(verdict):
            self._outcome = completed
            return
        assert verdict.error is not None
        self._room += size(said)
        self._turn = Turn()
        self._messages = (*self._messages, *once_more(said, verdict.error))

    def tool_progress(self, step_id: str, *, output: str = "", progress: float | None = None) -> list[Event]:
        """The next piece of a running tool's output. What is over the limit is dropped, and the step says so."""
        self._require_pending(step_id)
        self._stream_output(step_id, clean(output))
        if progress is not None:
            self._teller.tool_progress(step_id, progress)
        return self._teller.take()

    def tool_ended(
        self,
        step_id: str,
        *,
        at: float,
        output: str | None = None,
        error: ErrorObject | None = None,
        output_cut: bool = False,
    ) -> list[Event]:
        """A tool is done. ``output`` is all of it: what was not streamed yet is streamed now, so that pieces add up."""
        self._require_pending(step_id)
        told = self.state.step(step_id).output or ""
        whole = clean(output or "")
        if whole.startswith(told):
            self._stream_output(step_id, whole[len(told) :])
        del self._pending[step_id]
        cut = output_cut or step_id in self._cut
        if error is None:
            self._teller.complete(step_id, at=at, output_cut=cut)
        else:
            self._teller.fail(step_id, error, at=at, output_cut=cut)
        self._end_round()
        return self._teller.take()

    def cancelling(self, *, by: str | None, reason: str) -> list[Event]:
        """Somebody has asked the run to stop. Asking twice says nothing new, nor does it where nothing is under way."""
        run, status = self.run, RunStatus(self.run.status)
        if status in (RunStatus.CANCELLING, RunStatus.QUEUED, RunStatus.REQUIRES_ACTION):
            return []
        self._require(may_become(status, RunStatus.CANCELLING), f"a {status} run cannot be stopped this way")
        self._teller.tell(RunCancelling(run_id=run.id, thread_id=run.thread_id, by=by, reason=reason))
        return self._teller.take()

    def end(self, outcome: Outcome, *, at: float) -> Ending:
        """Close whatever is open, then say how the run ended. Nothing that has already ended is ended again."""
        self._require_may_end(outcome)
        events: list[Event] = []
        if isinstance(outcome, Cancelled):
            events += self.cancelling(by=outcome.by, reason=outcome.reason)
        elif self._way_to(outcome) is not None:
            queued = self.run.status == RunStatus.QUEUED
            self._tell_in_progress(self.run.attempt + queued, at=at)
        interrupted = isinstance(outcome, Incomplete) and outcome.reason == INTERRUPTED
        for step in self.state.open_steps:
            left = interrupted or step.id in self._left_open
            error = _never_begun(step) or (_unknown_outcome(step) if left else None)
            self._teller.cancel(step.id, error, at=at, output_cut=step.id in self._cut)
        if self.answer.status == MessageStatus.IN_PROGRESS:
            self._teller.text(self._withheld.rest() if self._withheld is not None else "")
            message = replace(self.answer, finished_at=rfc3339(at))
            self._teller.tell(message_end(outcome, run=self.run, message=message))
        run = self._final_run(outcome, at=at)
        for event in run_end(outcome, run=run, message=self.answer):
            self._teller.tell(event)
        events += self._teller.take()
        return Ending(status=status_of(outcome), events=events, run=run, message=self.answer, steps=self.state.steps)

    def _tell_in_progress(self, attempt: int, *, at: float) -> None:
        self._begun = True
        self._measure.began(at)
        started_at = self.run.started_at or rfc3339(at)
        notices = noted(self.run.notices, self._notices)
        status = RunStatus.IN_PROGRESS.value
        run = replace(self.run, status=status, attempt=attempt, started_at=started_at, notices=notices)
        self._teller.tell(RunInProgress(run_id=run.id, thread_id=run.thread_id, attempt=attempt, run=run))

    def _open_call(self, call: ToolCall, *, at: float, cut_off: bool) -> VettedCall:
        vetted = self._ledger.vet(call)
        step_id = self._teller.open_tool(vetted.name, vetted.arguments, at=at)
        self._calls.append((self._prompt_call(call, vetted, step_id), step_id))
        if cut_off:
            self._teller.cancel(step_id, NOT_RUN, at=at)
        elif vetted.refusal is not None:
            self._teller.fail(step_id, vetted.refusal, at=at)
        else:
            pending = PendingCall(step_id=step_id, name=vetted.name, arguments=vetted.arguments or {})
            if self._asks(pending.name, pending.arguments):
                self._waiting[step_id] = pending
            else:
                self._pending[step_id] = pending
                self._teller.tool_begins(step_id, vetted.name)
        return vetted

    def _take_up(self, step: Step, *, at: float) -> None:
        """A step that another process has left open."""
        name, arguments = step.name or "", step.arguments
        if not waits(step):
            self._teller.cancel(step.id, _unknown_outcome(step), at=at)
        elif arguments is not None and self._asks(name, arguments):
            self._waiting[step.id] = PendingCall(step_id=step.id, name=name, arguments=arguments)
        else:
            self._teller.cancel(step.id, NEVER_BEGUN, at=at)

    def _retell(self, earlier: Sequence[Step]) -> None:
        """What the model was told and has said before, put together anew from what was told of it."""
        turns = retell(self.answer, [*earlier, *self.state.steps])
        if self._pending or self._waiting:
            *turns, turn = turns
            self._turn = Turn.retold(text=turn.text, thinking=turn.thinking)
            self._calls = [(call, call.id) for call in prompt_calls(turn)]
        self._messages = (*self._messages, *as_messages(turns))

    def _rule(self, step: Step, ruling: Ruling | None, *, at: float) -> None:
        if not waits(step):
            self._teller.cancel(step.id, _unknown_outcome(step), at=at)
        elif isinstance(ruling, Approved):
            name, arguments = step.name or "", ruling.arguments
            self._pending[step.id] = PendingCall(step_id=step.id, name=name, arguments=arguments, approved=True)
            changed = arguments if arguments != step.arguments else UNSET
            self._teller.tool_begins(step.id, name, arguments=changed)
        else:
            self._teller.fail(step.id, NEVER_ALLOWED if ruling is None else ruling.error, at=at)

    def _prompt_call(self, call: ToolCall, vetted: VettedCall, step_id: str) -> PromptCall:
        """Results are matched to calls by id: where the model gave none, or gave it twice, the step's serves."""
        id = clean(call.id)
        if not id or any(id == other.id for other, _ in self._calls):
            id = step_id
        return PromptCall(id=id, name=vetted.name, arguments=vetted.arguments or {})

    def _end_round(self) -> None:
        """Once every call of the turn has its result, the model is to be told."""
        if self._pending or self._waiting or self._outcome is not None or self._unjudged is not None:
            return
        turn = self._turn.as_prompt([call for call, _ in self._calls])
        results = [result_message(call, self.state.step(step_id)) for call, step_id in self._calls]
        self._messages = (*follow(self._messages, turn), *results)
        self._turn = Turn()
        self._calls = []

    def _what_fits(self, text: str) -> str:
        room = self._room
        if room < 0:
            return ""
        self._room = left = room - size(text)
        return text if left >= 0 else what_fits(text, room)

    def _stream_output(self, step_id: str, text: str) -> None:
        told, room = self._told.get(step_id, (0, self.limits.max_output_bytes))
        kept = text[: self.limits.max_output - told]
        if size(kept) > room:
            kept = what_fits(kept, room)
        if len(kept) < len(text):
            self._cut.add(step_id)
        # Nothing follows what was cut, or the output would have a hole.
        self._told[step_id] = told + len(kept), 0 if step_id in self._cut else room - size(kept)
        self._teller.tool_output(step_id, kept)

    def _final_run(self, outcome: Outcome, *, at: float) -> Run:
        first = self._measure.first_token
        return replace(
            self.run,
            status=status_of(outcome).value,
            first_token_at=None if first is None else rfc3339(first),
            finished_at=rfc3339(at),
            finish_reason=outcome.finish_reason if isinstance(outcome, Completed | Incomplete) else None,
            reason=outcome.reason if isinstance(outcome, Incomplete) else None,
            error=outcome.error if isinstance(outcome, Failed) else None,
            usage=self._measure.usage(),
            timing=self._measure.timing(at=at),
            notices=noted(self.run.notices, self._notices),
            structured=None if self._withheld is None else ended(self._withheld.outcome),
        )

    def _note_what_was_left_out(self, names: Sequence[str]) -> None:
        if names:
            self._notices = noted(self._notices, [left_out(names)])

    def _require_asking(self) -> None:
        asking = self._begun and not self.ended and self._outcome is None and not (self._pending or self._waiting)
        self._require(asking and self._unjudged is None, "the model was not asked")

    def _require_pending(self, step_id: str) -> None:
        self._require(step_id in self._pending and not self.ended, f"no tool runs as step {step_id}")

    def _require_may_end(self, outcome: Outcome) -> None:
        current, status = self._way_to(outcome) or RunStatus(self.run.status), status_of(outcome)
        self._require(may_become(current, status), f"a {current} run cannot become {status}")
        if isinstance(outcome, Completed):
            # No answer is shown as complete that the model server did not complete.
            self._require(isinstance(self._outcome, Completed) and not self._pending, "the model has not finished")

    def _way_to(self, outcome: Outcome) -> RunStatus | None:
        """What is told first, because the outcome cannot follow at once: a driver may be stopped before it began."""
        match outcome, RunStatus(self.run.status):
            case Cancelled(), RunStatus.IN_PROGRESS:
                return RunStatus.CANCELLING
            case Incomplete(), RunStatus.QUEUED | RunStatus.REQUIRES_ACTION:
                return RunStatus.IN_PROGRESS
        return None

    def _require(self, holds: bool, complaint: str) -> None:
        if not holds:
            raise IllegalMove(f"run {self.run.id}: {complaint}")


def _never_begun(step: Step) -> ErrorObject | None:
    return NEVER_ALLOWED if waits(step) else None


def _unknown_outcome(step: Step) -> ErrorObject | None:
    """A tool that ran when its process died may have done its work, so it is never run again by itself."""
    return ErrorObject(code="outcome_unknown", message=NOT_FINISHED) if step.step == "tool_calls" else None

"""The one fold: events in, what a reader sees out. Storage, resume, snapshots and the page's twin agree by it."""

from collections.abc import Iterable

from msgspec import UNSET
from msgspec.structs import replace

from streaming.protocol.codec import Entry, decode
from streaming.protocol.events import (
    HINTS,
    TERMINAL_EVENTS,
    ErrorEvent,
    Event,
    MessageCompleted,
    MessageCreated,
    MessageDelta,
    MessageIncomplete,
    RunCancelled,
    RunCancelling,
    RunCompleted,
    RunCreated,
    RunExpired,
    RunFailed,
    RunIncomplete,
    RunInProgress,
    RunRequiresAction,
    RunUpdated,
    Snapshot,
    StepCancelled,
    StepCompleted,
    StepCreated,
    StepFailed,
    StepInProgress,
)
from streaming.protocol.growing import BETWEEN_THOUGHTS, GrowingAnswer, GrowingStep
from streaming.protocol.lifecycle import TERMINAL, MessageStatus, RunStatus, StepStatus
from streaming.protocol.objects import Approval, Message, Run, Step


class RunState:
    """A run as a reader sees it who has applied the events up to ``last``."""

    def __init__(self) -> None:
        self._begin_again()

    def _begin_again(self) -> None:
        self.last = 0
        self.run: Run | None = None
        self.terminal = False
        self.approvals: list[Approval] = []  # those that the run is parked for
        self._messages: dict[str, Message | GrowingAnswer] = {}
        self._steps: dict[str, Step | GrowingStep] = {}
        self._answer: GrowingAnswer | None = None
        self._answer_id: str | None = None

    def apply(self, id: int | None, event: Event | None) -> None:
        """Fold one event in. Hints change nothing; an event of a kind unknown here (None) is counted.

        Raises ValueError for a gap, a repeat, an event after the end, and one that speaks of what was never created.
        """
        if isinstance(event, Snapshot):
            self._replace(event)
            return
        if (event is None and id is None) or (event is not None and event.name in HINTS):
            return
        if id != self.last + 1:
            raise ValueError(f"event {id} does not follow event {self.last}")
        if self.terminal:
            raise ValueError(f"event {id} comes after the end")
        if event is not None:
            self._fold(event)
        self.last = id

    def extend(self, entries: Iterable[Entry]) -> None:
        """Apply what the log has next."""
        for entry in entries:
            _, event = decode(entry.text)
            self.apply(entry.id, event)

    @property
    def messages(self) -> list[Message]:
        return [self._message(entry) for entry in self._messages.values()]

    @property
    def steps(self) -> list[Step]:
        return [_step(entry) for entry in self._steps.values()]

    @property
    def open_steps(self) -> list[Step]:
        return [entry.as_step() for entry in self._steps.values() if isinstance(entry, GrowingStep)]

    @property
    def answer(self) -> Message | None:
        """The run's one assistant message."""
        return None if self._answer_id is None else self._message(self._messages[self._answer_id])

    @property
    def step_count(self) -> int:
        return len(self._steps)

    def step(self, step_id: str) -> Step:
        """Raises KeyError for a step that was never created."""
        return _step(self._steps[step_id])

    def as_snapshot(self, gap: bool, reason: str) -> Snapshot:
        """All of it as one event, for a reader who shall not be told one by one. Its envelope's id is ``as_of``."""
        if self.run is None:
            raise ValueError("there is no run to take a snapshot of")
        return Snapshot(
            run_id=self.run.id,
            thread_id=self.run.thread_id,
            run=self.run,
            messages=self.messages,
            steps=self.steps,
            as_of=self.last,
            gap=gap,
            reason=reason,
            approvals=self.approvals or UNSET,
        )

    def _fold(self, event: Event) -> None:
        match event:
            case MessageDelta():
                if self._answer is None:
                    raise ValueError("a delta, but no answer that goes on")
                self._answer.append(event.content)
            case StepInProgress():
                step = self._steps.get(event.step_id)
                if not isinstance(step, GrowingStep):
                    raise ValueError(f"step {event.step_id} does not go on")
                step.add(details=event.details, output=event.output, arguments=event.arguments)
            case RunCreated() | RunUpdated() | RunInProgress():
                self.run = event.run
                self.approvals = []
            case MessageCreated():
                self._add_message(event.message)
                self._no_longer_waits(event.message)
            case MessageCompleted() | MessageIncomplete():
                self._end_message(event.message)
            case StepCreated():
                self._add_step(event.step)
            case StepCompleted() | StepFailed() | StepCancelled():
                if not isinstance(self._steps.get(event.step.id), GrowingStep):
                    raise ValueError(f"step {event.step.id} ends, but does not go on")
                self._steps[event.step.id] = event.step
            case RunRequiresAction():
                self._set_status(RunStatus.REQUIRES_ACTION)
                self.approvals = event.approvals
            case RunCancelling():
                self._set_status(RunStatus.CANCELLING)
            case RunCompleted() | RunIncomplete() | RunFailed() | RunCancelled() | RunExpired():
                self.run = event.run
                self.approvals = []
                self.terminal = event.name in TERMINAL_EVENTS
            case ErrorEvent():
                pass  # the run object of the event that follows carries it
            case _:
                raise ValueError(f"no rule for {event.name}")

    def _replace(self, snapshot: Snapshot) -> None:
        self._begin_again()
        self.last = snapshot.as_of
        self.run = snapshot.run
        self.terminal = RunStatus(snapshot.run.status) in TERMINAL
        self.approvals = snapshot.approvals or []
        for step in snapshot.steps:
            self._steps[step.id] = GrowingStep(step) if step.status == StepStatus.IN_PROGRESS else step
        for message in snapshot.messages:
            self._add_message(message)

    def _add_message(self, message: Message) -> None:
        entry: Message | GrowingAnswer = message
        if message.role == "assistant":
            self._answer_id = message.id
            if message.status == MessageStatus.IN_PROGRESS:
                entry = self._answer = GrowingAnswer(message, thoughts_so_far=self._thoughts())
        self._messages[message.id] = entry

    def _no_longer_waits(self, message: Message) -> None:
        """A waiting send was opened without messages: it begins with them."""
        run = self.run
        if run is not None and message.role == "user" and run.waiting:
            self.run = replace(run, waiting=False, request=None, user_message_id=message.id)
        elif run is not None and message.role == "assistant" and run.assistant_message_id is None:
            self.run = replace(run, assistant_message_id=message.id)

    def _end_message(self, message: Message) -> None:
        if self._answer is None or message.id != self._answer_id:
            raise ValueError(f"message {message.id} ends, but does not go on")
        self._messages[message.id] = message
        self._answer = None

    def _add_step(self, step: Step) -> None:
        if step.id in self._steps:
            raise ValueError(f"step {step.id} is created twice")
        self._steps[step.id] = GrowingStep(step)
        if self._answer is not None:
            self._answer.add_step(step.id)

    def _set_status(self, status: RunStatus) -> None:
        if self.run is None:
            raise ValueError(f"{status}, but no run")
        self.run = replace(self.run, status=status.value)

    def _thoughts(self) -> str:
        steps = (_step(entry) for entry in self._steps.values())
        return BETWEEN_THOUGHTS.join(step.details for step in steps if step.step == "reasoning" and step.details)

    def _message(self, entry: Message | GrowingAnswer) -> Message:
        return entry.as_message(self._thoughts()) if isinstance(entry, GrowingAnswer) else entry


def fold(entries: Iterable[Entry]) -> RunState:
    """The state after all of a log's entries, in order. Raises ValueError where they are not a history."""
    state = RunState()
    state.extend(entries)
    return state


def _step(entry: Step | GrowingStep) -> Step:
    return entry.as_step() if isinstance(entry, GrowingStep) else entry

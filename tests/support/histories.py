"""A judge of histories that knows nothing of the fold: it reads the events of a run and says what they must obey."""

from collections.abc import Sequence
from typing import Any

from streaming.protocol import events as e
from streaming.protocol.lifecycle import TRANSITIONS, RunStatus

STEP_ENDS = {e.StepCompleted: "completed", e.StepFailed: "failed", e.StepCancelled: "cancelled"}


class Told:
    """What the pieces of a history add up to."""

    def __init__(self, history: Sequence[e.Event]) -> None:
        self.text = self.thinking_before = ""
        self.details: dict[str, str] = {}
        self.outputs: dict[str, str] = {}
        self.parts: list[dict[str, Any]] = []
        self.open_steps: set[str] = set()
        self.ended_steps: dict[str, Any] = {}
        self.final: Any = None
        self.begun: set[str] = set()
        self.given: dict[str, Any] = {}  # the arguments of tool steps, as they were created
        self.approvals: set[str] = set()
        self.status = RunStatus.QUEUED
        for event in history:
            self._read(event)

    def _read(self, event: e.Event) -> None:
        match event:
            case e.MessageDelta():
                assert self.final is None, "a delta after the message's end"
                assert event.content, "an empty delta"
                start, self.text = len(self.text), self.text + event.content
                if self.parts and "text" in self.parts[-1]:
                    self.parts[-1] = {"text": [self.parts[-1]["text"][0], len(self.text)]}
                else:
                    self.parts.append({"text": [start, len(self.text)]})
            case e.MessageCreated():
                if event.message.role == "assistant":
                    self._begin(event.message)
            case e.StepCreated():
                assert event.step.id not in self.details, "a step created twice"
                assert event.step.status == "in_progress"
                assert event.step.index == len(self.details)
                assert self.final is None, "a step after the message's end"
                self.open_steps.add(event.step.id)
                self.details[event.step.id] = self.outputs[event.step.id] = ""
                self.parts.append({"step_id": event.step.id})
                self.given[event.step.id] = event.step.arguments
            case e.StepInProgress():
                assert event.step_id in self.open_steps, "a step goes on that is not open"
                assert self.status is not RunStatus.REQUIRES_ACTION, "something goes on while the run waits"
                self.begun.add(event.step_id)
                if isinstance(event.details, str):
                    self.details[event.step_id] += event.details
                if isinstance(event.output, str):
                    assert event.output, "an empty piece of output"
                    self.outputs[event.step_id] += event.output
            case e.StepCompleted() | e.StepFailed() | e.StepCancelled():
                self._end_step(event.step, STEP_ENDS[type(event)])
            case e.MessageCompleted() | e.MessageIncomplete():
                assert self.final is None, "the message ends twice"
                assert not self.open_steps, "the message ends before its steps"
                assert event.message.status == event.name.rpartition(".")[2]
                self.final = event.message
            case e.RunRequiresAction():
                self._become(RunStatus.REQUIRES_ACTION)
                self._ask(event)
            case e.RunInProgress():
                self._become(RunStatus.IN_PROGRESS)
                assert event.run.status == "in_progress"
            case e.RunCancelling():
                self._become(RunStatus.CANCELLING)
            case e.RunCompleted() | e.RunIncomplete() | e.RunFailed() | e.RunCancelled() | e.RunExpired():
                self._become(RunStatus(event.name.rpartition(".")[2]))
                assert event.run.status == self.status

    def _begin(self, message: Any) -> None:
        """What an earlier run has brought stands before everything that this one adds."""
        assert message.status == "in_progress"
        self.text, self.thinking_before = message.content, message.thinking
        self.parts = [dict(part) for part in message.parts]

    def _ask(self, event: e.RunRequiresAction) -> None:
        asked = {approval.step_id for approval in event.approvals}
        assert asked == self.open_steps, "it waits for a person, and for something else"
        assert not asked & self.begun, "it asks about what has begun"
        for approval in event.approvals:
            assert approval.arguments == (self.given[approval.step_id] or {}), "it asks about other arguments"
            assert approval.approval_id not in self.approvals, "it asks twice"
            self.approvals.add(approval.approval_id)

    def _end_step(self, step: Any, status: str) -> None:
        assert step.id in self.open_steps, "a step ends that is not open"
        assert step.status == status
        assert step.finished_at is not None
        assert step.status != "completed" or step.id in self.begun, "a step is completed that never began"
        assert step.duration_ms >= 0
        self.open_steps.discard(step.id)
        self.ended_steps[step.id] = step
        if step.step == "reasoning":
            assert (step.details or "") == self.details[step.id], "the reasoning does not add up"
        assert (step.output or "") == self.outputs[step.id], "the output does not add up"

    def _become(self, status: RunStatus) -> None:
        same = status is self.status is RunStatus.IN_PROGRESS  # taken up again
        assert same or status in TRANSITIONS[self.status], f"{self.status} became {status}"
        self.status = status


def assert_valid(history: Sequence[e.Event]) -> Told:
    """Hold a whole history, from event 1 to the terminal event, to the rules of the protocol."""
    names = [event.name for event in history]
    assert names[0] == "thread.run.created"
    assert [name for name in names if name in e.TERMINAL_EVENTS] == names[-1:], "one terminal event, and it is last"
    assert all(name not in e.HINTS for name in names)
    if names[-1] == "thread.run.failed":
        assert names[-2] == "error"
        assert history[-2].code == history[-1].error.code == history[-1].run.error.code
    assert names.count("error") == (names[-1] == "thread.run.failed")
    told = Told(history)
    assert not told.open_steps, "a step never ends"
    assert told.final is not None, "the answer never ends"
    assert told.final.content == told.text, "the deltas do not add up"
    assert told.final.parts == told.parts
    thoughts = [step.details for step in told.ended_steps.values() if step.step == "reasoning" and step.details]
    assert told.final.thinking == "\n\n".join(filter(None, [told.thinking_before, *thoughts]))
    assert (told.final.status == "completed") == (names[-1] == "thread.run.completed")
    assert_parts_cover(told.final.parts, told.final.content)
    return told


def assert_parts_cover(parts: Sequence[dict[str, Any]], content: str) -> None:
    """The ranges stand one after the other from the first code point to the last, none of them empty."""
    at = 0
    for part in parts:
        if "text" in part:
            start, end = part["text"]
            assert start == at < end
            at = end
    assert at == len(content)

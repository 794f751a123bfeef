"""Makes the events of a run and folds each at once, so that what is stored is by construction what was told."""

from collections.abc import Callable
from typing import Any

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from streaming.engine.measure import milliseconds
from streaming.protocol.errors import ErrorObject
from streaming.protocol.events import (
    Event,
    MessageDelta,
    StepCancelled,
    StepCompleted,
    StepCreated,
    StepFailed,
    StepInProgress,
)
from streaming.protocol.lifecycle import StepStatus
from streaming.protocol.objects import Run, Step, StepKind
from streaming.protocol.snapshot import RunState
from streaming.protocol.times import rfc3339, seconds


class Teller:
    """Collects what is told until ``take``. Text comes cleaned; it is cut into events of ``max_piece`` characters."""

    def __init__(self, state: RunState, *, run: Run, max_piece: int, new_id: Callable[[], str]) -> None:
        self.state = state
        self._run_id = run.id
        self._thread_id = run.thread_id
        self._max_piece = max_piece
        self._new_id = new_id
        self._events: list[Event] = []
        self._thinking: str | None = None

    def take(self) -> list[Event]:
        """What was told since the last call, in order."""
        events, self._events = self._events, []
        return events

    def tell(self, event: Event) -> None:
        self.state.apply(self.state.last + 1, event)
        self._events.append(event)

    def text(self, text: str) -> None:
        for piece in self._pieces(text):
            self.tell(MessageDelta(run_id=self._run_id, content=piece))

    def think(self, text: str, *, at: float) -> None:
        """Goes on with the open reasoning step, or opens one."""
        if self._thinking is None:
            self._thinking = self._create(kind="reasoning", title="Thinking", at=at)
        for piece in self._pieces(text):
            self.tell(StepInProgress(run_id=self._run_id, step_id=self._thinking, step="reasoning", details=piece))

    def end_thinking(self, *, at: float) -> None:
        if self._thinking is not None:
            self.complete(self._thinking, at=at)
            self._thinking = None

    def open_tool(self, name: str, arguments: dict[str, Any] | None, *, at: float) -> str:
        """The new step's id."""
        return self._create(kind="tool_calls", title=_using(name), at=at, name=name, arguments=arguments)

    def tool_begins(self, step_id: str, name: str, *, arguments: dict[str, Any] | UnsetType = UNSET) -> None:
        """``arguments`` where they are others than the step was created with."""
        self.tell(
            StepInProgress(
                run_id=self._run_id, step_id=step_id, step="tool_calls", details=_using(name), arguments=arguments
            )
        )

    def tool_output(self, step_id: str, text: str) -> None:
        for piece in self._pieces(text):
            self.tell(StepInProgress(run_id=self._run_id, step_id=step_id, step="tool_calls", output=piece))

    def tool_progress(self, step_id: str, share: float) -> None:
        bounded = min(1.0, max(0.0, share))
        self.tell(StepInProgress(run_id=self._run_id, step_id=step_id, step="tool_calls", progress=bounded))

    def complete(self, step_id: str, *, at: float, output_cut: bool = False) -> None:
        step = self._ended(step_id, at=at)
        output = (step.output or "") if step.step == "tool_calls" else None
        done = replace(step, status=StepStatus.COMPLETED.value, output=output, output_cut=output_cut)
        self.tell(StepCompleted(run_id=self._run_id, thread_id=self._thread_id, step=done))

    def fail(self, step_id: str, error: ErrorObject, *, at: float, output_cut: bool = False) -> None:
        step = self._ended(step_id, at=at)
        failed = replace(step, status=StepStatus.FAILED.value, error=error, output_cut=output_cut)
        self.tell(StepFailed(run_id=self._run_id, thread_id=self._thread_id, step=failed))

    def cancel(self, step_id: str, error: ErrorObject | None, *, at: float, output_cut: bool = False) -> None:
        step = self._ended(step_id, at=at)
        cancelled = replace(step, status=StepStatus.CANCELLED.value, error=error, output_cut=output_cut)
        self.tell(StepCancelled(run_id=self._run_id, thread_id=self._thread_id, step=cancelled))

    def _create(
        self,
        *,
        kind: StepKind,
        title: str,
        at: float,
        name: str | None = None,
        arguments: dict[str, Any] | None = None,
    ) -> str:
        step = Step(
            id=self._new_id(),
            index=self.state.step_count,
            step=kind,
            status=StepStatus.IN_PROGRESS.value,
            title=title,
            name=name,
            arguments=arguments,
            started_at=rfc3339(at),
        )
        self.tell(StepCreated(run_id=self._run_id, thread_id=self._thread_id, step=step))
        return step.id

    def _ended(self, step_id: str, *, at: float) -> Step:
        step = self.state.step(step_id)
        duration_ms = milliseconds(seconds(step.started_at), at)
        return replace(step, finished_at=rfc3339(at), duration_ms=duration_ms)

    def _pieces(self, text: str) -> list[str]:
        size = self._max_piece
        if 0 < len(text) <= size:
            return [text]
        return [text[start : start + size] for start in range(0, len(text), size)]


def _using(name: str) -> str:
    return f"Using tool {name}…"

"""A run whose process died: closed as it was found, or taken up again."""

import pytest
from msgspec.structs import replace

from streaming.engine.outcome import Cancelled, Failed, IllegalMove, Incomplete
from streaming.protocol.errors import UpstreamDropped
from streaming.protocol.events import Event
from streaming.protocol.objects import Usage
from streaming.providers.base import Chunk, Finish, Text, Thinking, ToolCall
from tests.support.runs import CREATED, new_machine, opening_events

STOP = Finish(reason="stop", usage=Usage())
CALL = ToolCall(id="call_1", name="calculator", arguments={"expression": "2+2"})
LATER = CREATED + 60


def found(*chunks: Chunk) -> list[Event]:
    """The log of a run whose process died after the model had said this."""
    machine = new_machine()
    events = machine.begin(at=CREATED + 1, attempt=1) + machine.feed(chunks, at=CREATED + 2)
    if machine.turn_finished:
        events += machine.turn_ended(at=CREATED + 3)
    return opening_events() + events


def names(events: list[Event]) -> list[str]:
    return [event.name.removeprefix("thread.") for event in events]


def interrupted(log: list[Event]) -> list[Event]:
    return new_machine(log).end(Incomplete("interrupted"), at=LATER).events


def test_before_the_first_token_only_message_and_run_are_closed() -> None:
    assert names(interrupted(found())) == ["message.incomplete", "run.incomplete"]


def test_open_reasoning_is_closed_with_what_it_has() -> None:
    events = interrupted(found(Thinking("hm")))
    assert names(events) == ["run.step.cancelled", "message.incomplete", "run.incomplete"]
    assert (events[0].step.details, events[0].step.error) == ("hm", None)
    assert events[0].step.duration_ms == 58_000
    assert events[1].message.thinking == "hm"


def test_a_tool_found_running_has_an_unknown_outcome() -> None:
    events = interrupted(found(CALL, STOP))
    assert names(events) == ["run.step.cancelled", "message.incomplete", "run.incomplete"]
    assert events[0].step.error.code == "outcome_unknown"


def test_a_step_that_has_ended_is_not_ended_again() -> None:
    events = interrupted(found(Thinking("hm"), Text("so")))
    assert names(events) == ["message.incomplete", "run.incomplete"]
    assert events[0].message.content == "so"
    assert [event.reason for event in events] == ["interrupted", "interrupted"]


def test_a_message_that_has_ended_is_not_ended_again() -> None:
    machine = new_machine()
    log = opening_events() + machine.begin(at=CREATED + 1, attempt=1) + machine.feed([Text("x")], at=CREATED + 2)
    log += machine.end(Failed(UpstreamDropped().as_object()), at=CREATED + 3).events[:1]
    assert names(log)[-1] == "message.incomplete"
    assert names(interrupted(log)) == ["run.incomplete"]


def test_a_run_found_stopping_is_cancelled_without_another_announcement() -> None:
    machine = new_machine()
    log = opening_events() + machine.begin(at=CREATED + 1, attempt=1) + machine.cancelling(by="person", reason="")
    assert names(interrupted(log)) == ["message.incomplete", "run.incomplete"]
    ending = new_machine(log).end(Cancelled("person", "", True), at=LATER)
    assert names(ending.events) == ["message.incomplete", "run.cancelled"]


def test_times_that_the_log_does_not_have_are_not_made_up() -> None:
    run = new_machine(found(Text("x"))).end(Incomplete("interrupted"), at=LATER).run
    assert (run.first_token_at, run.timing.first_token_ms, run.timing.chunks) == (None, None, None)
    assert (run.timing.queue_ms, run.timing.duration_ms) == (1000, 60_000)


def test_a_clock_that_is_behind_makes_no_negative_durations() -> None:
    ending = new_machine(found(Thinking("hm"))).end(Incomplete("interrupted"), at=CREATED - 5)
    assert ending.steps[0].duration_ms == 0
    assert ending.run.timing.duration_ms == 0


def test_taking_up_again_closes_what_was_open_and_goes_on() -> None:
    machine = new_machine(found(Text("so "), Thinking("hm")))
    events = machine.begin(at=LATER, attempt=2)
    assert names(events) == ["run.in_progress", "run.step.cancelled"]
    assert (events[0].attempt, events[0].run.started_at) == (2, "2026-01-01T00:00:01.000Z")
    more = machine.feed([Thinking("again"), Text("it is"), STOP], at=LATER + 1)
    assert more[0].step.index == 1
    machine.turn_ended(at=LATER + 1)
    ending = machine.end(machine.next.outcome, at=LATER + 2)
    assert (ending.message.content, ending.message.thinking) == ("so it is", "hm\n\nagain")
    assert ending.run.first_token_at is None


def test_the_first_token_after_an_attempt_that_got_none_is_the_first() -> None:
    machine = new_machine(found())
    machine.begin(at=LATER, attempt=2)
    machine.feed([Text("x"), STOP], at=LATER + 1)
    machine.turn_ended(at=LATER + 1)
    assert machine.end(machine.next.outcome, at=LATER + 2).run.timing.first_token_ms == 61_000


def test_a_tool_whose_outcome_is_unknown_is_not_run_again() -> None:
    machine = new_machine(found(CALL, STOP))
    events = machine.begin(at=LATER, attempt=2)
    assert events[-1].step.error.code == "outcome_unknown"
    assert not hasattr(machine.next, "calls")


def test_an_attempt_made_before_is_not_made_again() -> None:
    with pytest.raises(IllegalMove):
        new_machine(found()).begin(at=LATER, attempt=1)


def test_a_stopped_or_ended_run_is_not_taken_up() -> None:
    stopping = new_machine()
    log = opening_events() + stopping.begin(at=CREATED, attempt=1) + stopping.cancelling(by=None, reason="")
    with pytest.raises(IllegalMove):
        new_machine(log).begin(at=LATER, attempt=2)
    log = found(Text("x")) + interrupted(found(Text("x")))
    with pytest.raises(IllegalMove):
        new_machine(log).begin(at=LATER, attempt=2)
    with pytest.raises(IllegalMove):
        new_machine(log[:-1]).begin(at=LATER, attempt=2)


def test_an_answer_gone_on_with_ends_with_all_of_it() -> None:
    begun = replace(opening_events()[2].message, content="Once", parts=[{"text": [0, 4]}])
    machine = new_machine(opening_events(answer=begun))
    machine.begin(at=CREATED + 1, attempt=1)
    machine.feed([Text(" upon"), STOP], at=CREATED + 2)
    machine.turn_ended(at=CREATED + 2)
    ending = machine.end(machine.next.outcome, at=CREATED + 3)
    assert (ending.message.content, ending.message.parts) == ("Once upon", [{"text": [0, 9]}])
    assert ending.run.timing.first_token_ms == 2000

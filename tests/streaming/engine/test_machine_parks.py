"""A run that asks a person: parked by one machine, gone on with by another that has only the log."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from streaming.engine.machine import Ask, Park, RunMachine, RunTools
from streaming.engine.outcome import Cancelled, Expired, IllegalMove, Incomplete
from streaming.engine.parking import Approved, Ruling, denied
from streaming.engine.retold import as_messages, retell
from streaming.protocol.events import Event
from streaming.protocol.objects import Message, Step, Usage
from streaming.providers.base import Chunk, Finish, Text, Thinking, ToolCall
from tests.support.histories import assert_valid
from tests.support.runs import CREATED, PROMPT, new_machine, opening_events

STOP = Finish(reason="stop", usage=Usage(prompt_tokens=10, completion_tokens=5))


def call(name: str, x: int = 0) -> ToolCall:
    return ToolCall(id=f"{name}{x}", name=name, arguments={"x": x})


def asks(tool: str, arguments: object) -> bool:
    return tool == "risky"


class Log:
    """A run's log, and the machine at work on it."""

    def __init__(self, opening: list[Event] | None = None) -> None:
        self.events = opening or opening_events()
        self.at = CREATED
        self.machine = new_machine(self.events)
        self.add(self.machine.begin(at=self.tick(), attempt=1, asks=asks))

    def tick(self) -> float:
        self.at += 1
        return self.at

    def add(self, events: list[Event]) -> list[Event]:
        self.events += events
        return events

    def say(self, *chunks: Chunk) -> None:
        self.add(self.machine.feed([*chunks, STOP], at=self.tick()))
        self.add(self.machine.turn_ended(at=self.tick()))
        while isinstance(tools := self.machine.next, RunTools):
            self.add(self.machine.tool_ended(tools.calls[0].step_id, output="done", at=self.tick()))

    def park(self) -> RunMachine:
        """Park, and return the machine that is to go on."""
        self.so_far = (parking := self.machine.park(at=self.tick())).so_far
        self.add(parking.events)
        self.approvals = parking.approvals
        self.machine = new_machine(self.events)
        return self.machine

    def go_on(self, ruling: Ruling | None, *, earlier: Sequence[Step] = ()) -> list[Event]:
        rulings = {} if ruling is None else {approval.step_id: ruling for approval in self.approvals}
        return self.add(
            self.machine.go_on(at=self.tick(), rulings=rulings, so_far=self.so_far, earlier=earlier, asks=asks)
        )


def names(events: list[Event]) -> list[str]:
    return [event.name.removeprefix("thread.") for event in events]


def test_it_parks_only_after_all_else_of_the_turn() -> None:
    log = Log()
    log.add(log.machine.feed([call("risky"), call("clock"), STOP], at=log.tick()))
    log.add(log.machine.turn_ended(at=log.tick()))
    assert [pending.name for pending in log.machine.next.calls] == ["clock"]
    with pytest.raises(IllegalMove):
        log.machine.park(at=log.tick())
    log.add(log.machine.tool_ended(log.machine.next.calls[0].step_id, output="noon", at=log.tick()))
    assert isinstance(log.machine.next, Park)


def test_what_is_asked_has_the_exact_arguments_and_an_end() -> None:
    log = Log()
    log.say(call("risky", 7))
    log.park()
    (asked,) = log.approvals
    assert (asked.tool, asked.arguments, asked.expires_at) == ("risky", {"x": 7}, "2026-01-02T00:00:04.000Z")
    assert log.machine.state.approvals == [asked]


def test_the_machine_that_parked_a_run_is_done_with_it() -> None:
    log = Log()
    log.say(call("risky"))
    old = log.machine
    log.park()
    for act in (lambda: old.next, lambda: old.park(at=1), lambda: old.feed([], at=1)):
        with pytest.raises(IllegalMove):
            act()


def test_what_was_approved_is_announced_before_it_can_run() -> None:
    log = Log()
    log.say(call("risky"))
    log.park()
    assert names(log.go_on(Approved({"x": 0}))) == ["run.in_progress", "run.step.in_progress"]
    (pending,) = log.machine.next.calls
    assert (pending.approved, pending.arguments) == (True, {"x": 0})


def test_it_goes_on_in_the_same_attempt_and_from_the_same_start() -> None:
    log = Log()
    log.say(call("risky"))
    log.park()
    event = log.go_on(Approved({"x": 0}))[0]
    assert (event.attempt, event.run.attempt, event.run.started_at) == (1, 1, "2026-01-01T00:00:01.000Z")


def test_what_was_denied_fails_and_the_model_is_asked_again() -> None:
    log = Log()
    log.say(call("risky"))
    log.park()
    assert names(log.go_on(denied("Too late at night."))) == ["run.in_progress", "run.step.failed"]
    assert isinstance(log.machine.next, Ask)
    assert log.machine.next.messages[-1].content == "Error: Not run: the user did not allow it. Too late at night."


def test_what_nobody_has_decided_does_not_run() -> None:
    log = Log()
    log.say(call("risky"))
    log.park()
    assert log.go_on(None)[-1].step.error.code == "not_run"


def test_the_model_is_told_every_round_before_the_park_again() -> None:
    log = Log()
    log.say(Thinking("hm"), Text("First. "), call("clock", 1))
    log.say(Text("Then. "), call("risky", 2))
    log.park()
    log.go_on(Approved({"x": 3}))
    log.add(log.machine.tool_ended(log.machine.next.calls[0].step_id, output="did it", at=log.tick()))
    prompt, first, noon, then, did = log.machine.next.messages
    assert (prompt,) == PROMPT
    assert (first.content, first.thinking, first.tool_calls[0].arguments) == ("First. ", "hm", {"x": 1})
    assert (noon.content, noon.tool_call_id) == ("done", first.tool_calls[0].id)
    assert (then.content, then.tool_calls[0].arguments) == ("Then. ", {"x": 3})
    assert (did.content, did.tool_call_id) == ("did it", then.tool_calls[0].id)


def test_of_an_answer_that_is_continued_the_earlier_rounds_are_told_too() -> None:
    begun = replace(opening_events()[2].message, content="Once ", parts=[{"step_id": "e"}, {"text": [0, 5]}])
    log = Log(opening_events(answer=begun))
    log.say(Text("upon. "), call("risky"))
    log.park()
    log.go_on(denied(""), earlier=[tool("e", "0")])
    assert [(message.role, message.content) for message in log.machine.next.messages[1:]] == [
        ("assistant", ""),
        ("tool", "e"),
        ("assistant", "Once upon. "),
        ("tool", "Error: Not run: the user did not allow it."),
    ]


def test_tokens_and_times_are_counted_on() -> None:
    log = Log()
    log.say(call("risky"))
    log.park()
    log.go_on(Approved({"x": 0}))
    log.add(log.machine.tool_ended(log.machine.next.calls[0].step_id, output="", at=log.tick()))
    log.say(Text("Done."))
    run = log.machine.end(log.machine.next.outcome, at=log.tick()).run
    assert run.usage == Usage(prompt_tokens=20, completion_tokens=10)
    assert (run.timing.first_token_ms, run.timing.chunks) == (2000, 2)
    assert run.timing.tokens_per_second is not None


def test_a_run_that_ends_anyway_asks_nobody() -> None:
    log = Log()
    log.say(*[call("risky", n) for n in range(9)])  # one more than a run may have
    ending = log.machine.end(log.machine.next.outcome, at=log.tick())
    assert [step.error.code for step in ending.steps] == ["not_run"] * 8 + ["max_steps"]
    assert_valid(log.events + ending.events)


@pytest.mark.parametrize(
    ("outcome", "first"),
    [
        (Expired(), "run.step.cancelled"),
        (Cancelled("user", "requested", True), "run.step.cancelled"),
        (Incomplete("interrupted"), "run.in_progress"),
    ],
)
def test_a_parked_run_ends_with_its_steps_as_never_run(outcome: object, first: str) -> None:
    log = Log()
    log.say(Text("So. "), call("risky"))
    ending = log.park().end(outcome, at=log.tick())
    assert names(ending.events)[0] == first
    assert ending.steps[0].error.code == "not_run"
    assert (ending.run.attempt, ending.message.content) == (1, "So. ")
    assert_valid(log.events + ending.events)


def test_begin_and_go_on_are_each_for_their_own_kind_of_run() -> None:
    log = Log()
    log.say(call("risky"))
    log.park()
    with pytest.raises(IllegalMove):
        log.machine.begin(at=log.tick(), attempt=2)
    with pytest.raises(IllegalMove):
        new_machine().go_on(at=log.tick(), rulings={})


def tool(id: str, at: str) -> Step:
    return Step(id=id, index=0, step="tool_calls", status="completed", name="t", started_at=at, output=id)


def told(*parts: dict[str, object], content: str = "") -> Message:
    return Message(id="a", thread_id="t", role="assistant", status="in_progress", content=content, parts=list(parts))


def test_calls_of_one_moment_are_one_turn_and_of_two_are_two() -> None:
    steps = [tool("a", "1"), tool("b", "1"), tool("c", "2")]
    turns = retell(told(*({"step_id": step.id} for step in steps)), steps)
    assert [[step.id for step in turn.calls] for turn in turns] == [["a", "b"], ["c"]]


def test_an_answer_in_the_middle_is_a_turn_without_calls() -> None:
    answer = told({"step_id": "a"}, {"text": [0, 4]}, content="half")
    turns = retell(answer, [tool("a", "1")])
    assert [(turn.text, len(turn.calls)) for turn in turns] == [("", 1), ("half", 0)]
    assert [message.role for message in as_messages(turns)] == ["assistant", "tool", "assistant"]


def test_an_empty_answer_has_no_turns_and_steps_of_other_runs_are_passed_over() -> None:
    assert retell(told(), []) == []
    assert retell(told({"step_id": "elsewhere"}), []) == []

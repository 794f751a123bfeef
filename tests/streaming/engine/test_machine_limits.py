"""What a model may not do with tools, and what becomes of the run then."""

import pytest

from streaming.engine.limits import Limits
from streaming.engine.machine import Ask, End, RunMachine
from streaming.engine.outcome import Incomplete
from streaming.protocol.codec import encode
from streaming.protocol.events import Event
from streaming.protocol.objects import Step, Usage
from streaming.providers.base import Finish, Text, ToolCall
from tests.support.histories import assert_valid
from tests.support.runs import CREATED, new_machine, opening_events

STOP = Finish(reason="tool_calls", usage=Usage())


def begun(limits: Limits | None = None) -> RunMachine:
    machine = new_machine(limits=limits)
    machine.begin(at=CREATED, attempt=1)
    return machine


def call(machine: RunMachine, *calls: ToolCall) -> list[Event]:
    """One turn of calls; whatever may be run is run."""
    events = machine.feed([*calls, STOP], at=CREATED + 1) + machine.turn_ended(at=CREATED + 1)
    while not isinstance(machine.next, Ask | End):
        events += machine.tool_ended(machine.next.calls[0].step_id, output="ok", at=CREATED + 2)
    return events


def calculator(**arguments: object) -> ToolCall:
    return ToolCall(id="", name="calculator", arguments=arguments)


def ends(events: list[Event]) -> list[Step]:
    return [event.step for event in events if event.name.endswith((".completed", ".failed", ".cancelled"))]


def codes(events: list[Event]) -> list[str | None]:
    return [step.error.code if step.error else None for step in ends(events)]


def test_eight_calls_are_run_and_the_ninth_ends_the_run() -> None:
    machine = begun()
    for number in range(8):
        assert codes(call(machine, calculator(x=number))) == [None]
        assert isinstance(machine.next, Ask)
    assert codes(call(machine, calculator(x=8))) == ["max_steps"]
    assert machine.next == End(Incomplete("max_steps", "tool_calls"))


def test_the_calls_of_one_turn_within_the_limit_are_run_before_the_run_ends() -> None:
    machine = begun(Limits(max_tool_steps=2))
    events = call(machine, *(calculator(x=number) for number in range(4)))
    assert sorted(filter(None, codes(events))) == ["max_steps", "max_steps"]
    assert codes(events).count(None) == 2
    assert machine.next == End(Incomplete("max_steps", "tool_calls"))


def test_the_third_identical_call_is_not_run() -> None:
    machine = begun()
    for _ in range(2):
        assert codes(call(machine, calculator(x=1, y="a"))) == [None]
    assert codes(call(machine, calculator(y="a", x=1))) == ["repeat_limit"]
    assert machine.next == End(Incomplete("repeat_limit", "tool_calls"))


def test_calls_that_differ_are_not_repeats() -> None:
    machine = begun()
    for arguments in ({"x": 1}, {"x": 2}, {"x": "1"}, {}):
        assert codes(call(machine, calculator(**arguments))) == [None]
    assert codes(call(machine, ToolCall(id="", name="clock", arguments={}))) == [None]


def test_the_run_is_told_as_incomplete_with_its_reason() -> None:
    machine = begun(Limits(max_repeats=1))
    events = call(machine, calculator())
    ending = machine.end(machine.next.outcome, at=CREATED + 3)
    assert codes(events) == ["repeat_limit"]
    assert [event.reason for event in ending.events] == ["repeat_limit", "repeat_limit"]


def test_arguments_that_are_no_object_are_an_error_that_the_model_sees() -> None:
    machine = begun()
    events = call(machine, ToolCall(id="a", name="calculator", arguments=None, invalid_arguments="{oops"))
    assert codes(events) == ["arguments_invalid"]
    assert machine.next.messages[-1].content.startswith("Error: The arguments of this call are not a JSON object")
    assert machine.next.messages[-2].tool_calls[0].arguments == {}


def test_the_same_nonsense_three_times_ends_the_run_too() -> None:
    machine = begun()
    nonsense = ToolCall(id="", name="calculator", arguments=None, invalid_arguments="{oops")
    assert [codes(call(machine, nonsense)) for _ in range(3)] == [
        ["arguments_invalid"],
        ["arguments_invalid"],
        ["repeat_limit"],
    ]


@pytest.mark.parametrize(
    "value",
    ["x" * 70_000, "é" * 33_000, ["x"] * 20_000, float("nan"), float("inf"), 10**5000],
    ids=["long", "long in bytes", "many", "nan", "infinite", "huge"],
)
def test_arguments_that_cannot_be_kept_are_refused(value: object) -> None:
    machine = begun()
    events = call(machine, calculator(x=value))
    assert codes(events) == ["arguments_invalid"]
    assert ends(events)[0].arguments is None
    assert isinstance(machine.next, Ask)


def test_arguments_nested_too_deeply_are_refused() -> None:
    value: object = 1
    for _ in range(900):
        value = [value]
    assert codes(call(begun(), calculator(x=value))) == ["arguments_invalid"]


def test_arguments_within_the_limit_are_run() -> None:
    assert codes(call(begun(), calculator(x="字" * 21_000))) == [None]


def test_names_and_arguments_are_cleaned_wherever_they_go() -> None:
    machine = begun()
    dirty = ToolCall(id="\ud800", name="a\x00" + "n" * 300, arguments={"k\x00": ["\ud800", {"in": "\x00"}]})
    events = call(machine, dirty)
    step = ends(events)[0]
    assert step.arguments == {"k\ufffd": ["\ufffd", {"in": "\ufffd"}]}
    assert step.name == "a\ufffd" + "n" * 198
    assert machine.next.messages[-1].tool_call_id == "\ufffd"
    for number, event in enumerate(events):
        encode(event, number).encode()


def test_a_thousand_calls_of_one_turn_are_not_all_shown() -> None:
    machine = begun()
    events = call(machine, *(calculator(x=number) for number in range(1000)))
    assert len(ends(events)) == 64
    ending = machine.end(machine.next.outcome, at=CREATED + 3)
    assert ending.status == "incomplete"


def test_all_calls_are_run_where_the_limit_is_high() -> None:
    machine = begun(Limits(max_tool_steps=200))
    assert codes(call(machine, *(calculator(x=number) for number in range(100)))) == [None] * 100


def test_calls_before_a_takeover_count() -> None:
    first = begun(Limits(max_tool_steps=2))
    found = opening_events()
    found += new_machine().begin(at=CREATED, attempt=1)
    found += call(first, calculator(x=1), calculator(x=1))
    machine = new_machine(found, limits=Limits(max_tool_steps=4))
    machine.begin(at=CREATED + 10, attempt=2)
    assert codes(call(machine, calculator(x=1))) == ["repeat_limit"]
    again = new_machine(found, limits=Limits(max_tool_steps=2))
    again.begin(at=CREATED + 10, attempt=2)
    assert codes(call(again, calculator(x=2))) == ["max_steps"]


def test_a_history_with_refusals_is_valid() -> None:
    machine = new_machine(limits=Limits(max_tool_steps=1))
    events = machine.begin(at=CREATED, attempt=1)
    events += machine.feed([Text("so ")], at=CREATED + 1)
    events += call(machine, calculator(x=1), calculator(x=2))
    assert_valid(opening_events() + events + machine.end(machine.next.outcome, at=CREATED + 3).events)

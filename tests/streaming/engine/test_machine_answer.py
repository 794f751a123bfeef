"""An answer has an upper bound, so that its end event and its snapshots have one."""

from streaming.engine.limits import Limits
from streaming.engine.machine import End, RunMachine
from streaming.engine.outcome import Incomplete
from streaming.protocol.codec import encode
from streaming.protocol.objects import Message, Usage
from streaming.providers.base import Finish, Text, Thinking, ToolCall
from tests.support.histories import assert_valid
from tests.support.runs import CREATED, new_machine, opening_events

STOP = Finish(reason="stop", usage=Usage(completion_tokens=3))


def begun(max_answer: int) -> RunMachine:
    machine = new_machine(limits=Limits(max_answer=max_answer))
    machine.begin(at=CREATED, attempt=1)
    return machine


def test_an_answer_that_just_fits_is_whole() -> None:
    machine = begun(10)
    machine.feed([Thinking("12345"), Text("67890"), STOP], at=CREATED)
    machine.turn_ended(at=CREATED)
    assert not machine.answer_full
    assert (machine.answer.content, machine.answer.thinking) == ("67890", "12345")


def test_text_and_thinking_share_the_room() -> None:
    machine = begun(40)
    machine.feed([Thinking("x" * 16), Text("y" * 100)], at=CREATED)
    assert machine.answer_full
    assert machine.answer.content == "y" * 24


def test_what_comes_after_that_is_dropped() -> None:
    machine = begun(5)
    machine.feed([Text("abc")], at=CREATED)
    machine.feed([Text("def")], at=CREATED)
    assert machine.feed([Text("g"), Thinking("h")], at=CREATED) == []
    assert machine.answer.content == "abcde"


def test_an_answer_is_cut_at_the_same_place_in_whatever_pieces_it_comes() -> None:
    for pieces in (["abcdefgh漢字"], ["abc", "defgh漢字"], [*"abcdefgh漢字"], ["abcdefgh", "漢字"]):
        machine = begun(15)
        machine.feed([Text(piece) for piece in pieces], at=CREATED)
        assert (machine.answer.content, machine.answer_full) == ("abcdefgh漢", True)


def test_wide_characters_take_the_room_that_they_take_on_the_wire() -> None:
    machine = begun(17)
    machine.feed([Text("漢字漢")], at=CREATED)  # six bytes each
    assert machine.answer_full


def test_a_full_answer_ends_the_run_as_incomplete_with_its_calls_not_run() -> None:
    machine = begun(5)
    call = ToolCall(id="c", name="clock", arguments={})
    events = machine.feed([Text("abc"), Text("def"), call, STOP], at=CREATED)
    events += machine.turn_ended(at=CREATED)
    assert machine.next == End(Incomplete("max_tokens", "stop"))
    assert machine.state.steps[0].error.code == "not_run"


def test_a_full_answer_s_history_is_valid() -> None:
    machine = new_machine(limits=Limits(max_answer=5))
    events = machine.begin(at=CREATED, attempt=1) + machine.feed([Thinking("abc"), Text("def")], at=CREATED)
    events += machine.turn_ended(at=CREATED)
    assert isinstance(machine.next, End)
    assert_valid(opening_events() + events + machine.end(machine.next.outcome, at=CREATED + 1).events)


def test_what_an_answer_began_with_counts() -> None:
    answer = Message(id="answer", thread_id="thread", role="assistant", status="in_progress", content="12345678")
    machine = new_machine(opening_events(answer=answer), limits=Limits(max_answer=10))
    machine.begin(at=CREATED, attempt=1)
    machine.feed([Text("abc")], at=CREATED)
    assert machine.answer_full


def test_the_largest_answer_s_end_and_snapshot_are_within_what_the_protocol_promises() -> None:
    machine = new_machine()
    machine.begin(at=CREATED, attempt=1)
    while not machine.answer_full:
        machine.feed([Thinking("思考" * 1000)], at=CREATED)
    machine.turn_ended(at=CREATED)
    snapshot = machine.state.as_snapshot(False, "asked")
    ending = machine.end(Incomplete("max_tokens"), at=CREATED)
    assert max(len(encode(event, 1)) for event in [snapshot, *ending.events]) < 4 * 1024 * 1024

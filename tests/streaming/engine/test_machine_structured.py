"""The run machine with an answer that is to have a form: what is told when, and how the run ends."""

import pytest
from msgspec.structs import replace

from streaming.engine.machine import Ask, End, Judge, RunMachine, RunTools
from streaming.engine.outcome import Cancelled, Completed, Failed, IllegalMove, Incomplete
from streaming.engine.structured import Verdict
from streaming.protocol.errors import ErrorObject, UpstreamDropped
from streaming.protocol.events import Event, MessageDelta, RunCreated
from streaming.protocol.objects import Message, Usage
from streaming.protocol.response_format import ENDED_EARLY, Structured
from streaming.providers.base import Chunk, Finish, PromptMessage, Text, Thinking, ToolCall
from tests.support.runs import CREATED, PROMPT, folded, new_machine, opening_events

STOP = Finish(reason="stop", usage=Usage(prompt_tokens=3, completion_tokens=2))
CALL = ToolCall(id="c1", name="calculator", arguments={"expression": "6*7"})
BAD = ErrorObject(code="not_json", message="The answer is not JSON.")
GONE = UpstreamDropped().as_object()


def opening(*, answer: Message | None = None) -> list[Event]:
    created, *messages = opening_events(answer=answer)
    assert isinstance(created, RunCreated)
    return [replace(created, run=replace(created.run, structured=Structured())), *messages]


def begun(*, answer: Message | None = None) -> RunMachine:
    machine = new_machine(opening(answer=answer))
    machine.begin(at=CREATED + 1, attempt=1)
    return machine


def turn(machine: RunMachine, *chunks: Chunk) -> list[Event]:
    return machine.feed(chunks, at=CREATED + 2) + machine.turn_ended(at=CREATED + 3)


def deltas(events: list[Event]) -> str:
    return "".join(event.content for event in events if isinstance(event, MessageDelta))


def test_the_text_is_told_when_it_was_found_valid_with_the_end() -> None:
    machine = begun()
    told = turn(machine, Thinking("hm"), Text("```{"), Text("}```"), STOP)
    assert deltas(told) == ""
    assert "thread.run.step.completed" in [event.name for event in told]  # thinking is told as ever
    assert machine.next == Judge("```{}```", told=False)
    machine.judged(Verdict(text="{}"))
    assert machine.next == End(Completed("stop"))
    ending = machine.end(Completed("stop"), at=CREATED + 4)
    assert deltas(ending.events) == ending.message.content == "{}"
    assert ending.message.status == "completed"
    assert ending.run.structured == Structured(valid=True)
    assert [event.name for event in ending.events][-2:] == ["thread.message.completed", "thread.run.completed"]


def test_what_does_not_fit_is_asked_for_once_more_with_the_error_and_no_tools() -> None:
    machine = begun()
    turn(machine, Text("no"), STOP)
    machine.judged(Verdict(text="no", error=BAD))
    asked = machine.next
    assert isinstance(asked, Ask)
    assert asked.corrects
    assert asked.messages[:2] == (*PROMPT, PromptMessage(role="assistant", content="no"))
    assert BAD.message in asked.messages[2].content
    turn(machine, Text("{}"), STOP)
    assert machine.next == Judge("{}", told=False)
    machine.judged(Verdict(text="{}"))
    ending = machine.end(Completed("stop"), at=CREATED + 4)
    assert ending.message.content == "{}"
    assert ending.run.structured == Structured(valid=True, repaired=True, error=BAD)
    assert ending.run.usage == Usage(prompt_tokens=6, completion_tokens=4)


def test_the_second_answer_stands_and_the_run_is_completed_all_the_same() -> None:
    machine = begun()
    for text in ("no", "no again"):
        turn(machine, Text(text), STOP)
        machine.judged(Verdict(text=text, error=BAD))
    assert machine.next == End(Completed("stop"))
    ending = machine.end(Completed("stop"), at=CREATED + 4)
    assert (ending.run.status, ending.message.content) == ("completed", "no again")
    assert ending.run.structured == Structured(valid=False, repaired=True, error=BAD)


@pytest.mark.parametrize("outcome", [Cancelled("user", "requested", True), Failed(GONE), Incomplete("interrupted")])
def test_whatever_ends_it_early_what_the_model_had_said_is_told(outcome: Cancelled | Failed | Incomplete) -> None:
    machine = begun()
    machine.feed([Text('{"a": ')], at=CREATED + 2)
    ending = machine.end(outcome, at=CREATED + 3)
    assert deltas(ending.events) == ending.message.content == '{"a": '
    assert ending.message.status == "incomplete"
    assert ending.run.structured == Structured(valid=False, error=ENDED_EARLY)


def test_an_end_amid_the_second_answer_leaves_the_first_until_there_is_something_of_it() -> None:
    for said, content in (((), "no"), ((Text("{"),), "{")):
        machine = begun()
        turn(machine, Text("no"), STOP)
        machine.judged(Verdict(text="no", error=BAD))
        machine.feed(said, at=CREATED + 4)
        ending = machine.end(Failed(GONE), at=CREATED + 5)
        assert ending.message.content == content
        assert ending.run.structured == Structured(valid=False, repaired=True, error=BAD)


def test_what_was_cut_off_is_not_judged() -> None:
    machine = begun()
    turn(machine, Text('{"a": '), Finish(reason="length", usage=Usage()))
    assert machine.next == End(Incomplete("max_tokens", "length"))
    ending = machine.end(Incomplete("max_tokens", "length"), at=CREATED + 4)
    assert ending.message.content == '{"a": '
    assert ending.run.structured == Structured(valid=False, error=ENDED_EARLY)


def test_words_before_a_tool_call_are_no_part_of_the_answer_and_not_lost() -> None:
    machine = begun()
    turn(machine, Text("Let me see."), CALL, STOP)
    asked = machine.next
    assert isinstance(asked, RunTools)
    machine.tool_ended(asked.calls[0].step_id, output="42", at=CREATED + 4)
    assert isinstance(machine.next, Ask)
    assert not machine.next.corrects
    assert machine.next.messages[1].content == "Let me see."
    turn(machine, Text("{}"), STOP)
    assert machine.next == Judge("{}", told=False)
    machine.judged(Verdict(text="{}"))
    ending = machine.end(Completed("stop"), at=CREATED + 5)
    assert (ending.message.content, ending.message.thinking) == ("{}", "Let me see.")
    assert ending.message.parts[-1] == {"text": [0, 2]}


def test_an_answer_that_is_gone_on_with_is_told_as_it_comes_and_judged_as_a_whole() -> None:
    answer = Message(id="answer", thread_id="thread", role="assistant", status="in_progress", run_id="run")
    machine = begun(answer=replace(answer, content='{"a": ', parts=[{"text": [0, 6]}]))
    assert deltas(turn(machine, Text("1}"), STOP)) == "1}"
    assert machine.next == Judge('{"a": 1}', told=True)
    machine.judged(Verdict(text='{"a": 1}', error=BAD))
    assert machine.next == End(Completed("stop"))
    ending = machine.end(Completed("stop"), at=CREATED + 4)
    assert deltas(ending.events) == ""
    assert ending.message.content == '{"a": 1}'
    assert ending.run.structured == Structured(valid=False, error=BAD)


def test_who_takes_over_begins_anew_with_another_try_to_come() -> None:
    first = new_machine(opening())
    log = opening() + first.begin(at=CREATED + 1, attempt=1)
    log += turn(first, Text("no"), STOP)
    first.judged(Verdict(text="no", error=BAD))
    log += first.feed([Thinking("hm"), Text("{")], at=CREATED + 4)
    assert first.can_be_left(model_continues=False) is False  # a thought is open
    machine = RunMachine(state=folded(log), messages=PROMPT, limits=first.limits, new_id=lambda: "new")
    machine.begin(at=CREATED + 5, attempt=2)
    assert machine.next == Ask(PROMPT)


def test_the_room_of_what_was_dropped_is_there_again() -> None:
    machine = new_machine(opening(), limits=replace(new_machine().limits, max_answer=10))
    machine.begin(at=CREATED + 1, attempt=1)
    turn(machine, Text("12345678"), STOP)
    machine.judged(Verdict(text="12345678", error=BAD))
    turn(machine, Text("87654321"), STOP)
    assert machine.next == Judge("87654321", told=False)


def test_nothing_is_judged_that_was_not_asked_about() -> None:
    with pytest.raises(IllegalMove):
        begun().judged(Verdict(text="{}"))
    machine = begun()
    turn(machine, Text("{}"), STOP)
    with pytest.raises(IllegalMove):
        machine.feed([Text("more")], at=CREATED + 4)
    with pytest.raises(IllegalMove):
        machine.end(Completed("stop"), at=CREATED + 4)


def test_an_answer_of_any_form_has_no_outcome() -> None:
    machine = new_machine()
    machine.begin(at=CREATED + 1, attempt=1)
    assert deltas(turn(machine, Text("hello"), STOP)) == "hello"
    assert machine.end(Completed("stop"), at=CREATED + 4).run.structured is None

"""The machine, one behaviour at a time."""

import pytest

from streaming.engine.limits import Limits
from streaming.engine.machine import Ask, End, RunMachine, RunTools
from streaming.engine.outcome import Cancelled, Completed, Expired, Failed, IllegalMove, Incomplete
from streaming.protocol.errors import ErrorObject, UpstreamDropped
from streaming.protocol.events import Event
from streaming.protocol.notices import Notice, noted
from streaming.protocol.objects import Usage
from streaming.protocol.snapshot import RunState
from streaming.providers.base import Chunk, Finish, Text, Thinking, ToolCall
from tests.support.histories import assert_valid
from tests.support.runs import CREATED, PROMPT, new_machine, opening_events

SILENT = Usage()
STOP = Finish(reason="stop", usage=SILENT)
SHORTENED = Notice(code="shortened", message="Less.")
FURTHER_SHORTENED = Notice(code="shortened", message="Still less.")
BROKEN = ErrorObject(code="tool_failed", message="It broke.")


def begun(limits: Limits | None = None) -> RunMachine:
    machine = new_machine(limits=limits)
    machine.begin(at=CREATED + 1, attempt=1)
    return machine


def say(machine: RunMachine, *chunks: Chunk, finish: Finish = STOP, at: float = CREATED + 2) -> list[Event]:
    """One whole turn."""
    return machine.feed([*chunks, finish], at=at) + machine.turn_ended(at=at)


def call(name: str = "calculator", *, id: str = "call_1", **arguments: object) -> ToolCall:
    return ToolCall(id=id, name=name, arguments=arguments)


def names(events: list[Event]) -> list[str]:
    return [event.name.removeprefix("thread.") for event in events]


def test_a_run_begins_with_its_attempt_and_its_start() -> None:
    (event,) = new_machine().begin(at=CREATED + 1, attempt=1)
    assert (event.attempt, event.run.status, event.run.attempt) == (1, "in_progress", 1)
    assert event.run.started_at == "2026-01-01T00:00:01.000Z"


def test_the_model_is_asked_with_the_prompt_first() -> None:
    assert begun().next == Ask(PROMPT)


def test_a_prompt_may_be_given_until_the_run_begins() -> None:
    machine = new_machine()
    machine.give_prompt(())
    machine.begin(at=CREATED, attempt=1)
    assert machine.next == Ask(())
    with pytest.raises(IllegalMove):
        machine.give_prompt(PROMPT)


def test_readers_are_told_at_the_beginning_what_the_model_is_not_given() -> None:
    machine = new_machine()
    machine.give_prompt(PROMPT, notices=[SHORTENED])
    (event,) = machine.begin(at=CREATED, attempt=1)
    assert event.run.notices == [SHORTENED]


def test_readers_are_told_at_the_end_what_the_model_server_did_not_take() -> None:
    machine = new_machine()
    machine.give_prompt(PROMPT, notices=[SHORTENED])
    machine.begin(at=CREATED, attempt=1)
    say(machine, Text("so"), finish=Finish(reason="stop", usage=SILENT, left_out=("top_k", "thinking")))
    notices = machine.end(Completed("stop"), at=CREATED + 3).run.notices
    assert [notice.code for notice in notices] == ["shortened", "not_taken"]
    assert notices[1].details == {"names": ["thinking", "top_k"]}


def test_of_two_attempts_the_later_one_says_what_its_model_was_not_given() -> None:
    assert noted([SHORTENED], [FURTHER_SHORTENED]) == [FURTHER_SHORTENED]


def test_neighbouring_pieces_of_one_feed_are_one_delta() -> None:
    events = begun().feed([Text("a"), Text(""), Text("b")], at=CREATED + 2)
    assert [event.content for event in events] == ["ab"]


def test_text_is_cleaned_before_anything_else_sees_it() -> None:
    events = begun().feed([Text("a\x00\ud800")], at=CREATED + 2)
    assert events[0].content == "a\ufffd\ufffd"


def test_empty_text_is_no_event() -> None:
    assert begun().feed([Text(""), Thinking("")], at=CREATED + 2) == []


def test_long_text_is_told_in_events_that_surely_fit() -> None:
    events = begun(Limits(max_event=1024 + 12 * 5)).feed([Text("😀" * 12), Thinking("x" * 6)], at=CREATED + 2)
    assert [len(getattr(event, "content", "")) for event in events[:3]] == [5, 5, 2]
    assert [event.details for event in events[4:]] == ["xxxxx", "x"]


def test_thinking_opens_a_step_and_text_closes_it() -> None:
    events = begun().feed([Thinking("h"), Thinking("m"), Text("so")], at=CREATED + 2)
    assert names(events) == ["run.step.created", "run.step.in_progress", "run.step.completed", "message.delta"]
    assert (events[0].step.step, events[0].step.title, events[1].details) == ("reasoning", "Thinking", "hm")
    assert (events[2].step.details, events[2].step.output) == ("hm", None)


def test_a_tool_call_closes_the_thinking_too() -> None:
    machine = begun()
    machine.feed([Thinking("hm")], at=CREATED + 2)
    assert names(machine.feed([call()], at=CREATED + 3)) == ["run.step.completed"]


def test_the_end_of_the_turn_closes_the_thinking_too() -> None:
    assert names(say(begun(), Thinking("hm")))[-1] == "run.step.completed"


def test_thinking_after_text_is_a_step_of_its_own() -> None:
    events = say(begun(), Thinking("a"), Text("b"), Thinking("c"))
    assert [event.step.index for event in events if event.name.endswith("created")] == [0, 1]


def test_chunks_after_the_finish_are_ignored() -> None:
    machine = begun()
    assert machine.feed([STOP, Text("late")], at=CREATED + 2) == []
    assert machine.turn_finished
    assert machine.feed([Text("later")], at=CREATED + 2) == []


def test_a_turn_without_a_finish_cannot_end() -> None:
    machine = begun()
    machine.feed([Text("half")], at=CREATED + 2)
    with pytest.raises(IllegalMove):
        machine.turn_ended(at=CREATED + 3)


@pytest.mark.parametrize("reason", ["stop", None, "tool_calls", "something_new"])
def test_a_finished_answer_is_completed_whatever_the_server_calls_it(reason: str | None) -> None:
    machine = begun()
    say(machine, Text("x"), finish=Finish(reason=reason, usage=SILENT))
    assert machine.next == End(Completed(reason))


@pytest.mark.parametrize(("reason", "shown"), [("length", "max_tokens"), ("content_filter", "content_filter")])
def test_a_cut_off_answer_is_incomplete_and_its_calls_are_never_run(reason: str, shown: str) -> None:
    machine = begun()
    events = say(machine, Text("x"), call(), finish=Finish(reason=reason, usage=SILENT))
    assert names(events)[-2:] == ["run.step.created", "run.step.cancelled"]
    assert machine.next == End(Incomplete(shown, reason))
    run = machine.end(machine.next.outcome, at=CREATED + 3).run
    assert (run.finish_reason, run.reason) == (reason, shown)


def test_a_finish_reason_from_outside_is_cleaned_and_bounded() -> None:
    machine = begun()
    say(machine, finish=Finish(reason="\x00" + "x" * 500, usage=SILENT))
    assert machine.next == End(Completed("\ufffd" + "x" * 99))


def test_a_tool_call_becomes_a_step_that_a_person_can_read() -> None:
    events = say(begun(), call(expression="2+2"))
    created, going = events
    assert (created.step.name, created.step.arguments) == ("calculator", {"expression": "2+2"})
    assert created.step.title == "Using tool calculator…"
    assert (going.details, going.step) == ("Using tool calculator…", "tool_calls")


def test_calls_wait_until_each_has_its_result() -> None:
    machine = begun()
    say(machine, call(id="a"), call("clock", id="b"))
    first, second = machine.next.calls
    machine.tool_ended(second.step_id, output="noon", at=CREATED + 3)
    assert machine.next == RunTools((first,))
    machine.tool_ended(first.step_id, output="4", at=CREATED + 4)
    assert isinstance(machine.next, Ask)


def test_the_model_is_told_its_turn_and_the_results_in_the_order_of_its_calls() -> None:
    machine = begun()
    say(machine, Thinking("hm"), Text("Let me see. "), call(id="a", x=1), call("clock", id="b"))
    first, second = machine.next.calls
    machine.tool_ended(second.step_id, error=BROKEN, at=CREATED + 3)
    machine.tool_ended(first.step_id, output="4", at=CREATED + 4)
    *prompt, turn, one, two = machine.next.messages
    assert tuple(prompt) == PROMPT
    assert (turn.role, turn.content, turn.thinking) == ("assistant", "Let me see. ", "hm")
    assert [(made.id, made.name, made.arguments) for made in turn.tool_calls] == [
        ("a", "calculator", {"x": 1}),
        ("b", "clock", {}),
    ]
    assert (one.role, one.tool_call_id, one.tool_name, one.content) == ("tool", "a", "calculator", "4")
    assert (two.tool_call_id, two.content) == ("b", "Error: It broke.")


def test_the_next_turn_has_nothing_of_the_turn_before() -> None:
    machine = begun()
    for number in (1, 2):
        say(machine, Text(f"{number}"), call(x=number))
        machine.tool_ended(machine.next.calls[0].step_id, output="", at=CREATED + 3)
    assert [turn.content for turn in machine.next.messages if turn.role == "assistant"] == ["1", "2"]
    assert [len(turn.tool_calls) for turn in machine.next.messages if turn.role == "assistant"] == [1, 1]


def test_calls_without_an_id_of_their_own_are_told_apart_by_their_steps() -> None:
    machine = begun()
    say(machine, call(id=""), call("clock", id="same"), call(id="same", x=1))
    steps = [pending.step_id for pending in machine.next.calls]
    for step_id in steps:
        machine.tool_ended(step_id, output="", at=CREATED + 3)
    assert [made.id for made in machine.next.messages[1].tool_calls] == [steps[0], "same", steps[2]]


def test_an_answer_begun_in_the_prompt_is_one_turn_with_what_follows() -> None:
    machine = new_machine()
    machine.give_prompt((*PROMPT, PROMPT[0].__class__(role="assistant", content="Once ")))
    machine.begin(at=CREATED, attempt=1)
    say(machine, Text("upon"), call())
    machine.tool_ended(machine.next.calls[0].step_id, output="", at=CREATED + 3)
    assert [turn.role for turn in machine.next.messages] == ["user", "assistant", "tool"]
    assert machine.next.messages[1].content == "Once upon"


def test_streamed_output_is_told_once() -> None:
    machine = begun()
    say(machine, call())
    step_id = machine.next.calls[0].step_id
    machine.tool_progress(step_id, output="one ")
    events = machine.tool_ended(step_id, output="one two", at=CREATED + 3)
    assert [event.output for event in events if event.name.endswith("in_progress")] == ["two"]
    assert events[-1].step.output == "one two"


def test_what_was_told_of_an_output_stands_even_if_the_tool_then_says_otherwise() -> None:
    machine = begun()
    say(machine, call())
    step_id = machine.next.calls[0].step_id
    machine.tool_progress(step_id, output="one")
    assert machine.tool_ended(step_id, output="twofold", at=CREATED + 3)[-1].step.output == "one"


def test_output_is_cut_at_its_limit_and_the_model_is_told() -> None:
    machine = begun(Limits(max_output=4))
    say(machine, call(), call("clock", id="b"))
    first, second = machine.next.calls
    machine.tool_progress(first.step_id, output="abc")
    assert [event.output for event in machine.tool_progress(first.step_id, output="def")] == ["d"]
    assert machine.tool_progress(first.step_id, output="g") == []
    step = machine.tool_ended(first.step_id, output="abcdefg", at=CREATED + 3)[-1].step
    assert (step.output, step.output_cut) == ("abcd", True)
    step = machine.tool_ended(second.step_id, output="abcd", at=CREATED + 3)[-1].step
    assert (step.output, step.output_cut) == ("abcd", False)
    assert [turn.content for turn in machine.next.messages[-2:]] == ["abcd\n[The rest was cut off.]", "abcd"]


def test_output_is_cut_where_it_would_take_too_many_bytes_and_nothing_follows_the_cut() -> None:
    machine = begun(Limits(max_output_bytes=40))
    say(machine, call())
    step_id = machine.next.calls[0].step_id
    assert [event.output for event in machine.tool_progress(step_id, output="ééé")] == ["ééé"]
    assert [event.output for event in machine.tool_progress(step_id, output="ééééé")] == ["ééé"]
    assert machine.tool_progress(step_id, output="e") == []
    step = machine.tool_ended(step_id, output="éééééééée", at=CREATED + 3)[-1].step
    assert (step.output, step.output_cut) == ("éééééé", True)


def test_a_tool_without_output_has_an_empty_one() -> None:
    machine = begun()
    say(machine, call())
    assert machine.tool_ended(machine.next.calls[0].step_id, at=CREATED + 3)[-1].step.output == ""


def test_progress_is_a_share_of_one() -> None:
    machine = begun()
    say(machine, call())
    step_id = machine.next.calls[0].step_id
    shares = [machine.tool_progress(step_id, progress=share)[0].progress for share in (0.5, 7, -1, float("nan"))]
    assert shares == [0.5, 1.0, 0.0, 0.0]


def test_a_step_that_ran_has_its_duration() -> None:
    machine = begun()
    say(machine, call(), at=CREATED + 2)
    step = machine.tool_ended(machine.next.calls[0].step_id, output="4", at=CREATED + 2.5)[-1].step
    assert (step.duration_ms, step.finished_at) == (500, "2026-01-01T00:00:02.500Z")


def test_a_tool_cannot_end_twice() -> None:
    machine = begun()
    say(machine, call())
    step_id = machine.next.calls[0].step_id
    machine.tool_ended(step_id, output="4", at=CREATED + 3)
    with pytest.raises(IllegalMove):
        machine.tool_ended(step_id, output="4", at=CREATED + 3)


def test_the_model_says_nothing_while_its_tools_run() -> None:
    machine = begun()
    say(machine, call())
    with pytest.raises(IllegalMove):
        machine.feed([Text("x")], at=CREATED + 3)


def test_usage_is_summed_over_the_turns_that_report_it() -> None:
    machine = begun()
    say(machine, call(), finish=Finish(reason="stop", usage=Usage(prompt_tokens=10, completion_tokens=None)))
    machine.tool_ended(machine.next.calls[0].step_id, output="4", at=CREATED + 3)
    say(machine, Text("x"), finish=Finish(reason="stop", usage=Usage(prompt_tokens=20, completion_tokens=7)))
    assert machine.end(machine.next.outcome, at=CREATED + 4).run.usage == Usage(prompt_tokens=30, completion_tokens=7)


@pytest.mark.parametrize("usage", [Usage(), Usage(prompt_tokens=-1, completion_tokens=10**15)])
def test_usage_that_is_missing_or_absurd_is_none(usage: Usage) -> None:
    machine = begun()
    machine.feed([Text("x")], at=CREATED + 2)
    say(machine, finish=Finish(reason="stop", usage=usage), at=CREATED + 3)
    ending = machine.end(machine.next.outcome, at=CREATED + 4)
    assert ending.run.usage is None
    assert ending.run.timing.tokens_per_second is None


def test_timing_counts_from_the_run_s_creation() -> None:
    machine = begun()
    machine.feed([Thinking("hm")], at=CREATED + 3)
    machine.feed([Text("a"), Text("b")], at=CREATED + 4)
    say(machine, finish=Finish(reason="stop", usage=Usage(completion_tokens=10)), at=CREATED + 5)
    ending = machine.end(machine.next.outcome, at=CREATED + 6)
    timing = ending.run.timing
    assert (timing.queue_ms, timing.first_token_ms, timing.duration_ms) == (1000, 3000, 6000)
    assert (timing.tokens_per_second, timing.chunks) == (5.0, 3)
    assert ending.run.first_token_at == "2026-01-01T00:00:03.000Z"
    assert ending.events[-1].timing == timing


def test_an_answer_that_came_at_once_has_no_speed() -> None:
    machine = begun()
    say(machine, Text("x"), finish=Finish(reason="stop", usage=Usage(completion_tokens=10)))
    assert machine.end(machine.next.outcome, at=CREATED + 3).run.timing.tokens_per_second is None


def test_the_time_of_tools_is_not_the_model_s() -> None:
    machine = begun()
    finish = Finish(reason="stop", usage=Usage(completion_tokens=10))
    machine.feed([Text("x")], at=CREATED + 2)
    say(machine, call(), finish=finish, at=CREATED + 3)
    machine.tool_ended(machine.next.calls[0].step_id, output="4", at=CREATED + 100)
    machine.feed([Text("x")], at=CREATED + 101)
    say(machine, finish=finish, at=CREATED + 102)
    assert machine.end(machine.next.outcome, at=CREATED + 103).run.timing.tokens_per_second == 10.0


def test_a_completed_run_closes_the_message_then_itself() -> None:
    machine = begun()
    say(machine, Text("x"))
    ending = machine.end(machine.next.outcome, at=CREATED + 3)
    assert names(ending.events) == ["message.completed", "run.completed"]
    assert (ending.message.status, ending.message.content) == ("completed", "x")
    assert ending.message.finished_at == ending.run.finished_at == "2026-01-01T00:00:03.000Z"
    assert (ending.events[-1].message_id, ending.events[-1].finish_reason) == ("answer", "stop")


def test_an_empty_answer_is_completed_too() -> None:
    machine = begun()
    say(machine)
    assert machine.end(machine.next.outcome, at=CREATED + 3).message.content == ""


@pytest.mark.parametrize("chunks", [[], [Text("half")], [Text("whole"), Finish(reason="length", usage=SILENT)]])
def test_no_answer_is_completed_that_the_model_did_not_complete(chunks: list[Chunk]) -> None:
    machine = begun()
    machine.feed(chunks, at=CREATED + 2)
    if machine.turn_finished:
        machine.turn_ended(at=CREATED + 2)
    with pytest.raises(IllegalMove):
        machine.end(Completed("stop"), at=CREATED + 3)


def test_a_run_whose_tools_still_run_is_not_completed() -> None:
    machine = begun()
    say(machine, call())
    with pytest.raises(IllegalMove):
        machine.end(Completed("stop"), at=CREATED + 3)


def test_a_failure_closes_the_open_step_and_is_told_as_an_error_first() -> None:
    machine = begun()
    machine.feed([Thinking("hm")], at=CREATED + 2)
    error = UpstreamDropped(log_id="abc", retry_after_ms=5).as_object()
    ending = machine.end(Failed(error), at=CREATED + 3)
    assert names(ending.events) == ["run.step.cancelled", "message.incomplete", "error", "run.failed"]
    told = ending.events[2]
    assert (told.code, told.message, told.retryable, told.retry_after_ms, told.log_id) == (
        error.code,
        error.message,
        True,
        5,
        "abc",
    )
    assert ending.run.error == ending.events[3].error == error
    assert ending.events[1].reason == "failed"


def test_a_run_stopped_while_a_tool_runs_closes_its_step() -> None:
    machine = begun()
    say(machine, Text("so "), call())
    stopping = machine.cancelling(by="person", reason="stop button")
    assert (stopping[0].by, stopping[0].reason, machine.run.status) == ("person", "stop button", "cancelling")
    assert machine.cancelling(by="person", reason="again") == []
    ending = machine.end(Cancelled("person", "stop button", True), at=CREATED + 3)
    assert names(ending.events) == ["run.step.cancelled", "message.incomplete", "run.cancelled"]
    assert (ending.events[-1].receipt.upstream_closed, ending.events[-1].receipt.content_length) == (True, 3)


def test_a_cancel_that_was_not_announced_is_announced_at_the_end() -> None:
    ending = begun().end(Cancelled("person", "stop button", False), at=CREATED + 3)
    assert names(ending.events) == ["run.cancelling", "message.incomplete", "run.cancelled"]
    assert not ending.events[-1].receipt.upstream_closed


def test_a_run_interrupted_before_it_began_is_told_as_begun_first() -> None:
    ending = new_machine().end(Incomplete("interrupted"), at=CREATED + 3)
    assert names(ending.events) == ["run.in_progress", "message.incomplete", "run.incomplete"]
    assert (ending.events[0].attempt, ending.run.attempt, ending.run.timing.queue_ms) == (1, 1, 3000)
    assert_valid([*opening_events(), *ending.events])


def test_a_queued_run_is_cancelled_without_ado() -> None:
    machine = new_machine()
    assert machine.cancelling(by=None, reason="") == []
    ending = machine.end(Cancelled(None, "", True), at=CREATED + 3)
    assert names(ending.events) == ["message.incomplete", "run.cancelled"]


def test_work_that_ended_before_the_stop_still_counts() -> None:
    machine = begun()
    say(machine, Text("x"))
    machine.cancelling(by=None, reason="")
    assert machine.end(machine.next.outcome, at=CREATED + 3).status == "completed"


def test_an_ending_that_the_lifecycle_does_not_know_changes_nothing() -> None:
    machine = begun()
    machine.cancelling(by=None, reason="")
    with pytest.raises(IllegalMove):
        machine.end(Expired(), at=CREATED + 3)
    assert machine.end(Cancelled(None, "", True), at=CREATED + 3).events[0].name == "thread.message.incomplete"


def test_a_run_that_expires_says_so() -> None:
    ending = begun().end(Expired(), at=CREATED + 3)
    assert names(ending.events) == ["message.incomplete", "run.expired"]
    assert ending.events[0].reason == "expired"


def test_a_machine_needs_a_run_and_its_answer() -> None:
    with pytest.raises(ValueError, match="answer"):
        RunMachine(state=RunState(), limits=Limits(), new_id=str)
    with pytest.raises(ValueError, match="answer"):
        new_machine(opening_events()[:2])


@pytest.mark.parametrize("attempt", [0, -1])
def test_an_attempt_must_be_a_new_one(attempt: int) -> None:
    with pytest.raises(IllegalMove):
        new_machine().begin(at=CREATED, attempt=attempt)


def test_a_run_begins_once() -> None:
    machine = begun()
    with pytest.raises(IllegalMove):
        machine.begin(at=CREATED, attempt=2)
    with pytest.raises(IllegalMove):
        _ = new_machine().next

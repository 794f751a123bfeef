import json
import time
from pathlib import Path

import msgspec
import pytest
from msgspec import UNSET
from msgspec.structs import replace

from streaming.protocol import events as e
from streaming.protocol.codec import Entry, encode
from streaming.protocol.objects import Approval, Message, Step
from streaming.protocol.snapshot import RunState, fold
from tests.support.runs import folded, opening_events

TRANSCRIPTS = sorted((Path(__file__).resolve().parents[2] / "transcripts").glob("*.json"))
IDS = {"run_id": "run", "thread_id": "thread"}
THINKING = Step(id="s1", index=0, step="reasoning", status="in_progress")
TOOL = Step(id="s2", index=1, step="tool_calls", status="in_progress", name="calculator", arguments={"x": 1})


def delta(text: str) -> e.MessageDelta:
    return e.MessageDelta(run_id="run", content=text)


def piece(step: Step, **said: object) -> e.StepInProgress:
    return e.StepInProgress(run_id="run", step_id=step.id, step=step.step, **said)


def state_after(*more: e.Event) -> RunState:
    return folded([*opening_events(), *more])


def test_deltas_add_up_to_the_answer() -> None:
    assert state_after(delta("Hel"), delta("lo 😀"), delta("!")).answer.content == "Hello 😀!"


def test_parts_keep_the_order_of_text_and_steps_in_code_points() -> None:
    state = state_after(
        e.StepCreated(**IDS, step=THINKING), delta("a😀"), delta("b"), e.StepCreated(**IDS, step=TOOL), delta("c")
    )
    assert state.answer.parts == [{"step_id": "s1"}, {"text": [0, 3]}, {"step_id": "s2"}, {"text": [3, 4]}]


def test_a_message_once_read_does_not_change_when_the_answer_goes_on() -> None:
    state = state_after(delta("a"))
    before = state.answer
    state.apply(5, delta("b"))
    assert (before.content, before.parts) == ("a", [{"text": [0, 1]}])


def test_reasoning_appends_to_details_and_a_tool_s_sentence_replaces_them() -> None:
    state = state_after(
        e.StepCreated(**IDS, step=THINKING),
        piece(THINKING, details="hm"),
        piece(THINKING, details=", well"),
        e.StepCreated(**IDS, step=TOOL),
        piece(TOOL, details="Using it…"),
        piece(TOOL, details="Still using it…"),
    )
    assert [step.details for step in state.steps] == ["hm, well", "Still using it…"]


def test_pieces_of_a_tool_s_output_append() -> None:
    state = state_after(e.StepCreated(**IDS, step=TOOL), piece(TOOL, output="4"), piece(TOOL, output="2", progress=0.5))
    assert state.step("s2").output == "42"
    assert state.step("s2").details is None


def test_thinking_is_the_reasoning_of_all_steps_parted_by_a_blank_line() -> None:
    again = replace(THINKING, id="s3", index=1)
    state = state_after(
        e.StepCreated(**IDS, step=THINKING),
        piece(THINKING, details="first"),
        e.StepCompleted(**IDS, step=replace(THINKING, status="completed", details="first")),
        e.StepCreated(**IDS, step=again),
        piece(again, details="second"),
    )
    assert state.answer.thinking == "first\n\nsecond"


APPROVAL = Approval(approval_id="p", step_id="s2", tool="calculator", arguments={"x": 1}, expires_at="later")


def test_what_is_asked_is_known_until_the_run_goes_on_or_ends() -> None:
    state = state_after(e.StepCreated(**IDS, step=TOOL), e.RunRequiresAction(**IDS, approvals=[APPROVAL]))
    assert (state.run.status, state.approvals) == ("requires_action", [APPROVAL])
    resumed = RunState()
    resumed.apply(5, state.as_snapshot(False, "asked"))
    assert resumed.approvals == [APPROVAL]
    for follows in (e.RunInProgress(**IDS, attempt=1, run=state.run), e.RunExpired(**IDS, run=state.run)):
        later = state_after(e.StepCreated(**IDS, step=TOOL), e.RunRequiresAction(**IDS, approvals=[APPROVAL]), follows)
        assert later.approvals == []
        assert later.as_snapshot(False, "asked").approvals is UNSET


def test_a_tool_s_arguments_are_those_with_which_it_began() -> None:
    state = state_after(e.StepCreated(**IDS, step=TOOL), piece(TOOL, details="Using it…", arguments={"x": 2}))
    assert state.step("s2").arguments == {"x": 2}


def test_the_end_event_s_objects_replace_what_was_added_up() -> None:
    done = replace(TOOL, status="completed", output="whole", duration_ms=5)
    message = replace(opening_events()[2].message, status="completed", content="whole", parts=[{"text": [0, 5]}])
    state = state_after(
        e.StepCreated(**IDS, step=TOOL),
        e.StepCompleted(**IDS, step=done),
        delta("x"),
        e.MessageCompleted(**IDS, message=message),
    )
    assert state.step("s2") == done
    assert state.answer == message


def test_an_answer_gone_on_with_keeps_what_it_had() -> None:
    begun = Message(
        id="answer",
        thread_id="thread",
        role="assistant",
        status="in_progress",
        content="Once",
        thinking="long ago",
        parts=[{"step_id": "old"}, {"text": [0, 4]}],
    )
    state = folded([*opening_events(answer=begun), delta(" upon"), e.StepCreated(**IDS, step=THINKING)])
    state.apply(6, piece(THINKING, details="and now"))
    assert state.answer.content == "Once upon"
    assert state.answer.parts == [{"step_id": "old"}, {"text": [0, 9]}, {"step_id": "s1"}]
    assert state.answer.thinking == "long ago\n\nand now"
    resumed = RunState()
    resumed.apply(6, state.as_snapshot(True, "lost"))
    resumed.apply(7, piece(THINKING, details=" then"))
    assert resumed.answer.thinking == "long ago\n\nand now then"


def test_content_without_parts_is_one_part() -> None:
    begun = replace(opening_events()[2].message, content="Once")
    assert folded([*opening_events(answer=begun), delta(" upon")]).answer.parts == [{"text": [0, 9]}]


def test_hints_change_nothing() -> None:
    state = state_after()
    before = state.as_snapshot(False, "")
    state.apply(None, e.RunStatusHint(**IDS, phase="waiting_for_model"))
    state.apply(None, e.RunQueued(**IDS, position=3))
    state.apply(None, None)
    assert state.as_snapshot(False, "") == before


def test_an_event_of_an_unknown_kind_is_counted() -> None:
    state = state_after()
    state.apply(4, None)
    state.apply(5, delta("x"))
    assert (state.last, state.answer.content) == (5, "x")


@pytest.mark.parametrize("id", [None, 0, 3, 5])
def test_a_gap_a_repeat_and_a_missing_number_are_refused(id: int | None) -> None:
    state = state_after()
    with pytest.raises(ValueError, match="does not follow event 3"):
        state.apply(id, delta("x"))
    assert state.last == 3


def test_nothing_comes_after_the_end() -> None:
    run = replace(opening_events()[0].run, status="expired")
    state = state_after(e.RunExpired(**IDS, run=run))
    assert state.terminal
    with pytest.raises(ValueError, match="after the end"):
        state.apply(5, delta("x"))


@pytest.mark.parametrize(
    "event",
    [
        piece(THINKING, details="x"),
        e.StepCompleted(**IDS, step=THINKING),
        e.MessageCompleted(
            **IDS, message=Message(id="other", thread_id="thread", role="assistant", status="completed")
        ),
    ],
)
def test_what_was_never_created_cannot_go_on_or_end(event: e.Event) -> None:
    with pytest.raises(ValueError, match="go on"):
        state_after().apply(4, event)


def test_an_answer_that_has_ended_neither_goes_on_nor_ends_again() -> None:
    message = replace(opening_events()[2].message, status="completed", content="x")
    state = state_after(e.MessageCompleted(**IDS, message=message))
    with pytest.raises(ValueError, match="goes on"):
        state.apply(5, delta("y"))
    with pytest.raises(ValueError, match="does not go on"):
        state.apply(5, e.MessageIncomplete(**IDS, message=message, reason="failed"))


def test_a_step_cannot_end_twice_nor_be_created_twice() -> None:
    state = state_after(e.StepCreated(**IDS, step=THINKING))
    with pytest.raises(ValueError, match="twice"):
        state.apply(5, e.StepCreated(**IDS, step=THINKING))
    state.apply(5, e.StepFailed(**IDS, step=replace(THINKING, status="failed")))
    with pytest.raises(ValueError, match="ends"):
        state.apply(6, e.StepCancelled(**IDS, step=replace(THINKING, status="cancelled")))


def test_the_run_s_status_follows_its_events() -> None:
    state = state_after(e.RunRequiresAction(**IDS, approvals=[]))
    assert state.run.status == "requires_action"
    state.apply(5, e.RunInProgress(**IDS, attempt=2, run=replace(state.run, status="in_progress", attempt=2)))
    assert (state.run.status, state.run.attempt) == ("in_progress", 2)
    state.apply(6, e.RunCancelling(**IDS, by="person"))
    assert (state.run.status, state.terminal) == ("cancelling", False)


def test_a_snapshot_replaces_everything_and_says_where_to_go_on() -> None:
    state = state_after(e.StepCreated(**IDS, step=TOOL), delta("x"))
    other = RunState()
    other.apply(5, state.as_snapshot(True, "the log was trimmed"))
    assert (other.last, other.terminal) == (5, False)
    other.apply(6, delta("y"))
    other.apply(7, piece(TOOL, output="z"))
    assert (other.answer.content, other.step("s2").output) == ("xy", "z")
    assert other.answer.parts == [{"step_id": "s2"}, {"text": [0, 2]}]
    assert len(other.messages) == 2


def test_a_snapshot_of_an_ended_run_is_terminal() -> None:
    run = replace(opening_events()[0].run, status="failed")
    state = state_after(e.RunExpired(**IDS, run=run))
    other = RunState()
    other.apply(4, state.as_snapshot(False, ""))
    assert other.terminal


def test_a_state_without_a_run_has_no_snapshot() -> None:
    with pytest.raises(ValueError, match="no run"):
        RunState().as_snapshot(False, "")


def test_a_log_is_folded_from_its_text() -> None:
    history = [*opening_events(), delta("x"), delta("y")]
    state = fold(Entry(id, encode(event, id)) for id, event in enumerate(history, start=1))
    assert (state.last, state.answer.content) == (5, "xy")


def test_a_long_answer_costs_linear_time() -> None:
    def seconds_for(count: int) -> float:
        state = state_after()
        started = time.thread_time()  # what other processes do on the machine must not count
        for id in range(4, 4 + count):
            state.apply(id, delta("token and more "))
        assert len(state.answer.content) == 15 * count
        return time.thread_time() - started

    seconds_for(1000)
    # Ten times the length: about ten times the cost; a hundred times, were every piece joined to all before it.
    assert min(seconds_for(80_000) for _ in range(3)) < 50 * max(seconds_for(8_000), 0.005)


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_the_recorded_transcripts_fold_to_the_recorded_states(path: Path) -> None:
    """The page's twin is held to the same files."""
    recorded = json.loads(path.read_text())
    state, compared = RunState(), 0
    for event in recorded["events"]:
        state.extend([Entry(event["id"], json.dumps(event))])
        if told := recorded["snapshots"].get(str(event["id"])):
            mine = msgspec.to_builtins(state.as_snapshot(told["gap"], told["reason"]))
            assert mine == told
            compared += 1
    assert compared > 3
    assert state.terminal

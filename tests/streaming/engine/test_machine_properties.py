"""Whatever a model says and however a run ends, its history obeys the protocol."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from streaming.engine.machine import End
from streaming.engine.outcome import Cancelled, Completed, Expired, Failed, IllegalMove, Incomplete, Outcome
from streaming.engine.parking import Approved
from streaming.protocol.codec import Entry, encode
from streaming.protocol.errors import UpstreamDropped
from streaming.protocol.events import Event
from streaming.protocol.snapshot import fold
from streaming.providers.base import PromptMessage
from tests.support.histories import assert_valid
from tests.support.runs import new_machine, opening_events
from tests.support.scripts import SCRIPTS, Script, play

STOPS: list[Outcome] = [
    Failed(UpstreamDropped().as_object()),
    Cancelled("person", "stop button", True),
    Incomplete("interrupted"),
    Expired(),
]
TERMINAL_NAMES = {
    Completed: "thread.run.completed",
    Incomplete: "thread.run.incomplete",
    Failed: "thread.run.failed",
    Cancelled: "thread.run.cancelled",
    Expired: "thread.run.expired",
}
MESSAGE_REASONS = {Failed: "failed", Cancelled: "cancelled", Expired: "expired"}


def whole(script: Script) -> list[Event]:
    """The history of a run that ends by itself."""
    machine = new_machine()
    played = play(machine, script)
    machine = played.machine
    assert isinstance(machine.next, End)
    return opening_events() + played.events + machine.end(machine.next.outcome, at=played.tick()).events


@settings(deadline=None)
@given(SCRIPTS)
def test_a_run_left_alone_ends_as_the_model_ended_it(script: Script) -> None:
    played = play(new_machine(), script)
    machine = played.machine
    assert isinstance(machine.next, End)
    outcome = machine.next.outcome
    ending = machine.end(outcome, at=played.tick())
    history = opening_events() + played.events + ending.events
    told = assert_valid(history)
    assert history[-1].name == TERMINAL_NAMES[type(outcome)]
    assert told.text == played.text
    assert "".join(told.details[id] for id, step in told.ended_steps.items() if step.step == "reasoning") == (
        played.thinking
    )
    if isinstance(outcome, Incomplete):
        assert history[-1].reason == history[-2].reason == outcome.reason


@settings(deadline=None)
@given(SCRIPTS, st.integers(1, 30), st.sampled_from(STOPS))
def test_a_run_stopped_anywhere_closes_what_is_open_and_keeps_what_was_told(
    script: Script, inputs: int, outcome: Outcome
) -> None:
    played = play(new_machine(), script, inputs=inputs)
    ending = played.machine.end(outcome, at=played.tick())
    history = opening_events() + played.events + ending.events
    told = assert_valid(history)
    assert told.text == played.text
    assert history[-1].name == TERMINAL_NAMES[type(outcome)]
    assert ending.status == ending.run.status == history[-1].run.status
    reason = outcome.reason if isinstance(outcome, Incomplete) else MESSAGE_REASONS[type(outcome)]
    (end_of_message,) = [event for event in history if event.name == "thread.message.incomplete"]
    assert end_of_message.reason == reason
    if isinstance(outcome, Cancelled):
        assert history[-1].receipt.content_length == len(played.text)
        parked = bool(played.events) and played.events[-1].name == "thread.run.requires_action"
        assert [event.name for event in history].count("thread.run.cancelling") == (not parked)


@settings(max_examples=40, deadline=None)
@given(SCRIPTS)
def test_a_history_cut_anywhere_is_closed_as_interrupted_once(script: Script) -> None:
    history = whole(script)
    for cut in range(3, len(history)):
        found = history[:cut]
        ending = new_machine(found).end(Incomplete("interrupted"), at=1_767_300_000.0)
        assert ending.events[-1].name == "thread.run.incomplete"
        if any(event.name.startswith("thread.message.") and "comp" in event.name for event in found):
            assert len(ending.events) == 1  # the answer has its end already
        else:
            assert_valid(found + ending.events)


@settings(max_examples=40, deadline=None)
@given(SCRIPTS, SCRIPTS, st.integers(2, 20))
def test_a_run_taken_up_again_after_its_process_died_has_a_valid_history(
    script: Script, second: Script, inputs: int
) -> None:
    first = new_machine()
    found = opening_events() + play(first, script, inputs=inputs).events
    if found[-1].name == "thread.run.requires_action":
        return  # nobody takes that up who has no decision
    played = play(new_machine(found), second, found=found)
    machine = played.machine
    assert isinstance(machine.next, End)
    history = found + played.events + machine.end(machine.next.outcome, at=played.tick()).events
    told = assert_valid(history)
    assert told.text.endswith(played.text)


@settings(max_examples=40, deadline=None)
@given(SCRIPTS, st.sampled_from(["", "Once 😀 upon ", "Once"]), st.sampled_from(["", "Hm.", "Hm.\n\nWell."]))
def test_an_answer_that_is_gone_on_with_has_what_it_had_and_what_was_added(
    script: Script, content: str, thinking: str
) -> None:
    parts = [{"step_id": "earlier"}, *([{"text": [0, len(content)]}] if content else [])]
    begun = replace(opening_events()[2].message, content=content, thinking=thinking, parts=parts)
    opening = opening_events(answer=begun)
    played = play(new_machine(opening), script, found=opening)
    machine = played.machine
    assert isinstance(machine.next, End)
    ending = machine.end(machine.next.outcome, at=played.tick())
    told = assert_valid(opening + played.events + ending.events)
    assert told.text == ending.message.content == content + played.text
    assert ending.message.parts[0] == {"step_id": "earlier"}


@settings(deadline=None)
@given(SCRIPTS)
def test_nothing_follows_the_end(script: Script) -> None:
    played = play(new_machine(), script, inputs=3)
    machine = played.machine
    machine.end(Failed(UpstreamDropped().as_object()), at=played.tick())
    for act in (
        lambda: machine.begin(at=1, attempt=9),
        lambda: machine.feed([], at=1),
        lambda: machine.turn_ended(at=1),
        lambda: machine.park(at=1),
        lambda: machine.go_on(at=1, rulings={}),
        lambda: machine.cancelling(by=None, reason=""),
        lambda: machine.end(Expired(), at=1),
        lambda: machine.next,
    ):
        with pytest.raises(IllegalMove):
            act()


@settings(deadline=None)
@given(SCRIPTS)
def test_the_log_s_fold_is_the_state_that_the_machine_stores(script: Script) -> None:
    played = play(new_machine(), script)
    machine = played.machine
    assert isinstance(machine.next, End)
    ending = machine.end(machine.next.outcome, at=played.tick())
    history = opening_events() + played.events + ending.events
    state = fold(Entry(id, encode(event, id)) for id, event in enumerate(history, start=1))
    assert state.run == ending.run
    assert state.answer == ending.message
    assert state.steps == ending.steps
    assert state.terminal


@settings(max_examples=40, deadline=None)
@given(SCRIPTS)
def test_a_snapshot_at_any_point_and_the_events_after_it_are_the_same_state(script: Script) -> None:
    history = whole(script)
    entries = [Entry(id, encode(event, id)) for id, event in enumerate(history, start=1)]
    full = fold(entries)
    for cut in range(1, len(entries) + 1):
        before = fold(entries[:cut])
        resumed = fold([Entry(cut, encode(before.as_snapshot(False, "test"), cut)), *entries[cut:]])
        assert resumed.as_snapshot(False, "") == full.as_snapshot(False, "")


@settings(deadline=None)
@given(SCRIPTS)
def test_what_a_person_is_asked_about_runs_only_if_approved_and_as_approved(script: Script) -> None:
    played = play(new_machine(), script)
    changed = [ruling.arguments for ruling in script.rulings if isinstance(ruling, Approved)]
    for call in played.ran:
        assert call.approved == (call.name in script.guarded)
        step = played.machine.state.step(call.step_id)
        assert step.arguments == call.arguments or (step.arguments is None and not call.arguments)
        if call.approved and None not in script.rulings:
            assert call.arguments in changed
    assert len({call.step_id for call in played.ran}) == len(played.ran)


@settings(deadline=None)
@given(SCRIPTS)
def test_the_fold_of_the_log_retells_what_the_model_was_told(script: Script) -> None:
    for told, retold in play(new_machine(), script).asked:
        assert plain(retold) == plain(told)


def plain(messages: tuple[PromptMessage, ...]) -> list[object]:
    """Messages with their calls by place: a log does not know the names that the model had given them."""
    places: dict[str, int] = {}
    shown: list[object] = []
    for message in messages:
        if message.role == "assistant":
            places = {call.id: place for place, call in enumerate(message.tool_calls)}
        calls = [(call.name, call.arguments) for call in message.tool_calls]
        place = places[message.tool_call_id] if message.tool_call_id else None
        shown.append((message.role, message.content, message.thinking, calls, place, message.tool_name))
    return shown

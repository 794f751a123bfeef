"""The judge finds every kind of anomaly, planted by hand, and any single change of what was right."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chaos.checker import Kind, anomalies, tokens_lost
from tests.chaos.history import Arrival, Connection, Evidence, Reading, Refusal, Row, Send

RUN = "run-1"
WORDS = [f"{' ' * bool(number)}t{number}" for number in range(12)]
T0 = 11  # where the first word stands in the history below


def event(name: str, number: int | None, **data: Any) -> str:
    envelope = {"event": name, **({"id": number} if number else {}), "data": {"run_id": RUN, **data}}
    return json.dumps(envelope, separators=(",", ":"))


def message(content: str, status: str, role: str = "assistant") -> dict[str, Any]:
    return {"id": role, "role": role, "status": status, "content": content}


def history(*, words: list[str] = WORDS, thoughts: tuple[str, ...] = ("Hm", "m."), end: str = "completed") -> list[str]:
    """A run that thinks, uses a tool and answers."""
    texts: list[str] = []

    def tell(name: str, **data: Any) -> None:
        texts.append(event(name, len(texts) + 1, **data))

    tell("thread.run.created", run={"status": "queued"})
    tell("thread.run.in_progress", attempt=1, run={"status": "in_progress"})
    tell("thread.message.created", message=message("Hello", "completed", "user"))
    tell("thread.message.created", message=message("", "in_progress"))
    if thoughts:
        tell("thread.run.step.created", step={"id": "s", "step": "reasoning", "details": None})
        for thought in thoughts:
            tell("thread.run.step.in_progress", step_id="s", step="reasoning", details=thought)
        tell("thread.run.step.completed", step={"id": "s", "step": "reasoning", "details": "".join(thoughts)})
        tell("thread.run.step.created", step={"id": "u", "step": "tool_calls", "output": None})
        tell("thread.run.step.in_progress", step_id="u", step="tool_calls", output="14")
        tell("thread.run.step.completed", step={"id": "u", "step": "tool_calls", "output": "14"})
    for word in words:
        tell("thread.message.delta", content=word)
    status = "completed" if end == "completed" else "incomplete"
    tell(f"thread.message.{status}", message=message("".join(words), status))
    tell(f"thread.run.{end}", run={"status": end})
    return texts


def snapshot(texts: list[str], as_of: int) -> str:
    deltas = [json.loads(text) for text in texts[:as_of]]
    content = "".join(each["data"]["content"] for each in deltas if each["event"] == "thread.message.delta")
    begun = any(each["data"].get("message", {}).get("role") == "assistant" for each in deltas)
    status = json.loads(texts[-1])["data"]["run"]["status"] if as_of == len(texts) else "in_progress"
    messages = [message("Hello", "completed", "user"), *([message(content, "in_progress")] if begun else [])]
    return event("thread.run.snapshot", as_of, as_of=as_of, run={"status": status}, messages=messages, gap=False)


def reading(texts: list[str], *cuts: int, name: str = "a", snapshots: frozenset[int] = frozenset()) -> Reading:
    """A reader who is cut at ``cuts`` and goes on; after those of ``snapshots`` by a snapshot one event on."""
    found = Reading(name, RUN, finished=True)
    for begin, end in zip((0, *cuts), (*cuts, len(texts)), strict=True):
        came = texts[begin:end]
        if begin in snapshots and end > begin:
            came = [snapshot(texts, begin + 1), *texts[begin + 1 : end]]
        arrivals = [Arrival(float(number), text) for number, text in enumerate(came)]
        found.connections.append(Connection("sse", "node-1", begin, arrivals=arrivals))
    return found


def evidence(texts: list[str], *readings: Reading, end: str = "completed", words: list[str] = WORDS) -> Evidence:
    status = "completed" if end == "completed" else "incomplete"
    return Evidence(
        readings=list(readings),
        sends=[Send("key-1", "Hello", "".join(words), runs=[RUN, RUN])],
        logs={RUN: {"node-1": list(texts), "node-2": list(texts)}},
        rows={RUN: Row(RUN, "Hello", end, len(texts), 1, "".join(words), status)},
    )


def sound() -> Evidence:
    texts = history()
    return evidence(texts, reading(texts), reading(texts, 3, 9, 20, name="b", snapshots=frozenset({9})))


def kinds(found: Evidence) -> set[Kind]:
    return {anomaly.kind for anomaly in anomalies(found)}


def test_what_is_right_is_found_right() -> None:
    assert anomalies(sound()) == []
    assert tokens_lost(sound()) == 0


# --- one planted anomaly of each kind -------------------------------------------------------------------------------


def arrivals(found: Evidence, reader: int = 0, connection: int = 0) -> list[Arrival]:
    return found.readings[reader].connections[connection].arrivals


def test_an_event_that_a_reader_never_got_is_lost() -> None:
    found = sound()
    arrivals(found).pop()
    assert kinds(found) == {Kind.LOST}


def test_a_hole_between_two_events_is_a_gap() -> None:
    found = sound()
    del arrivals(found)[10]
    assert kinds(found) == {Kind.GAPPED}


def test_an_event_that_comes_again_is_a_duplicate() -> None:
    found = sound()
    arrivals(found).insert(11, arrivals(found)[10])
    assert kinds(found) == {Kind.DUPLICATED}


def test_a_repeat_after_a_resume_is_a_duplicate_too() -> None:
    found = sound()
    arrivals(found, 1, 1).insert(0, arrivals(found, 1, 0)[-1])
    assert kinds(found) == {Kind.DUPLICATED}


def test_events_that_change_their_places_are_reordered() -> None:
    found = sound()
    came = arrivals(found)
    came[10], came[11] = came[11], came[10]
    assert kinds(found) == {Kind.REORDERED}


def test_one_number_with_two_texts_is_divergent() -> None:
    found = sound()
    came = arrivals(found)
    came[T0] = replace(came[T0], text=came[T0].text.replace("t0", "T0"))
    assert kinds(found) == {Kind.DIVERGENT}


def test_nodes_that_tell_two_logs_are_divergent() -> None:
    found = sound()
    found.logs[RUN]["node-2"][T0] = found.logs[RUN]["node-2"][T0].replace("t0", "T0")
    assert kinds(found) == {Kind.DIVERGENT}


def test_a_row_that_says_otherwise_than_the_log_is_divergent() -> None:
    found = sound()
    found.rows[RUN] = replace(found.rows[RUN], status="cancelled")
    assert Kind.DIVERGENT in kinds(found)


def test_a_snapshot_with_another_text_is_divergent() -> None:
    texts = history()
    found = evidence(texts, reading(texts, 18, snapshots=frozenset({18})))
    came = arrivals(found, 0, 1)
    came[0] = replace(came[0], text=came[0].text.replace("t0", "T0"))
    assert kinds(found) == {Kind.DIVERGENT}


def test_whatever_follows_the_end_is_after_the_end() -> None:
    found = sound()
    arrivals(found).append(Arrival(99.0, event("thread.message.delta", found.rows[RUN].head + 1, content="!")))
    assert Kind.AFTER_THE_END in kinds(found)


def test_a_second_end_in_the_log_is_after_the_end() -> None:
    found = sound()
    for log in found.logs[RUN].values():
        log.append(event("thread.run.failed", len(log) + 1, run={"status": "failed"}))
    assert Kind.AFTER_THE_END in kinds(found)


def test_what_was_seen_and_is_not_in_the_log_was_not_committed() -> None:
    texts = history()
    found = evidence(texts, reading(texts))
    for log in found.logs[RUN].values():
        log.pop()
    assert Kind.UNCOMMITTED in kinds(found)


def test_a_run_without_an_end_is_stuck() -> None:
    texts = history()[:-2]
    found = evidence(texts, reading(texts))
    found.rows[RUN] = replace(found.rows[RUN], status="in_progress")
    assert Kind.STUCK in kinds(found)


def test_a_reader_who_waits_for_ever_is_stuck() -> None:
    found = sound()
    found.readings[0].finished = False
    assert kinds(found) == {Kind.STUCK}


def test_deltas_that_do_not_add_up_to_the_stored_message_are_told() -> None:
    found = sound()
    found.rows[RUN] = replace(found.rows[RUN], content="t0 t1")
    assert {Kind.SUM, Kind.DIVERGENT, Kind.TOKENS} == kinds(found)
    assert tokens_lost(found) == 10


def test_deltas_that_do_not_add_up_to_the_message_that_is_told_are_told() -> None:
    texts = history(words=WORDS[:-1])
    texts[-2] = texts[-2].replace("t10", "t10 t11")
    assert kinds(evidence(texts, reading(texts))) == {Kind.SUM}


def test_a_thought_that_does_not_add_up_is_told() -> None:
    texts = [text.replace('"details":"Hmm."', '"details":"Hm."') for text in history()]
    assert kinds(evidence(texts, reading(texts))) == {Kind.SUM}


def test_a_step_that_is_left_open_is_told() -> None:
    texts = [text.replace("thread.run.step.completed", "thread.run.step.seen") for text in history()]
    assert kinds(evidence(texts, reading(texts))) == {Kind.UNCLOSED}


def test_an_answer_that_is_not_the_models_is_told() -> None:
    words = [*WORDS[:5], *WORDS[4:]]
    texts = history(words=words)
    found = evidence(texts, reading(texts), words=words)
    found.sends[0].expected = "".join(WORDS)
    assert kinds(found) == {Kind.TOKENS}


def test_an_answer_that_was_cut_short_is_a_beginning_of_the_models() -> None:
    texts = history(words=WORDS[:4], end="incomplete")
    found = evidence(texts, reading(texts), end="incomplete", words=WORDS[:4])
    found.sends[0].expected = "".join(WORDS)
    assert anomalies(found) == []
    found.sends[0].expected = "x" + "".join(WORDS)
    assert kinds(found) == {Kind.TOKENS}


def test_one_key_with_two_runs_is_doubled() -> None:
    found = sound()
    found.sends[0].runs.append("run-2")
    assert Kind.DOUBLED in kinds(found)


def test_a_run_that_nobody_was_told_of_is_doubled() -> None:
    found = sound()
    found.rows["run-2"] = replace(found.rows[RUN], run_id="run-2")
    assert Kind.DOUBLED in kinds(found)


def test_an_answer_that_nobody_should_get_is_told() -> None:
    found = sound()
    found.refusals.append(Refusal(1.0, "node-1", 500, "internal_error", "sending"))
    assert kinds(found) == {Kind.REFUSED}


def test_a_run_that_has_vanished_is_lost() -> None:
    found = sound()
    del found.rows[RUN], found.logs[RUN]
    assert Kind.LOST in kinds(found)


def test_where_a_log_has_lost_its_beginning_the_readers_are_still_held_to_each_other() -> None:
    texts = history()
    found = evidence(texts, reading(texts), reading(texts, 5, name="b"))
    for log in found.logs[RUN].values():
        log[:20] = [snapshot(texts, 20)]
    assert anomalies(found) == []
    came = arrivals(found, 1, 1)
    came[T0 - 5] = replace(came[T0 - 5], text=came[T0 - 5].text.replace("t0", "T0"))
    assert kinds(found) == {Kind.DIVERGENT}


# --- any single change ----------------------------------------------------------------------------------------------

Change = Callable[[Evidence, st.DataObject], bool]


def _some_arrivals(found: Evidence, data: st.DataObject) -> list[Arrival]:
    reader = data.draw(st.sampled_from(found.readings))
    return data.draw(st.sampled_from([each for each in reader.connections if each.arrivals])).arrivals


def _numbered(came: list[Arrival]) -> list[int]:
    return [at for at, each in enumerate(came) if "thread.run.snapshot" not in each.text]


def drop(found: Evidence, data: st.DataObject) -> bool:
    came = _some_arrivals(found, data)
    del came[data.draw(st.integers(0, len(came) - 1))]
    return True


def repeat(found: Evidence, data: st.DataObject) -> bool:
    came = _some_arrivals(found, data)
    if not (numbered := _numbered(came)):
        return False
    at = data.draw(st.sampled_from(numbered))
    came.insert(data.draw(st.integers(at + 1, len(came))), came[at])
    return True


def swap(found: Evidence, data: st.DataObject) -> bool:
    came = _some_arrivals(found, data)
    numbered = _numbered(came)
    if len(numbered) < 2:
        return False
    one, other = data.draw(st.lists(st.sampled_from(numbered), min_size=2, max_size=2, unique=True))
    came[one], came[other] = came[other], came[one]
    return True


def alter(found: Evidence, data: st.DataObject) -> bool:
    came = _some_arrivals(found, data)
    if not (numbered := _numbered(came)):
        return False
    at = data.draw(st.sampled_from(numbered))
    came[at] = replace(came[at], text=came[at].text.replace('"data":{', '"data":{"x":1,', 1))
    return True


def add(found: Evidence, data: st.DataObject) -> bool:
    came = data.draw(st.sampled_from(found.readings)).connections[-1].arrivals
    head = found.rows[RUN].head
    came.append(Arrival(99.0, event("thread.message.delta", head + data.draw(st.integers(1, 3)), content="!")))
    return True


def shorten_a_log(found: Evidence, data: st.DataObject) -> bool:
    log = found.logs[RUN][data.draw(st.sampled_from(["node-1", "node-2"]))]
    del log[data.draw(st.integers(0, len(log) - 1))]
    return True


def shorten_all_logs(found: Evidence, data: st.DataObject) -> bool:
    at = data.draw(st.integers(0, found.rows[RUN].head - 1))
    for log in found.logs[RUN].values():
        del log[at]
    return True


def alter_a_log(found: Evidence, data: st.DataObject) -> bool:
    log = found.logs[RUN]["node-2"]
    at = data.draw(st.integers(0, len(log) - 1))
    log[at] = log[at].replace('"data":{', '"data":{"x":1,', 1)
    return True


def alter_a_delta_everywhere(found: Evidence, data: st.DataObject) -> bool:
    deltas = [text for text in found.logs[RUN]["node-1"] if "thread.message.delta" in text]
    old = data.draw(st.sampled_from(deltas))
    new = old.replace('"content":"', '"content":"x')
    for log in found.logs[RUN].values():
        log[:] = [new if text == old else text for text in log]
    for each in found.readings:
        for connection in each.connections:
            connection.arrivals = [replace(a, text=new) if a.text == old else a for a in connection.arrivals]
    return True


def alter_the_row(found: Evidence, data: st.DataObject) -> bool:
    row = found.rows[RUN]
    other: dict[str, Any] = data.draw(
        st.sampled_from(
            [
                {"status": "failed"},
                {"status": "in_progress"},
                {"head": row.head + 1},
                {"head": row.head - 1},
                {"content": row.content + "x"},
                {"content": row.content[:-1]},
                {"message_status": "in_progress"},
                {"question": "Another?"},
            ]
        )
    )
    found.rows[RUN] = replace(row, **other)
    return found.rows[RUN] != row


def lead_elsewhere(found: Evidence, data: st.DataObject) -> bool:
    found.sends[0].runs.append("run-2")
    return True


def give_up(found: Evidence, data: st.DataObject) -> bool:
    data.draw(st.sampled_from(found.readings)).finished = False
    return True


CHANGES: list[Change] = [
    *(drop, repeat, swap, alter, add, shorten_a_log, shorten_all_logs, alter_a_log),
    *(alter_a_delta_everywhere, alter_the_row, lead_elsewhere, give_up),
]
CUTS = st.lists(st.integers(1, 15), max_size=3, unique=True).map(sorted)


@st.composite
def sounds(draw: st.DrawFn) -> Evidence:
    words = draw(st.lists(st.sampled_from(["a", " b", "é", "\u2028", " 😀"]), min_size=1, max_size=10))
    thoughts = draw(st.sampled_from([(), ("Hm",), ("Hm", "m", ".")]))
    end = draw(st.sampled_from(["completed", "incomplete", "cancelled", "failed"]))
    texts = history(words=words, thoughts=thoughts, end=end)
    readings = []
    for number in range(draw(st.integers(1, 3))):
        cuts = [cut for cut in draw(CUTS) if cut < len(texts)]
        snapshots = frozenset(draw(st.lists(st.sampled_from(cuts)))) if cuts else frozenset()
        readings.append(reading(texts, *cuts, name=str(number), snapshots=snapshots))
    return evidence(texts, *readings, end=end, words=words)


@given(sounds())
@settings(max_examples=100, deadline=None)
def test_any_sound_history_is_found_sound(found: Evidence) -> None:
    assert anomalies(found) == []


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_single_change_is_found(change: Change, data: st.DataObject) -> None:
    found = deepcopy(data.draw(sounds()))
    if change(found, data):
        assert anomalies(found) != []

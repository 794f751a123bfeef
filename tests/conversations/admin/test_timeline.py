import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from chatserver.accounts.models import User
from conversations.admin.moments import seconds
from conversations.admin.timeline import from_events, from_rows, with_decisions
from conversations.models import Approval, Run, Step

START = datetime(2026, 1, 1, tzinfo=UTC)


def events(*pairs: tuple[str, object]) -> list[tuple[int, str, datetime]]:
    return [
        (number, json.dumps({"event": name, "id": number, "data": data}), START + timedelta(seconds=number))
        for number, (name, data) in enumerate(pairs, start=1)
    ]


DELTA, STEP = "thread.message.delta", "thread.run.step.in_progress"


def test_pieces_of_a_stream_are_one_line_with_their_sum() -> None:
    (line,) = from_events(events((DELTA, {"content": "Hel"}), (DELTA, {"content": "lo"}), (DELTA, {"content": "!"})))
    assert (line.numbers, line.summary) == ("1–3", "3 pieces, 6 characters of the answer")
    assert (line.at, line.until) == (START + timedelta(seconds=1), START + timedelta(seconds=3))


def test_another_event_between_two_pieces_parts_them() -> None:
    stop = ("thread.run.cancelling", {"reason": "x"})
    lines = from_events(events((DELTA, {"content": "a"}), stop, (DELTA, {"content": "b"})))
    assert [(line.name, line.numbers) for line in lines] == [(DELTA, "1"), ("thread.run.cancelling", "2"), (DELTA, "3")]
    assert lines[0].summary == "1 piece, 1 character of the answer"


def test_decisions_stand_between_the_events_with_who_and_about_what() -> None:
    lines = from_events(
        events(
            ("thread.run.requires_action", {"approvals": [{"tool": "mail", "arguments": {}}]}),
            *[(DELTA, {"content": "a"}), ("thread.run.completed", {})],
        )
    )
    decided = [
        Approval(
            tool="mail",
            decision="approve",
            changed={"x": 1},
            decided_by=User(username="ada"),
            decided_at=START + timedelta(seconds=1.5),
        ),
        Approval(tool="mail", decision="deny", note="secret", decided_at=START + timedelta(seconds=9)),
        Approval(tool="mail"),
    ]
    shown = [(line.name, line.summary) for line in with_decisions(lines, decided)]
    assert shown == [
        ("thread.run.requires_action", "mail"),
        ("approved", "mail by ada, with other arguments"),
        (DELTA, "1 piece, 1 character of the answer"),
        ("thread.run.completed", ""),
        ("denied", "mail by somebody who is gone"),
    ]


def test_a_beginning_says_which_attempt_it_is_and_what_the_model_was_not_given() -> None:
    notices = [{"code": "context_dropped", "message": "secret"}, {"code": "not_taken", "message": "secret"}]
    told = {"attempt": 2, "run": {"notices": notices}}
    lines = from_events(events(("thread.run.in_progress", told), ("thread.run.in_progress", {"attempt": 1, "run": 7})))
    assert [line.summary for line in lines] == ["attempt 2, context_dropped, not_taken", "attempt 1"]


def test_two_steps_are_two_lines() -> None:
    thinking = {"step_id": "a", "step": "reasoning", "details": "Hm."}
    tool = {"step_id": "b", "step": "tool_calls", "output": "42"}
    lines = from_events(events((STEP, thinking), (STEP, thinking), (STEP, tool)))
    assert [line.summary for line in lines] == ["2 pieces, 6 characters of thinking", "1 piece, 2 characters of a tool"]


@pytest.mark.parametrize(
    ("data", "note"),
    [
        ({"attempt": 2, "run": {}}, "attempt 2"),
        ({"step": {"title": "Using clock", "step": "tool_calls"}}, "Using clock"),
        ({"step": {"step": "reasoning", "title": ""}}, "reasoning"),
        ({"code": "upstream_stalled", "message": "It stopped."}, "upstream_stalled: It stopped."),
        ({"error": {"code": "upstream_stalled"}, "run": {}}, "upstream_stalled"),
        ({"message": {"role": "user", "content": "secret"}}, "user"),
        ({"message": {"role": "assistant", "content": "secret"}, "reason": "cancelled"}, "assistant cancelled"),
        ({"finish_reason": "stop"}, "stop"),
        ({"by": "user", "reason": "requested"}, "requested"),
        ({}, ""),
        (None, ""),
        ([], ""),
    ],
)
def test_a_note_tells_events_of_a_kind_apart_and_never_quotes(data: object, note: str) -> None:
    (line,) = from_events(events(("x", data)))
    assert line.summary == note


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"event": "x"}', "null"])
def test_what_cannot_be_read_is_said_and_does_not_end_the_page(text: str) -> None:
    (line,) = from_events([(7, text, START)])
    assert (line.name, line.numbers) == ("unreadable", "7")


def test_rows_give_the_moments_they_know_in_order() -> None:
    run = Run(
        status="failed", error_code="upstream_stalled", created_at=START, started_at=START + timedelta(seconds=1),
        first_token_at=START + timedelta(seconds=3), finished_at=START + timedelta(seconds=9),
    )  # fmt: skip
    step = Step(kind="tool_calls", title="Using clock", status="completed", started_at=START + timedelta(seconds=2))
    lines = from_rows(run, [step])
    assert [line.name for line in lines] == ["created", "started", "Using clock: completed", "first token", "failed"]
    assert lines[-1].summary == "upstream_stalled"


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "–"), (0, "0 ms"), (999, "999 ms"), (1000, "1.0 s"), (59_940, "59.9 s"), (59_999, "1 min 0 s"),
        (200_000, "3 min 20 s"), (3_600_000, "1 h 0 min"), (7_500_000, "2 h 5 min"),
    ],
)  # fmt: skip
def test_lengths_of_time(milliseconds: float | None, text: str) -> None:
    assert seconds(milliseconds) == text


def test_the_clock_is_utc_to_the_millisecond() -> None:
    (line,) = from_events(
        [(1, '{"event":"x","data":{}}', datetime(2026, 1, 1, 1, 2, 3, 4567, timezone(timedelta(hours=1))))]
    )
    assert line.clock == "00:02:03.004"

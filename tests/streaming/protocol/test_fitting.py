import hashlib
import json

import pytest
from msgspec.structs import replace

from streaming.engine.limits import Limits
from streaming.protocol.codec import decode
from streaming.protocol.commands import MAX_CONTENT_BYTES
from streaming.protocol.events import Snapshot
from streaming.protocol.fitting import MAX_TEXT, fitted
from streaming.protocol.objects import Approval, Message, Run, Step

LIMITS = Limits()
ESCAPED = len(r"\ud83d\ude00")  # an emoji as the wire writes it
QUESTION = Message(
    id="q", thread_id="t", role="user", status="completed", content="😀" * (MAX_CONTENT_BYTES // ESCAPED)
)
ANSWER = Message(id="a", thread_id="t", role="assistant", status="in_progress", content="so far")


def snapshot(*messages: Message, steps: list[Step] | None = None) -> Snapshot:
    run = Run(id="r", thread_id="t", status="in_progress")
    return Snapshot(
        run_id="r",
        thread_id="t",
        run=run,
        messages=list(messages),
        steps=steps or [],
        as_of=9,
        gap=False,
        reason="asked",
    )


def the_fullest(*, asked: bool) -> Snapshot:
    """All that one run may have, thought instead of said, because thinking is told twice; every call has its output, or
    a person is asked about every one.
    """
    thinking = "😀" * (LIMITS.max_answer // ESCAPED)
    arguments = {"text": "😀" * (2 * LIMITS.max_arguments // ESCAPED)}
    output = None if asked else "😀" * (LIMITS.max_output_bytes // ESCAPED)
    call = Step(id="", index=0, step="tool_calls", status="", name="write", arguments=arguments, output=output)
    calls = [replace(call, id=f"tool {index}", index=index) for index in range(1, LIMITS.max_tool_steps + 1)]
    thought = Step(id="thought", index=0, step="reasoning", status="completed", details=thinking)
    fullest = snapshot(QUESTION, replace(ANSWER, thinking=thinking), steps=[thought, *calls])
    if not asked:
        return fullest
    approval = Approval(approval_id="", step_id="", tool="write", arguments=arguments, expires_at="")
    return replace(fullest, approvals=[replace(approval, step_id=call.id) for call in calls])


def test_a_snapshot_that_fits_is_sent_as_it_is() -> None:
    _, event = decode(fitted(snapshot(QUESTION, ANSWER)))
    assert event == snapshot(QUESTION, ANSWER)


def test_one_that_would_be_too_long_comes_without_the_question_and_says_what_is_missing() -> None:
    question = replace(QUESTION, content="what? " * 100)
    data = json.loads(fitted(snapshot(question, ANSWER), most=1000))["data"]
    asked, answer = data["messages"]
    assert asked["content"] is None
    assert asked["content_length"] == 600
    assert asked["sha256"] == hashlib.sha256(b"what? " * 100).hexdigest()
    assert answer["content"] == "so far"
    assert "content_length" not in answer


@pytest.mark.parametrize("asked", [False, True])
def test_whatever_a_run_may_have_it_is_within_the_limit(asked: bool) -> None:
    text = fitted(the_fullest(asked=asked))
    assert len(text) <= MAX_TEXT
    assert [message["content"] for message in json.loads(text)["data"]["messages"]] == [None, "so far"]

import json

from hypothesis import given
from hypothesis import strategies as st

from streaming.protocol.codec import Entry, encode
from streaming.protocol.events import ErrorEvent, MessageDelta, RunStatusHint
from streaming.transports import sse_wire


def parse(raw: bytes) -> list[dict[str, str]]:
    """A parser by the standard's own rules: any line end, fields split at the first colon, blank line dispatches."""
    events, fields = [], {}
    text = raw.decode("utf-8").removeprefix("\ufeff")
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line == "":
            if fields:
                events.append(fields)
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            fields[name] = fields[name] + "\n" + value[1:] if name in fields else value.removeprefix(" ")
    return events


def test_an_event_is_its_number_its_name_and_its_envelope_on_one_line():
    text = encode(MessageDelta(run_id="r", content="Hel"), 17)
    assert sse_wire.frame(text, 17, names=True) == (
        b"id: 17\nevent: thread.message.delta\n"
        b'data: {"event":"thread.message.delta","id":17,"data":{"run_id":"r","content":"Hel"}}\n\n'
    )


def test_a_hint_has_no_number():
    hint = encode(RunStatusHint(run_id="r", thread_id="t", phase="waiting_for_model"), None)
    assert parse(sse_wire.frame(hint, None, names=True)) == [{"event": "thread.run.status", "data": hint}]


def test_without_names_everything_reaches_onmessage():
    text = encode(MessageDelta(run_id="r", content="Hel"), 17)
    assert parse(sse_wire.frame(text, 17, names=False)) == [{"id": "17", "data": text}]


def test_the_opening_says_when_to_come_back():
    assert sse_wire.opening() == b": open\nretry: 2000\n\n"


@given(st.text(st.characters(codec=None), max_size=60))
def test_no_text_of_anybody_can_forge_a_line(content: str):
    events = [MessageDelta(run_id="r", content=content), _error(content)]
    entries = [Entry(number, encode(event, number)) for number, event in enumerate(events, 1)]
    seen = parse(sse_wire.block(entries, [], names=True))
    assert [(event["id"], event["event"]) for event in seen] == [("1", "thread.message.delta"), ("2", "error")]
    assert json.loads(seen[0]["data"])["data"]["content"] == content
    assert all(event.keys() == {"id", "event", "data"} for event in seen)


def _error(content: str) -> ErrorEvent:
    return ErrorEvent(run_id="r", thread_id="t", code="x", message=content, retryable=False)

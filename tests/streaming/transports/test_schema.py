"""The schema takes everything that the server writes and refuses what it never would."""

import json
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from jsonschema import Draft202012Validator

from chatserver.accounts.models import User
from streaming.protocol.events import EVENTS
from streaming.protocol.feed import RECORDED
from streaming.protocol.objects import Usage
from streaming.providers.base import Finish, Text, Thinking, ToolCall
from streaming.providers.scripted import ScriptedProvider
from streaming.transports.schema import protocol_schema
from streaming.transports.session import COMMANDS
from tests.support.whole import Whole, the_whole

SCHEMA = protocol_schema()
TRANSCRIPTS = sorted((Path(__file__).resolve().parents[2] / "transcripts").glob("*.json"))
DONE = Finish(reason="stop", usage=Usage())
DELTA = {"event": "thread.message.delta", "id": 4, "data": {"run_id": "r", "content": "x"}}


def of(name: str) -> Draft202012Validator:
    """What ``name`` under ``$defs`` says."""
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]})


def test_it_is_a_schema_that_names_every_event_and_frame() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    named = {
        name: {each["properties"]["event"]["const"] for each in SCHEMA["$defs"][name]["anyOf"]}
        for name in ("Event", "FeedEvent", "ClientFrame")
    }
    assert named["Event"] == {event.name for event in EVENTS}
    assert named["FeedEvent"] == {*RECORDED, "feed.reset"}
    assert named["ClientFrame"] == set(COMMANDS)


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_every_recorded_event_fits(path: Path) -> None:
    events = json.loads(path.read_text())["events"]
    assert events
    for event in events:
        Draft202012Validator(SCHEMA).validate(event)


@pytest.mark.parametrize(
    "wrong",
    [
        {**DELTA, "event": "thread.message.nothing"},
        {**DELTA, "id": 0},
        {**DELTA, "id": "4"},
        {key: value for key, value in DELTA.items() if key != "id"},
        {**DELTA, "data": {"run_id": "r"}},
        {**DELTA, "data": {"run_id": "r", "content": 4}},
        {**DELTA, "event": "thread.run.created"},
        {"event": "thread.run.queued", "id": 5, "data": {"run_id": "r", "thread_id": "t", "position": 1}},
    ],
)
def test_what_is_no_event_does_not_fit(wrong: Any) -> None:
    assert of("Event").is_valid(DELTA)
    assert not of("Event").is_valid(wrong)


@pytest.mark.parametrize(
    ("frame", "fits"),
    [
        ({"event": "ping", "req": 1}, True),
        ({"event": "subscribe", "req": "a", "data": {"run_id": "r", "after": 3}}, True),
        ({"event": "subscribe", "req": "a", "data": {"run_id": "r", "after": -3}}, False),
        ({"event": "subscribe", "req": "a", "data": {"run_id": "r", "further": 3}}, False),
        ({"event": "message.send", "req": 1, "data": {"thread_id": "t", "content": "Hi"}}, True),
        ({"event": "message.send", "req": 1, "data": {"content": "Hi"}}, False),
        ({"event": "nothing", "req": 1, "data": {}}, False),
        ({"event": "ping", "req": 1, "more": 1}, False),
    ],
)
def test_a_client_s_frames_fit_or_do_not(frame: Any, fits: bool) -> None:
    assert of("ClientFrame").is_valid(frame) is fits


@pytest.mark.django_db(transaction=True)
async def test_everything_a_server_says_fits_what_it_serves(user: User, token_for: Any) -> None:
    token = await sync_to_async(token_for)(user)
    turns = [
        [
            [Thinking("hm"), ToolCall(id="", name="calculator", arguments={"expression": "6*7"})],
            [DONE],
        ],
        [[Text("42")], [DONE]],
    ]
    from_server = []
    async with the_whole(token, [ScriptedProvider(turns)]) as whole:
        status, served = await whole.call("GET", "/api/v1/protocol.json")
        assert (status, served) == (200, SCHEMA)
        _, thread = await whole.call("POST", "/api/v1/threads", {})
        _, accepted = await whole.call("POST", f"/api/v1/threads/{thread['id']}/runs", {"content": "6*7?"})
        async for text in whole.over_sse(accepted["run"]["id"], 0):
            Draft202012Validator(served).validate(json.loads(text))
        async for text in whole.over_sse(accepted["run"]["id"], 1, snapshot=1):
            Draft202012Validator(served).validate(json.loads(text))
        _, refused = await whole.call("GET", "/api/v1/runs/nothing")
        of("Error").validate(refused)
        from_server = await _said_to(whole, [{"event": "ping", "req": 1}, {"event": "nothing", "req": 2}])
    assert [frame["event"] for frame in from_server] == ["session.ready", "pong", "error"]
    for frame in from_server:
        of("ServerFrame").validate(frame)
    for name, value in (("Thread", thread), ("Run", accepted["run"])):
        of(name).validate(value)


async def _said_to(whole: Whole, frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    said = []
    async with whole.exchange("websocket", "/ws/v1", subprotocols=["chat.v1"]) as exchange:
        exchange.tell({"type": "websocket.connect"})
        for frame in frames:
            exchange.tell({"type": "websocket.receive", "text": json.dumps(frame)})
        while len(said) < len(frames) + 1:
            message = await exchange.said.get()
            if message["type"] == "websocket.send":
                said.append(json.loads(message["text"]))
    return said

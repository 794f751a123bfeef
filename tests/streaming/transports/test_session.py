import json

import pytest

from streaming.protocol.commands import Ping, SocketSend, Subscribe
from streaming.transports import session
from streaming.transports.session import Command, Refusal


def read(frame: object, *, authenticated: bool = True) -> Command | Refusal:
    text = frame if isinstance(frame, str) or frame is None else json.dumps(frame)
    return session.read_frame(text, authenticated=authenticated, most=1_000_000)


def test_a_good_frame_is_a_command():
    frame = read({"event": "subscribe", "req": "7", "data": {"run_id": "r", "after": 3}})
    assert isinstance(frame, Command)
    assert (frame.event, frame.req, frame.data) == ("subscribe", "7", Subscribe(run_id="r", after=3))


def test_a_message_has_the_fields_of_the_http_body_and_its_thread():
    data = {"thread_id": "t", "content": "hi", "model": "demo/demo", "idempotency_key": "k"}
    frame = read({"event": "message.send", "req": 1, "data": data})
    assert isinstance(frame, Command)
    assert frame.data == SocketSend(thread_id="t", content="hi", model="demo/demo", idempotency_key="k")
    assert frame.data.subscribe


def test_a_ping_needs_no_sign_in():
    frame = read({"event": "ping", "req": 1, "data": {"t": 5}}, authenticated=False)
    assert isinstance(frame, Command)
    assert frame.data == Ping(t=5)


BAD = [
    (None, "invalid_request", None),
    ("not json", "invalid_json", None),
    ("[]", "invalid_request", None),
    ('{"event": NaN}', "invalid_json", None),
    ("[" * 100_000, "invalid_json", None),
    ({"req": 1}, "invalid_request", 1),
    ({"event": 3, "req": 1}, "invalid_request", 1),
    ({"event": None, "req": "x"}, "invalid_request", "x"),
    ({"event": "ping", "req": 1.5}, "invalid_request", None),
    ({"event": "ping", "req": True}, "invalid_request", None),
    ({"event": "ping", "req": 2**63}, "invalid_request", None),
    ({"event": "ping", "req": [1]}, "invalid_request", None),
    ('{"event": "ping", "req": 1, "data": {"t": NaN}}', "invalid_json", 1),
    ('{"event": "ping", "req": 1, "data": {"t": 1e999}}', "invalid_json", 1),
    ('{"event": "ping", "req": 1, "data": {"t": %s}}' % ("[" * 40 + "]" * 40), "invalid_json", 1),
    ('{"event": "ping", "req": 1, "data": {"t": %s}}' % ("9" * 5000), "invalid_json", None),
    ('{"event": "ping", "req": 1} {}', "invalid_json", None),
    ({"event": "ping", "req": 1, "data": []}, "invalid_request", 1),
    ({"event": "ping", "req": 1, "data": 0}, "invalid_request", 1),
    ({"event": "ping", "req": 1, "data": ""}, "invalid_request", 1),
    ({"event": "ping", "req": 1, "data": False}, "invalid_request", 1),
    ({"event": "ping", "req": {"a": 1}}, "invalid_request", None),
    ({"event": "ping", "req": "x" * 101}, "invalid_request", None),
    ({"event": "nonsense", "req": 1}, "invalid_request", 1),
    ({"event": "ping", "req": 1, "extra": 1}, "invalid_request", 1),
    ({"event": "subscribe", "req": 2, "data": {"run_id": "r", "bogus": 1}}, "unknown_field", 2),
    ({"event": "subscribe", "req": 2, "data": {}}, "invalid_request", 2),
    ({"event": "subscribe", "req": 2, "data": {"run_id": "r", "after": -1}}, "invalid_request", 2),
    ({"event": "subscribe", "req": 2, "data": []}, "invalid_request", 2),
    ({"event": "subscribe", "req": 2}, "invalid_request", 2),
    ({"event": "subscribe", "req": 2, "data": {"run_id": "r", "after": "3"}}, "invalid_request", 2),
    ({"event": "subscribe", "req": 2, "data": {"run_id": "r", "snapshot": 1}}, "invalid_request", 2),
    ({"event": "flow.ack", "data": {"run_id": "r"}}, "invalid_request", None),
    ({"event": "flow.ack", "req": 2, "data": {"run_id": "r", "id": -1}}, "invalid_request", 2),
    ({"event": "flow.ack", "req": 2, "data": {"run_id": "r", "id": 1, "bytes": 3}}, "unknown_field", 2),
    ({"event": "unsubscribe", "req": 2, "data": {"run_id": "r", "after": 3}}, "unknown_field", 2),
    ({"event": "message.send", "req": 2, "data": {"thread_id": "t", "content": " "}}, "invalid_request", 2),
    ({"event": "message.send", "req": 2, "data": {"thread_id": "t", "content": "x" * 400_001}}, "invalid_request", 2),
]


@pytest.mark.parametrize(("frame", "code", "req"), BAD)
def test_a_bad_frame_is_refused_under_its_own_number(frame: object, code: str, req: object):
    refusal = read(frame)
    assert isinstance(refusal, Refusal)
    assert (refusal.error.code, refusal.req) == (code, req)


def test_data_may_be_missing_where_nothing_is_needed():
    for frame in ({"event": "ping", "req": 1}, {"event": "ping", "req": 1, "data": None}):
        assert read(frame) == Command(event="ping", req=1, data=Ping(), body={})


def test_nothing_but_auth_and_ping_passes_before_sign_in():
    refusal = read({"event": "subscribe", "req": 1, "data": {"run_id": "r"}}, authenticated=False)
    assert isinstance(refusal, Refusal)
    assert refusal.error.code == "not_authenticated"


def test_replies_carry_the_request_and_never_an_event_number():
    for reply in (session.ack(4, {}), session.pong(4, t=1, server_time="now", heads={})):
        assert json.loads(reply)["req"] == 4
        assert "id" not in json.loads(reply)


def test_a_frame_beyond_the_limit_is_refused_unread():
    assert isinstance(session.read_frame('{"event":"ping"}', authenticated=True, most=16), Command)
    refusal = session.read_frame('{"event":"pïng"}', authenticated=True, most=16)
    assert isinstance(refusal, Refusal)
    assert refusal.error.code == "body_too_large"

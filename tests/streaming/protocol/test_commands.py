"""Which fields of a send go together, and which do not."""

from typing import Any

import pytest

from streaming.protocol.commands import Chat, Send, SocketSend, parse
from streaming.protocol.errors import InvalidRequest, UnknownField

GOOD: list[dict[str, Any]] = [
    {"content": "Why?"},
    {"content": "Why?", "models": ["a/b", "c/d"]},
    {"content": "Why?", "models": ["a/b"] * 4},
    {"regenerate": "m", "models": ["a/b", "c/d"]},
    {"edit": "m", "content": "Why not?", "models": ["a/b", "c/d"]},
    {"continue": "m"},
    {"continue": "m", "model": "a/b", "if_busy": "interrupt"},
]
BAD: list[dict[str, Any]] = [
    {},
    {"content": "  "},
    {"regenerate": "m", "content": "Why?"},
    {"regenerate": "m", "parent_id": "p"},
    {"edit": "m"},
    {"edit": "m", "content": "Why?", "parent_id": "p"},
    {"continue": "m", "content": "Why?"},
    {"continue": "m", "regenerate": "m"},
    {"continue": "m", "edit": "m", "content": "Why?"},
    {"continue": "m", "parent_id": "p"},
    {"continue": "m", "models": ["a/b", "c/d"]},
    {"go_on": "m"},
    {"content": "Why?", "if_busy": "perhaps"},
    {"content": "Why?", "models": []},
    {"content": "Why?", "models": ["a/b"]},
    {"content": "Why?", "models": ["a/b"] * 5},
    {"content": "Why?", "models": ["a/b", ""]},
    {"content": "Why?", "models": ["a/b", 3]},
    {"content": "Why?", "models": "a/b"},
    {"content": "Why?", "models": ["a/b", "c/d"], "model": "a/b"},
]


@pytest.mark.parametrize("body", GOOD, ids=str)
def test_a_send_that_makes_sense_is_taken(body: dict[str, Any]) -> None:
    assert isinstance(parse(body, Send), Send)


@pytest.mark.parametrize("key", ["", "a\tb", "a\u2028b", "x" * 201])
def test_a_key_on_the_socket_is_what_it_is_in_the_header(key: str) -> None:
    with pytest.raises(InvalidRequest):
        parse({"thread_id": "t", "content": "Why?", "idempotency_key": key}, SocketSend)
    assert parse({"thread_id": "t", "content": "Why?", "idempotency_key": "é k"}, SocketSend)


def test_a_question_is_bounded_as_the_wire_writes_it() -> None:
    for longest in ("a" * 400_000, "漢" * 400_000, "\U0001f600" * 208_000):
        assert parse({"content": longest}, Send).content == longest
    for kind, field in ((Send, "content"), (Chat, "message")):
        with pytest.raises(InvalidRequest, match="2500000 bytes"):
            parse({field: "\U0001f600" * 210_000}, kind)


@pytest.mark.parametrize("body", BAD, ids=str)
def test_a_send_that_makes_none_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises((InvalidRequest, UnknownField)):
        parse(body, Send)

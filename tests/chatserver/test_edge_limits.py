"""What stands in front of Django, fed by hand."""

import asyncio
import json
from typing import Any

import pytest

from chatserver.edge import BodyLimit, WriteTimeout, no_such_socket


class Wire:
    """A request's body in pieces, and what was answered."""

    def __init__(self, *pieces: bytes, length: int | None = None) -> None:
        self.scope: dict[str, Any] = {"type": "http", "headers": []}
        if length is not None:
            self.scope["headers"] = [(b"content-length", str(length).encode())]
        last = len(pieces) - 1
        self.incoming = [
            {"type": "http.request", "body": piece, "more_body": number < last} for number, piece in enumerate(pieces)
        ]
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        return self.incoming.pop(0) if self.incoming else {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return self.sent[0]["status"]


async def read_all(scope: Any, receive: Any, send: Any) -> None:
    """An application that reads its whole body and says how long it was."""
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


async def test_a_body_within_the_limit_passes():
    wire = Wire(b"12345", b"67890")
    await BodyLimit(read_all, most=10)(wire.scope, wire.receive, wire.send)
    assert wire.sent[1]["body"] == b"10"


@pytest.mark.parametrize("length", [None, 11, 3])
async def test_a_longer_body_is_refused_whatever_its_length_said(length: int | None):
    wire = Wire(b"12345", b"67890", b"!", length=length)
    await BodyLimit(read_all, most=10)(wire.scope, wire.receive, wire.send)
    assert wire.status == 413
    assert json.loads(wire.sent[1]["body"])["error"]["code"] == "body_too_large"
    assert wire.sent[2:] == [{"type": "http.response.body"}]


async def test_what_comes_after_a_refusal_is_read_so_that_the_answer_is_not_lost():
    wire = Wire(b"12345", b"67890", b"!", b"more", b"and more", length=30)
    await BodyLimit(read_all, most=10)(wire.scope, wire.receive, wire.send)
    assert wire.status == 413
    assert wire.incoming == []


async def test_a_client_that_goes_on_for_ever_is_not_heard_out():
    wire = Wire(*[b"1234567890"] * 20)
    await BodyLimit(read_all, most=10)(wire.scope, wire.receive, wire.send)
    assert len(wire.incoming) == 14


async def test_a_client_that_falls_silent_after_a_refusal_is_waited_for_a_moment_only():
    wire = Wire(b"12345", length=30)

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    await BodyLimit(read_all, most=10, patience=0.01)(wire.scope, receive, wire.send)
    assert wire.status == 413


async def test_a_body_that_says_it_is_too_long_is_not_read_at_all():
    wire = Wire(b"12345", length=10**12)
    await BodyLimit(read_all, most=10)(wire.scope, wire.receive, wire.send)
    assert wire.status == 413
    assert len(wire.incoming) == 1


@pytest.mark.parametrize(
    ("method", "path", "length", "status"),
    [
        ("POST", "/files", 20, 200),
        ("POST", "/files", 21, 413),
        ("PUT", "/files", 11, 413),
        ("POST", "/files/1", 11, 413),
    ],
)
async def test_a_body_to_an_address_that_takes_files_may_be_longer_and_no_other(
    method: str, path: str, length: int, status: int
):
    wire = Wire(b"x" * (length - 1), b"x")
    wire.scope |= {"method": method, "path": path}
    await BodyLimit(read_all, most=10, larger={"/files": 20})(wire.scope, wire.receive, wire.send)
    assert wire.status == status
    if status == 413:
        assert json.loads(wire.sent[0 + 1]["body"])["error"]["details"] == {
            "limit": 20 if path == "/files" and method == "POST" else 10
        }


async def test_a_client_that_takes_nothing_is_given_up():
    written = []

    async def stuck(message: Any) -> None:
        written.append(message)
        await asyncio.Event().wait()

    wire = Wire(b"")
    async with asyncio.timeout(5):
        await WriteTimeout(read_all, seconds=0.05)(wire.scope, wire.receive, stuck)
    assert len(written) == 1


async def test_an_unknown_socket_is_accepted_and_closed_with_a_reason():
    wire = Wire(b"")
    await no_such_socket(wire.scope, wire.receive, wire.send)
    assert [message["type"] for message in wire.sent] == ["websocket.accept", "websocket.close"]
    assert wire.sent[1]["code"] == 4400

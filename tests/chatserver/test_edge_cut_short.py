"""Requests that the server cancels because it ends: whoever has no answer yet is told to come again."""

import asyncio
import json
from typing import Any

import pytest

from chatserver.edge import CutShort

SCOPE: dict[str, Any] = {"type": "http", "path": "/api/v1/threads", "headers": []}


async def cancelled(application: Any) -> list[dict[str, Any]]:
    """What a client is sent when ``application`` is cancelled in its work."""
    sent: list[dict[str, Any]] = []
    at_work = asyncio.Event()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def working(scope: Any, receive: Any, send: Any) -> None:
        await application(send)
        at_work.set()
        await asyncio.Event().wait()

    request = asyncio.ensure_future(CutShort(working)(SCOPE, receive, send))
    await at_work.wait()
    request.cancel()
    await asyncio.wait({request})
    if sent and sent[0]["status"] == 200:
        assert request.cancelled(), "the server has to cut what it cannot complete"
    else:
        assert request.exception() is None
    return sent


async def test_who_has_no_answer_is_told_to_come_again() -> None:
    async def nothing(send: Any) -> None:
        pass

    start, body = await cancelled(nothing)
    assert start["status"] == 503
    assert dict(start["headers"])[b"retry-after"] == b"2"
    assert json.loads(body["body"])["error"]["code"] == "draining"


async def test_a_response_that_has_begun_is_not_begun_again() -> None:
    begun = {"type": "http.response.start", "status": 200, "headers": []}

    async def beginning(send: Any) -> None:
        await send(begun)

    assert await cancelled(beginning) == [begun]


async def test_faults_go_through() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        await CutShort(broken)(SCOPE, None, None)  # type: ignore[arg-type]

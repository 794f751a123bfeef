"""A database that is away is told as such on both transports, not as a fault of ours."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from chatserver.accounts.principal import Principal
from conversations.api.endpoints import endpoint
from streaming.transports.websocket import ChatSocket

FAULTS = [("database is locked", "storage_busy", True), ("database or disk is full", "storage_full", False)]
ADA = Principal(UUID(int=1), "ada", False, frozenset({"read", "chat", "manage"}), "session")


@pytest.mark.parametrize(("said", "code", "retryable"), FAULTS)
async def test_a_call_is_answered_with_503(said: str, code: str, retryable: bool) -> None:
    @endpoint("GET")
    async def view(request: HttpRequest, principal: Principal) -> HttpResponse:
        raise OperationalError(said)

    request: Any = RequestFactory().get("/api/v1/models")
    request.principal = ADA
    answer = await view(request)
    error = json.loads(answer.content)["error"]  # type: ignore[attr-defined]
    assert (answer.status_code, error["code"], error["retryable"]) == (503, code, retryable)
    assert said not in error["message"]


@pytest.mark.parametrize(("said", "code", "retryable"), FAULTS)
async def test_a_frame_is_answered_with_the_same_error(said: str, code: str, retryable: bool) -> None:
    class Faulty(ChatSocket):
        async def _act(self, frame: Any) -> None:
            raise OperationalError(said)

        async def send_text(self, text: str) -> None:
            sent.append(json.loads(text))

    sent: list[dict[str, Any]] = []
    socket = Faulty()
    socket.closed, socket.principal, socket._lasting = False, None, None
    socket.last_frame = asyncio.get_running_loop().time()
    socket.engine = SimpleNamespace(numbers=SimpleNamespace(max_frame=1000))  # type: ignore[assignment]
    await socket.websocket_receive({"type": "websocket.receive", "text": '{"event": "ping", "req": 7}'})
    (reply,) = sent
    assert (reply["event"], reply["req"]) == ("error", 7)
    assert (reply["data"]["code"], reply["data"]["retryable"]) == (code, retryable)

"""Errors as HTTP answers: one shape for everything that is ours."""

from typing import Any

import msgspec
from django.http import HttpResponse

from streaming.protocol.codec import dumps
from streaming.protocol.errors import ChatError, NotAuthenticated


def json_answer(value: Any, *, status: int = 200) -> HttpResponse:
    return HttpResponse(dumps(msgspec.to_builtins(value)), status=status, content_type="application/json")


def error_answer(error: ChatError) -> HttpResponse:
    answer = json_answer({"error": error.as_object()}, status=error.status)
    if error.retry_after is not None:
        answer["Retry-After"] = error.retry_after
    if isinstance(error, NotAuthenticated):
        answer["WWW-Authenticate"] = "Bearer"
    return answer

"""What every plain resource reads from a request."""

from typing import cast

from django.http import HttpRequest
from rest_framework.request import Request

from chatserver.accounts.principal import Principal
from streaming.protocol.errors import InvalidRequest

LONGEST_SEARCH = 200


def principal(request: Request) -> Principal:
    """Who asks. The view requires somebody, so there is one."""
    return cast(Principal, request.user)


def cursor(request: Request) -> str | None:
    return request.query_params.get("cursor") or None


def flag(request: Request | HttpRequest, name: str) -> bool:
    """``1`` or ``0``, and false where it is not there."""
    text = request.GET.get(name, "0")
    if text not in ("0", "1"):
        raise InvalidRequest(f"{name} is 1 or 0.", details={"field": name})
    return text == "1"


def search_words(request: Request) -> str:
    text = request.query_params.get("q", "")
    if "\x00" in text:
        raise InvalidRequest("q may not contain the character NUL.", details={"field": "q"})
    if len(text) > LONGEST_SEARCH:
        raise InvalidRequest(f"q is at most {LONGEST_SEARCH} characters.", details={"field": "q"})
    return text

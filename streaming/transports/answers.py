"""What the transports read from a request, in one place."""

from typing import Any

from django.http import HttpRequest

from conversations.api.endpoints import endpoint as endpoint
from streaming.protocol.commands import Nothing, parse
from streaming.protocol.errors import InvalidRequest, UnsupportedMediaType
from streaming.protocol.strict_json import parse_json


def json_body(request: HttpRequest) -> Any:
    """The body's JSON; an empty body is an empty object. Raises UnsupportedMediaType, InvalidJson."""
    raw = request.body
    if not raw:
        return {}
    if request.content_type != "application/json":
        raise UnsupportedMediaType()
    return parse_json(raw)


def no_body(request: HttpRequest) -> None:
    """Refuse whatever a body says to a call that takes none. Raises as ``json_body`` and ``parse`` do."""
    parse(json_body(request), Nothing)


def last_event(request: HttpRequest) -> int:
    """The last event the reader has applied. A browser that reconnects by itself says it in Last-Event-ID."""
    header = request.headers.get("Last-Event-ID")
    if header is None:
        return whole_number(request, "after", 0)
    if not (header.isascii() and header.isdigit() and len(header) <= 18):
        raise InvalidRequest("Last-Event-ID must be a whole number of at least 0.", details={"field": "Last-Event-ID"})
    return int(header)


def whole_number(request: HttpRequest, name: str, default: int) -> int:
    text = request.GET.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidRequest(f"{name} must be a whole number of at least 0.", details={"field": name})
    return int(text)

"""What describes the protocol to programs."""

from functools import cache

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from chatserver.accounts.principal import Principal
from conversations.api.answers import json_answer
from conversations.permissions import require
from streaming.transports.answers import endpoint
from streaming.transports.schema import Schema, protocol_schema


@endpoint("GET")
async def protocol(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """It has no secrets, but tells a stranger much: whoever may use the protocol may read it."""
    require(principal, "read")
    return json_answer(_schema())


@cache
def _schema() -> Schema:
    return protocol_schema()

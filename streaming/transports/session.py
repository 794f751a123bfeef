"""The socket's conversation, without a socket. Pure: frames in, what to do out.

Every frame gets exactly one reply with its ``req``: an ``ack``, an ``error`` or a ``pong``. (A ``flow.ack`` gets one
only where it is bad.) Replies carry a ``req`` and never an ``id``, so they can never be taken for events.
"""

import json
from dataclasses import dataclass
from typing import Any

import msgspec

from streaming.protocol.codec import dumps
from streaming.protocol.commands import (
    Auth,
    FlowAck,
    Ping,
    RunKey,
    SocketDecide,
    SocketSend,
    Subscribe,
    SubscriptionKey,
    parse,
)
from streaming.protocol.errors import BodyTooLarge, ChatError, InvalidJson, InvalidRequest, NotAuthenticated
from streaming.protocol.strict_json import parse_json

PROTOCOL = "chat.v1"

COMMANDS: dict[str, type[msgspec.Struct]] = {
    "auth": Auth,
    "message.send": SocketSend,
    "subscribe": Subscribe,
    "unsubscribe": SubscriptionKey,
    "run.cancel": RunKey,
    "tool.approve": SocketDecide,
    "ping": Ping,
    "flow.ack": FlowAck,
}
_BEFORE_AUTH = frozenset({"auth", "ping"})
_ENVELOPE = frozenset({"event", "req", "data"})
MAX_REQ = 100  # characters
LARGEST_REQ = 2**63


@dataclass(frozen=True, kw_only=True)
class Command:
    """A well-formed frame that may be acted on now. ``body`` is its data as it came, for idempotency."""

    event: str
    req: str | int | None
    data: Any
    body: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A frame that may not; the reply says why and the socket lives on."""

    req: str | int | None
    error: ChatError


class CloseCode:
    RESTART = 4012
    ROTATION = 4001
    TOO_SLOW = 4002
    NO_HEARTBEAT = 4004
    TOO_MANY = 4029
    BAD_PROTOCOL = 4400
    NOT_AUTHENTICATED = 4401
    FORBIDDEN = 4403
    NO_SUBPROTOCOL = 4406


def read_frame(text: str | None, *, authenticated: bool, most: int = 64 * 1024) -> Command | Refusal:
    """Read one frame of at most ``most`` bytes. ``text`` None is a binary frame, which this protocol does not have."""
    req: str | int | None = None
    try:
        # A server with a frame limit of its own closes with 1009 before we see it; Daphne's is
        # wider where nobody has set it.
        if text is not None and len(text.encode()) > most:
            raise BodyTooLarge("The frame is larger than this server accepts. Use POST.", details={"limit": most})
        try:
            envelope = parse_json(text) if text is not None else None
        except InvalidJson:
            req = _req_of_the_unreadable(text)
            raise
        if not isinstance(envelope, dict):
            raise InvalidRequest("A frame is one JSON object with event, req and data, as text.")
        req = _req(envelope.get("req"))
        return _command(envelope, req, authenticated=authenticated)
    except ChatError as error:
        return Refusal(req=req, error=error)


def _command(envelope: dict[str, Any], req: str | int | None, *, authenticated: bool) -> Command:
    event = envelope.get("event")
    if not isinstance(event, str):
        raise InvalidRequest("event is the name of a frame.", details={"field": "event"})
    if unknown := sorted(str(name)[:100] for name in envelope.keys() - _ENVELOPE):
        raise InvalidRequest("A frame has event, req and data only.", details={"fields": unknown[:20]})
    kind = COMMANDS.get(event)
    if kind is None:
        raise InvalidRequest("There is no such frame.", details={"event": event[:100], "known": sorted(COMMANDS)})
    if not authenticated and event not in _BEFORE_AUTH:
        raise NotAuthenticated("Send an auth frame first.")
    body = envelope.get("data")
    if body is None:
        body = {}
    return Command(event=event, req=req, data=parse(body, kind), body=body)


def may_last(frame: Command) -> bool:
    """Whether it waits for something that may take seconds: meanwhile other frames of the socket must be answered."""
    return isinstance(frame.data, SocketSend) and frame.data.if_busy == "interrupt"


def ack(req: str | int | None, data: dict[str, Any]) -> str:
    return dumps({"event": "ack", "req": req, "data": data})


def refuse(req: str | int | None, error: ChatError) -> str:
    return dumps({"event": "error", "req": req, "data": msgspec.to_builtins(error.as_object())})


def pong(req: str | int | None, *, t: Any, server_time: str, heads: dict[str, int]) -> str:
    return dumps({"event": "pong", "req": req, "data": {"t": t, "server_time": server_time, "heads": heads}})


def ready(*, session_id: str, user_id: str, heartbeat: float, max_frame: int, max_subscriptions: int) -> str:
    return dumps(
        {
            "event": "session.ready",
            "data": {
                "protocol": PROTOCOL,
                "session_id": session_id,
                "user_id": user_id,
                "heartbeat_s": heartbeat,
                "max_frame": max_frame,
                "max_subscriptions": max_subscriptions,
            },
        }
    )


def _req(value: Any) -> str | int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST_REQ):
        return value
    if isinstance(value, str) and len(value) <= MAX_REQ:
        return value
    raise InvalidRequest(f"req is a whole number or a text of at most {MAX_REQ} characters.", details={"field": "req"})


def _req_of_the_unreadable(text: str | None) -> str | int | None:
    """The ``req`` of a frame that is refused for something else in it, NaN or too many levels; None if it has none."""
    try:
        envelope = json.loads(text or "")
        return _req(envelope.get("req")) if isinstance(envelope, dict) else None
    except (ValueError, RecursionError, InvalidRequest):
        return None

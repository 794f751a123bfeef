"""ASGI wrappers in front of everything: what a request may cost before Django has seen it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import msgspec
import structlog

from streaming.patience import Patience
from streaming.protocol.codec import dumps
from streaming.protocol.errors import AddressTooLong, BodyTooLarge, ChatError, Draining, HeadersTooLarge, Unavailable

log = structlog.get_logger(__name__)
Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Any, Any], Awaitable[None]]


class BodyLimit:
    """Answers 413 as soon as a body is longer than ``most`` bytes, whatever its Content-Length said. What is posted to
    the addresses in ``larger`` may be as long as stands there.

    A connection that is closed over unread bytes is reset, and its client never sees the answer. So what comes after
    the answer is read and thrown away, for ``patience`` seconds and four times ``most`` bytes; who announces more than
    that is not heard out.
    """

    def __init__(
        self, application: Application, *, most: int, larger: Mapping[str, int] | None = None, patience: float = 2.0
    ) -> None:
        self._application = application
        self._most = most
        self._larger = larger or {}
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        declared, most = _declared_length(scope), self._most
        if self._larger and scope.get("method") == "POST":
            most = self._larger.get(scope["path"], most)
        if declared > most:
            await self._refuse(receive, send, most, hear_out=declared <= 5 * most)
            return
        received = 0
        refused = started = False

        async def counted_receive() -> Message:
            nonlocal received, refused
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > most:
                    refused = True
                    if not started:
                        await self._refuse(receive, send, most)
                    return {"type": "http.disconnect"}
            return message

        def watched_send(message: Message) -> Awaitable[None]:  # no coroutine of its own: each token passes here
            nonlocal started
            started = True
            return _nothing() if refused else send(message)

        await self._application(scope, counted_receive, watched_send)

    async def _refuse(self, receive: Receive, send: Send, most: int, *, hear_out: bool = True) -> None:
        await _answer(send, BodyTooLarge(details={"limit": most}), more_body=hear_out)
        if hear_out:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    await self._throw_away(receive, 4 * most)
            await send({"type": "http.response.body"})

    async def _throw_away(self, receive: Receive, left: int) -> None:
        while left > 0:
            message = await receive()
            if message["type"] != "http.request" or not message.get("more_body", False):
                return
            left -= len(message.get("body", b""))


class HeadLimit:
    """Refuses an address or headers beyond what any client of ours sends, before anything is made of them.

    The servers' own limits lie higher, or are none (docs/security.md). On a socket the handshake is refused.
    """

    def __init__(
        self, application: Application, *, most_headers: int = 100, most_bytes: int = 32_768, longest: int = 8_192
    ) -> None:
        self._application = application
        self._most_headers = most_headers
        self._most_bytes = most_bytes
        self._longest = longest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope)
        if refusal is None:
            await self._application(scope, receive, send)
        elif scope["type"] == "http":
            await _answer(send, refusal)
        else:
            await send({"type": "websocket.close"})

    def _refusal(self, scope: Scope) -> ChatError | None:
        if scope["type"] == "lifespan":
            return None
        if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > self._longest:
            return AddressTooLong(details={"limit": self._longest})
        headers = scope["headers"]
        if len(headers) > self._most_headers:
            return HeadersTooLarge(details={"headers": self._most_headers})
        if sum(len(name) + len(value) for name, value in headers) > self._most_bytes:
            return HeadersTooLarge(details={"bytes": self._most_bytes})
        return None


class WriteTimeout:
    """Gives a client up that has not taken what was written to it for ``seconds``. (On servers with back-pressure;
    Daphne takes everything at once, and its streams are bounded by rotation.)
    """

    def __init__(self, application: Application, *, seconds: float) -> None:
        self._application = application
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        patience = Patience(self._seconds)

        async def timed_send(message: Message) -> None:
            try:
                with patience:
                    await send(message)
            except TimeoutError:
                raise _TakesNothing() from None

        try:
            await self._application(scope, receive, timed_send)
        except _TakesNothing:  # the server cuts a response that was not completed
            log.info("a client took nothing and was given up", path=scope.get("path"))
        finally:
            patience.close()


class CutShort:
    """Answers 503 to whoever has no answer yet when the server cancels what is under way.

    When a server ends and its patience is over, as with a request that waits for a database that is away, it cancels
    the request and would itself answer 500 in plain text. What the request has done by then is done or undone as a
    whole, and the idempotency key tells which.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        def noted_send(message: Message) -> Awaitable[None]:  # no coroutine of its own: each token passes here
            nonlocal started
            started = True
            return send(message)

        try:
            await self._application(scope, receive, noted_send)
        except asyncio.CancelledError:
            if started:
                raise
            await _answer(send, Draining(retry_after_ms=2000))


class _TakesNothing(Exception):
    """Raised through whatever was writing, so that it ends."""


PERMISSIONS = "camera=(), geolocation=(), microphone=()"
# What the middleware gives every other answer; these never came so far.
_SAFE_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", PERMISSIONS.encode()),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


async def _answer(send: Send, error: ChatError, *, more_body: bool = False) -> None:
    """Answer before Django could, and close the connection."""
    body = dumps({"error": msgspec.to_builtins(error.as_object())}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *_SAFE_HEADERS,
    ]
    if error.retry_after is not None:
        headers.append((b"retry-after", error.retry_after.encode()))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": more_body})


async def unavailable(scope: Scope, send: Send) -> None:
    """What everybody is told by a process that could not start its engine; its log has the reason."""
    if scope["type"] == "http":
        await _answer(send, Unavailable(retry_after_ms=2000))
    else:
        await send({"type": "websocket.close"})


async def _nothing() -> None:
    pass


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and len(value) < 19:
            return int(value)
    return 0


async def no_such_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Accept and say so: of a refused handshake a browser sees nothing but that it failed."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": 4400, "reason": "There is no WebSocket here; it is at /ws/v1."})

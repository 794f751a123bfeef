"""One HTTP request to a model server, and what is read of its answer: the same for every kind of server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx

from streaming.protocol.errors import UpstreamError, UpstreamProtocol, UpstreamTimeout
from streaming.providers.http_answer import HttpAnswer
from streaming.providers.http_client import HTTP_FAULTS, HttpClient, header, upstream_fault
from streaming.providers.reader import BodyReader

_MAX_ERROR_BODY = 64 * 1024
_ERROR_BODY_DEADLINE = 5.0


@asynccontextmanager
async def answered(
    client: HttpClient, method: str, path: str, *, body: bytes | None = None, deadline: float
) -> AsyncIterator[httpx.Response]:
    """The answer, whatever its status, its body unread; closed, it is closed on the wire.

    Raises an UpstreamError where its headers have not come by ``deadline`` (the loop's clock).
    """
    try:
        async with asyncio.timeout_at(deadline):
            response = await client.send(method, path, body)
    except TimeoutError:
        raise UpstreamTimeout() from None
    except HTTP_FAULTS as fault:
        raise upstream_fault(fault, answered=False) from fault
    try:
        yield response
    finally:
        with suppress(*HTTP_FAULTS):  # a connection that is broken already
            await response.aclose()


async def read_refusal(response: httpx.Response) -> HttpAnswer:
    """An answer other than 200, read no further than it can matter."""
    deadline = asyncio.get_running_loop().time() + _ERROR_BODY_DEADLINE
    reader = BodyReader(response, deadline=deadline, idle=_ERROR_BODY_DEADLINE)
    body = bytearray()
    with suppress(UpstreamError):  # the status says enough
        while len(body) < _MAX_ERROR_BODY and (data := await reader.read()):
            body += data
    return HttpAnswer(
        status=response.status_code,
        content_type=header(response, "content-type"),
        body=bytes(body[:_MAX_ERROR_BODY]),
        retry_after=header(response, "retry-after"),
        retry_after_ms=header(response, "retry-after-ms"),
    )


async def read_whole(reader: BodyReader, *, limit: int) -> bytes:
    """All of a body. Raises UpstreamProtocol as soon as it has more bytes than ``limit``."""
    body = bytearray()
    while data := await reader.read():
        body += data
        if len(body) > limit:
            raise UpstreamProtocol(details={"reason": "body_too_long", "max_line": limit})
    return bytes(body)


def check_encoding(response: httpx.Response) -> None:
    """Raises UpstreamProtocol for a body that is compressed, which was not asked for."""
    if header(response, "content-encoding").lower() not in ("", "identity"):
        raise UpstreamProtocol(details={"reason": "encoded"})

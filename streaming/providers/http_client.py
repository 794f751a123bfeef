"""The HTTP client towards model servers, and what its failures mean.

httpx over aiohttp's transport: half the CPU of httpx's own, and requests that are cancelled leave no connection behind.
"""

import ssl

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from httpx_aiohttp.transport import AiohttpResponseStream

from streaming.protocol.errors import (
    UpstreamDropped,
    UpstreamError,
    UpstreamProtocol,
    UpstreamTls,
    UpstreamUnreachable,
)

# What these libraries raise when something goes wrong on the way; aiohttp's own come through where httpx has no name.
HTTP_FAULTS = (httpx.HTTPError, aiohttp.ClientError, OSError)

_NO_NAME = "The name of the model server leads nowhere. An administrator has to check its address."
_CLOSED = "The model server closed the connection without an answer."
_NO_HTTP = "What answers at the model server's address does not speak HTTP. An administrator has to check the address."


def http_client(base_url: str, *, connect: float) -> tuple[httpx.AsyncClient, str]:
    """A client for one model server, and its address as it may be shown.

    Credentials in ``base_url`` become a header: left in place they would be in every log and error of the libraries.
    Only connecting has a time-out here (``connect`` seconds, names included); reading is timed by whoever reads.
    """
    url = httpx.URL(base_url)
    credentials = (url.username, url.password) if url.userinfo else None
    url = url.copy_with(userinfo=b"")
    client = httpx.AsyncClient(
        transport=_Transport(client=_session, trust_env=False),
        base_url=url,
        auth=credentials,
        timeout=httpx.Timeout(connect=connect, pool=connect, read=None, write=None),
        trust_env=False,
        follow_redirects=False,
        headers={"Accept-Encoding": "identity", "User-Agent": "chatserver"},
    )
    return client, str(url).rstrip("/")


class _Transport(AiohttpTransport):
    """Hands out the body as aiohttp reads it: what has come by now can be taken at once, without five iterators."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        stream = response.stream
        assert isinstance(stream, AiohttpResponseStream)
        response.extensions["body"] = stream._aiohttp_response.content
        return response


def body_of(response: httpx.Response) -> aiohttp.StreamReader:
    """The bytes of an answer that is being streamed, as they stood on the wire. Raises what is in HTTP_FAULTS."""
    body: aiohttp.StreamReader = response.extensions["body"]
    return body


def _session() -> aiohttp.ClientSession:
    # No limit: a full pool would let the next question wait without a word. A connection belongs to one request: to
    # close it is how a model is told to stop, and one kept open that the server has just closed would fail a question.
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)


def upstream_fault(fault: Exception, *, answered: bool) -> UpstreamError:
    """The error that a fault of the libraries stands for. ``answered``: the headers of the answer had come.

    Their own words are left out: they carry addresses and certificates.
    """
    cause = fault.__cause__ if isinstance(fault, httpx.HTTPError) and fault.__cause__ is not None else fault
    match cause:
        case aiohttp.ClientConnectorDNSError():
            return UpstreamUnreachable(_NO_NAME, details={"reason": "dns"})
        case aiohttp.ClientSSLError() | ssl.SSLError() | ssl.CertificateError():
            return UpstreamTls()
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return UpstreamUnreachable()
        case aiohttp.ClientResponseError() | aiohttp.InvalidURL() | httpx.UnsupportedProtocol():
            return UpstreamProtocol(_NO_HTTP)
    return UpstreamDropped() if answered else UpstreamDropped(_CLOSED)


def header(response: httpx.Response, name: str) -> str:
    """The value of a header, the empty text where it is missing."""
    return str(response.headers.get(name, "")).strip()

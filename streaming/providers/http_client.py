"""The HTTP client towards model servers, and what its failures mean.

httpx over aiohttp's transport: half the CPU of httpx's own, and requests that are cancelled leave no connection behind.
"""

import asyncio
import ssl
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import httpx
from aiohappyeyeballs import AddrInfoType
from aiohttp.client_proto import ResponseHandler
from httpx_aiohttp import AiohttpTransport
from httpx_aiohttp.transport import AiohttpResponseStream, map_aiohttp_exceptions
from yarl import URL

from streaming.protocol.errors import (
    UpstreamDropped,
    UpstreamError,
    UpstreamProtocol,
    UpstreamTls,
    UpstreamUnreachable,
)

# What these libraries raise when something goes wrong on the way; aiohttp's own come through where httpx has no name,
# and Python's where a host can be no name at all.
HTTP_FAULTS = (httpx.HTTPError, aiohttp.ClientError, OSError, UnicodeError)

_NO_NAME = "The name of the model server leads nowhere. An administrator has to check its address."
_CLOSED = "The model server closed the connection without an answer."
_NO_HTTP = "What answers at the model server's address does not speak HTTP. An administrator has to check the address."


def http_client(base_url: str, *, connect: float, key: str = "") -> tuple["HttpClient", str]:
    """A client for one model server, and its address as it may be shown. ``key`` goes to that address and no other.

    Credentials in ``base_url`` become a header: left in place they would be in every log and error of the libraries.
    Only connecting has a time-out here (``connect`` seconds, names included); reading is timed by whoever reads.
    """
    url = httpx.URL(base_url)
    auth = _Bearer(key) if key else httpx.BasicAuth(url.username, url.password) if url.userinfo else httpx.Auth()
    url = url.copy_with(userinfo=b"")
    return HttpClient(url, auth=auth, connect=connect), str(url).rstrip("/")


class _Bearer(httpx.Auth):
    def __init__(self, key: str) -> None:
        self._header = f"Bearer {key}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._header
        yield request


class HttpClient:
    """Asks one model server. Its requests are alike but for their bodies, so all else of them is made once.

    No redirect is followed, and no cookie is kept.
    """

    def __init__(self, url: httpx.URL, *, auth: httpx.Auth, connect: float) -> None:
        self._transport = _Transport(connect=connect)
        self._client = httpx.AsyncClient(
            transport=self._transport,
            base_url=url,
            trust_env=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "chatserver"},
        )
        self._auth = auth
        self._alike: dict[tuple[str, str, bool], _Alike] = {}

    async def send(self, method: str, path: str, body: bytes | None) -> httpx.Response:
        """The answer as soon as its headers are there; to be closed by whoever gets it. A body is JSON.

        Raises what is in HTTP_FAULTS.
        """
        kind = method, path, body is not None
        alike = self._alike.get(kind)
        if alike is None:
            alike = self._alike[kind] = self._made(method, path, body)
        return await self._transport.send(alike, body)

    async def aclose(self) -> None:
        await self._client.aclose()

    def _made(self, method: str, path: str, body: bytes | None) -> "_Alike":
        headers = None if body is None else {"Content-Type": "application/json"}
        request = self._client.build_request(method, path, content=body, headers=headers)
        request = next(self._auth.auth_flow(request))
        return _Alike(request, URL(str(request.url)), dict(request.headers))


@dataclass(frozen=True)
class _Alike:
    """What the requests for one path have in common. The length among the headers is that of the first one."""

    request: httpx.Request
    url: URL
    headers: dict[str, str] = field(repr=False)  # the key is among them


# The session's connector looks at certificates, by the system's list. httpx would read a list of its own, which nobody
# asks and takes 25 ms; this one trusts nobody.
_NOT_ASKED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _Transport(AiohttpTransport):
    """Sends at once what is made already, and hands out the body as aiohttp reads it: what has come by now can be taken
    without five iterators.
    """

    def __init__(self, *, connect: float) -> None:
        super().__init__(client=_session, trust_env=False, verify=_NOT_ASKED)
        # From the look at the name until the connection stands; each single step needs no clock of its own.
        self._timeout = aiohttp.ClientTimeout(connect=connect)

    async def send(self, alike: _Alike, body: bytes | None) -> httpx.Response:
        if not isinstance(self.client, aiohttp.ClientSession):
            self.client = self.get_client()
        headers = alike.headers if body is None else {**alike.headers, "content-length": str(len(body))}
        with map_aiohttp_exceptions():
            answer = await self.client.request(
                alike.request.method,
                alike.url,
                headers=headers,
                data=body,
                allow_redirects=False,
                auto_decompress=False,
                timeout=self._timeout,
            )
        return httpx.Response(
            answer.status,
            headers=answer.raw_headers,
            stream=AiohttpResponseStream(answer),
            request=alike.request,
            extensions={"body": answer.content},
        )


class _Connector(aiohttp.TCPConnector):
    """Connects to the only address of a server in one step of the loop's own.

    aiohttp makes a socket, connects it and hands it to the loop, so that several addresses can be tried side by side:
    with uvloop that is two and a half times the work.
    """

    async def _wrap_create_connection(
        self,
        *args: Any,
        addr_infos: list[AddrInfoType],
        req: aiohttp.ClientRequest,
        timeout: aiohttp.ClientTimeout,
        client_error: type[Exception] = aiohttp.ClientConnectorError,
        **kwargs: Any,
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        host, port, *scope = addr_infos[0][4]
        if len(addr_infos) > 1 or any(scope) or req.is_ssl():
            return await super()._wrap_create_connection(
                *args, addr_infos=addr_infos, req=req, timeout=timeout, client_error=client_error, **kwargs
            )
        (make_protocol,) = args
        try:
            return await self._loop.create_connection(make_protocol, host, port)
        except OSError as fault:
            raise client_error(req.connection_key, fault) from fault


def body_of(response: httpx.Response) -> aiohttp.StreamReader:
    """The bytes of an answer that is being streamed, as they stood on the wire. Raises what is in HTTP_FAULTS."""
    body: aiohttp.StreamReader = response.extensions["body"]
    return body


def _session() -> aiohttp.ClientSession:
    # No limit: a full pool would let the next question wait without a word. A connection belongs to one request: to
    # close it is how a model is told to stop, and one kept open that the server has just closed would fail a question.
    connector = _Connector(limit=0, force_close=True)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)


def upstream_fault(fault: Exception, *, answered: bool) -> UpstreamError:
    """The error that a fault of the libraries stands for. ``answered``: the headers of the answer had come.

    Their own words are left out: they carry addresses and certificates.
    """
    cause = fault.__cause__ if isinstance(fault, httpx.HTTPError) and fault.__cause__ is not None else fault
    match cause:
        case aiohttp.ClientConnectorDNSError() | UnicodeError():
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

"""The yardstick: a bare ASGI relay, as lean as it can be written on the same parts, that keeps and checks nothing.

httpx over aiohttp's transport, all lines of a read at once, no accounts, no log, no numbers. Served by uvicorn.
"""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import aiohttp
import httpx
import msgspec
from httpx_aiohttp import AiohttpTransport

Message = MutableMapping[str, Any]
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_clients: list[httpx.AsyncClient] = []


def _client() -> httpx.AsyncClient:
    if not _clients:
        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        transport = AiohttpTransport(client=session)
        _clients.append(httpx.AsyncClient(transport=transport, base_url=os.environ["UPSTREAM"], timeout=None))
    return _clients[0]


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["method"] == "POST":
        async with _client().stream("POST", "/api/chat", content=body) as response:
            rest = b""
            async for data in response.aiter_raw():
                *lines, rest = (rest + data).split(b"\n")
                if lines:
                    text = "".join(_decode(line)["message"]["content"] for line in lines)
                    told = b'data: {"t":%s}\n\n' % _encode(text)
                    await send({"type": "http.response.body", "more_body": True, "body": told})
    await send({"type": "http.response.body", "body": b""})

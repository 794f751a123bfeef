"""The client towards a model server, against a server that keeps what it was sent."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import httpx
import pytest

from streaming.protocol.errors import UpstreamUnreachable
from streaming.providers.http_client import HTTP_FAULTS, HttpClient, http_client, upstream_fault

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\n\r\n{}"


class Server:
    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
        self.sent.append(head + await reader.readexactly(length))
        writer.write(ANSWER)
        await reader.read()  # until the other side closes
        writer.close()


@asynccontextmanager
async def asked(address: str = "127.0.0.1", path: str = "") -> AsyncIterator[tuple[Server, HttpClient, int]]:
    server = Server()
    listening = await asyncio.start_server(server.serve, address, 0)
    port = listening.sockets[0].getsockname()[1]
    client, _ = http_client(f"http://{f'[{address}]' if ':' in address else address}:{port}{path}", connect=2.0)
    async with listening:
        try:
            yield server, client, port
        finally:
            await client.aclose()


async def send(client: HttpClient, method: str, path: str, body: str | None = None) -> bytes:
    async with asyncio.timeout(5):
        response = await client.send(method, path, None if body is None else body.encode())
        try:
            return await response.extensions["body"].read()
        finally:
            await response.aclose()


def post(port: int, length: int, body: str) -> bytes:
    return (
        f"POST /api/chat HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\naccept: */*\r\nconnection: keep-alive\r\n"
        "accept-encoding: identity\r\nuser-agent: chatserver\r\ncontent-type: application/json\r\n"
        f"content-length: {length}\r\n\r\n{body}"
    ).encode()


async def test_each_request_has_its_own_length_and_nothing_of_the_one_before() -> None:
    async with asked() as (server, client, port):
        for body in ('{"a":"first"}', "{}", '{"ü":1}'):
            assert await send(client, "POST", "/api/chat", body) == b"{}"
    assert server.sent == [post(port, 13, '{"a":"first"}'), post(port, 2, "{}"), post(port, 8, '{"ü":1}')]


async def test_a_request_without_a_body_has_no_length() -> None:
    async with asked() as (server, client, _):
        await send(client, "POST", "/api/show", "{}")
        await send(client, "GET", "/api/show")
    assert server.sent[1].startswith(b"GET /api/show HTTP/1.1\r\n")
    assert b"content-" not in server.sent[1]


async def test_paths_stand_below_that_of_the_address() -> None:
    async with asked(path="/below/") as (server, client, _):
        await send(client, "GET", "/api/tags")
    assert server.sent[0].startswith(b"GET /below/api/tags HTTP/1.1\r\n")


async def test_each_request_has_a_connection_of_its_own() -> None:
    async with asked() as (server, client, _):
        for _ in range(3):
            await send(client, "GET", "/api/tags")
    assert server.connections == 3


async def test_an_address_of_the_newer_protocol_is_reached_too() -> None:
    async with asked("::1") as (server, client, port):
        await send(client, "GET", "/api/tags")
    assert f"host: [::1]:{port}\r\n".encode() in server.sent[0]


async def test_a_name_with_several_addresses_is_reached_by_the_one_that_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = [
        {"hostname": "twice", "host": host, "port": 0, "family": family, "proto": 6, "flags": 0}
        for host, family in (("127.0.0.2", 2), ("127.0.0.1", 2))
    ]

    async def resolve(self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        return [{**each, "port": port} for each in both]

    monkeypatch.setattr(aiohttp.DefaultResolver, "resolve", resolve)
    async with asked() as (server, _, port):
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.2", port))
            deaf.listen(0)
            filling = [socket.socket() for _ in range(4)]
            for one in filling:
                one.setblocking(False)
                one.connect_ex(deaf.getsockname())
            client, _ = http_client(f"http://twice.test:{port}", connect=2.0)
            await send(client, "GET", "/api/tags")
            await client.aclose()
            for one in filling:
                one.close()
    assert len(server.sent) == 1


async def test_a_request_given_up_while_it_connects_leaves_nothing_behind() -> None:
    async with asked() as (_, client, _):
        asking = [asyncio.ensure_future(client.send("GET", "/api/tags", None)) for _ in range(20)]
        await asyncio.sleep(0)
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        connector = client._transport.get_client().connector
        assert isinstance(connector, aiohttp.TCPConnector)
        assert not connector._acquired


async def test_a_refused_connection_is_a_fault_of_connecting() -> None:
    async with asked() as (_, _, port):
        pass
    client, _ = http_client(f"http://127.0.0.1:{port}", connect=2.0)
    with pytest.raises(httpx.TransportError) as caught:
        await client.send("GET", "/api/tags", None)
    assert isinstance(caught.value.__cause__, aiohttp.ClientConnectorError)
    await client.aclose()


@pytest.mark.parametrize("host", ["models..example", ".models", "m" * 64 + ".example"])
async def test_a_host_that_can_be_no_name_leads_nowhere(host: str) -> None:
    client, _ = http_client(f"http://{host}/v1", connect=1.0)
    with pytest.raises(HTTP_FAULTS) as raised:
        await client.send("GET", "/models", None)
    await client.aclose()
    assert isinstance(upstream_fault(raised.value, answered=False), UpstreamUnreachable)


async def test_the_key_is_in_no_repr() -> None:
    async with asked() as (_, _, port):
        client, _ = http_client(f"http://127.0.0.1:{port}", connect=1.0, key="sk-canary")
        await send(client, "GET", "/models")
        await client.aclose()
    assert client._alike
    assert "canary" not in repr(client._alike)

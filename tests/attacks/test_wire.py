"""Attacks on the wire itself, against real servers: sizes, lengths that lie, doubled and disguised headers."""

import asyncio
import json
import socket
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support.client import Client
from tests.support.people import People, Person
from tests.support.processes import MakeServer
from tests.support.server import ChatServer

pytestmark = pytest.mark.process
LIMIT = 4 * 1024 * 1024


@pytest.fixture(params=["uvicorn", "daphne"])
def server(request: pytest.FixtureRequest) -> ChatServer:
    found: ChatServer = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest.fixture
def person(people: People) -> Person:
    return people["ada"]


def exchange(server: ChatServer, *pieces: bytes, within: float = 15.0) -> tuple[int, dict[str, str], bytes]:
    """Send the pieces as they are; the status, the headers and what has come of the body when the server stops."""
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=within) as wire:
        try:
            for piece in pieces:
                wire.sendall(piece)
        except OSError:
            pass  # it had heard enough; what it said is read below
        try:
            while b"\r\n\r\n" not in answer or not _whole(answer):
                got = wire.recv(65_536)
                if not got:
                    break
                answer += got
        except OSError:
            pass
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return int(lines[0].split()[1]) if lines[0] else 0, headers, body


def _whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.split(b":")[1])
    return body.endswith(b"0\r\n\r\n")


def request(method: str, address: str, *headers: str, body: bytes = b"", length: int | None = None) -> bytes:
    told = [f"{method} {address} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers]
    if body or length is not None:
        told.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(told).encode("latin-1") + b"\r\n\r\n" + body


def ours(server: ChatServer) -> str:
    """The log without the lines that Daphne writes about requests by itself."""
    return "\n".join(line for line in server.log.splitlines() if line.startswith("{"))


def bearer(person: Person) -> str:
    return f"Authorization: Bearer {person.token}"


JSON = "Content-Type: application/json"


def test_a_body_beyond_the_limit_is_refused_however_it_is_announced(server: ChatServer, person: Person) -> None:
    """A71: with its length, without one, with one that lies, in chunks, to any address and by anybody."""
    big, chunk = b"x" * (LIMIT + 1), b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    said = request("POST", "/api/v1/threads", JSON, bearer(person), body=big)
    announced = request("POST", "/api/v1/threads", JSON, length=10**12)
    chunked = request("POST", "/nowhere", JSON, "Transfer-Encoding: chunked")
    # Daphne reads a body whole before anybody sees the request, so there it is for the proxy to stop what is announced.
    for pieces in (
        [said],
        *([[announced]] if server.kind == "uvicorn" else []),
        [chunked, *[chunk] * 65, b"0\r\n\r\n"],
    ):
        status, headers, body = exchange(server, *pieces)
        assert status == 413
        assert json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])["error"]["code"] == "body_too_large"
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
    status, _, _ = exchange(server, request("POST", "/api/v1/threads", JSON, bearer(person), body=b'{"title": "x"}'))
    assert status == 201


def test_a_length_that_lies_opens_nothing(server: ChatServer, person: Person) -> None:
    """A71: what is no length is refused by the server; what is too short leaves a body that is no JSON."""
    for length in ("-1", "abc", "1e3", "+5"):
        lying = request("POST", "/api/v1/threads", JSON, bearer(person), f"Content-Length: {length}") + b"{}"
        assert exchange(server, lying)[0] in (0, 400), length
    assert (
        exchange(server, request("POST", "/api/v1/threads", JSON, bearer(person), body=b'{"title": 1}', length=4))[0]
        == 400
    )


def test_many_or_large_headers_and_long_addresses_are_refused(server: ChatServer, person: Person) -> None:
    """A74: by us where the server lets them through, else by the server."""
    many = [f"X-{number}: x" for number in range(200)]
    large = [f"X-{number}: {'x' * 4000}" for number in range(9)]
    same = ["Accept-Language: en"] * 150
    for headers in (many, large, same):
        status, told, _ = exchange(server, request("GET", "/api/v1/me", bearer(person), *headers))
        assert status in (400, 431), headers[0]
        assert status == 400 or told["x-content-type-options"] == "nosniff"
    for address in ("/" + "a" * 9000, "/api/v1/threads?q=" + "a" * 9000, "/api/v1/threads?" + "&".join(["a=1"] * 3000)):
        assert exchange(server, request("GET", address, bearer(person)))[0] in (400, 414)
    huge = request("GET", "/livez", *[f"X-{number}: {'x' * 8000}" for number in range(200)])
    assert exchange(server, huge)[0] in (0, 400, 431)
    assert exchange(server, request("GET", "/api/v1/me", bearer(person), *many[:50]))[0] == 200


def test_a_wrong_host_raises_no_alarm(make_server: MakeServer) -> None:
    """A line of level error is what an alarm is for; nobody outside may write one."""
    server = make_server().start()
    for address in ("/", "/api/v1/me", "/static/none.js"):
        raw = request("GET", address).replace(b"Host: 127.0.0.1", b"Host: evil.example")
        assert exchange(server, raw)[0] in (400, 404)
    lines = [json.loads(line) for line in ours(server).splitlines()]
    refused = [line for line in lines if line.get("logger") == "django.security.DisallowedHost"]
    assert refused
    assert {line["level"] for line in refused} == {"warning"}
    assert not [line for line in lines if "exception" in line or line.get("level") in ("error", "critical")]


def test_a_disguised_header_is_not_the_one_it_looks_like(server: ChatServer, person: Person) -> None:
    """A35: underscores for hyphens, and the same header twice."""
    cookies = f"Cookie: session={person.session}; csrf={'a' * 32}"
    origin = f"Origin: {server.origin}"
    host = f"127.0.0.1:{server.port}"

    def post(*headers: str) -> int:
        raw = request("POST", "/api/v1/threads", JSON, cookies, origin, *headers, body=b"{}")
        return exchange(server, raw.replace(b"Host: 127.0.0.1", f"Host: {host}".encode()))[0]

    assert post(f"X-CSRFToken: {'a' * 32}") == 201
    assert post(f"X_CSRFToken: {'a' * 32}") == 403
    assert post(f"X-CSRFToken: {'a' * 32}", "Origin: https://evil.example") in (400, 403)
    assert post(f"X-CSRFToken: {'b' * 32}", f"X-CSRFToken: {'a' * 32}") in (400, 403)
    reading, full = f"Authorization: Bearer {person.reading_token}", bearer(person)
    for pair in ((reading, full), (full, reading)):
        assert exchange(server, request("POST", "/api/v1/threads", JSON, *pair, body=b"{}"))[0] in (400, 401, 403)
    assert exchange(server, request("GET", "/api/v1/me", f"Authorization_: Bearer {person.token}"))[0] in (400, 401)


def test_a_control_character_in_a_header_does_no_harm(server: ChatServer, person: Person) -> None:
    """A35, A50"""
    for value in ("x\x00y", "x\x0by", "x\ry", "x\x7fy"):
        raw = request("GET", "/api/v1/me", bearer(person), f"Idempotency-Key: {value}")
        status, headers, _ = exchange(server, raw)
        assert status in (0, 200, 400)
        assert value not in str(headers)
    assert exchange(server, request("GET", "/api/v1/me", bearer(person)))[0] == 200


def test_a_token_or_session_in_an_address_opens_nothing(server: ChatServer, person: Person) -> None:
    """A24, A26: only the header, the cookie and the auth frame count; and the log has neither."""
    for name, value in (("token", person.token), ("access_token", person.token), ("session", person.session)):
        assert exchange(server, request("GET", f"/api/v1/me?{name}={value}"))[0] == 401
        assert exchange(server, request("GET", f"/api/v1/me;{name}={value}"))[0] == 404
    assert person.token not in ours(server)
    assert "[redacted]" in ours(server)
    assert person.session not in ours(server)


async def test_nobody_gets_in_by_a_token_in_the_sockets_address(server: ChatServer, person: Person) -> None:
    """A26"""
    address = f"ws://127.0.0.1:{server.port}/ws/v1?token={person.token}"
    async with connect(address, subprotocols=["chat.v1"], proxy=None) as ws:  # type: ignore[list-item]
        await ws.send(json.dumps({"event": "subscribe", "req": 1, "data": {"feed": True}}))
        assert json.loads(await ws.recv())["data"]["code"] == "not_authenticated"
    assert person.token not in ours(server)


async def test_a_message_in_many_fragments_is_bounded_as_a_whole(server: ChatServer, person: Person) -> None:
    """A75: a frame's limit is the message's."""
    async with connect(
        f"ws://127.0.0.1:{server.port}/ws/v1",
        subprotocols=["chat.v1"],  # type: ignore[list-item]
        additional_headers={"Authorization": f"Bearer {person.token}"},
        proxy=None,
        compression=None,
    ) as ws:
        assert json.loads(await ws.recv())["event"] == "session.ready"
        await ws.send(['{"event":"ping","req":1,', '"data":{"t":', "1}}"])  # fragments as such are fine
        assert json.loads(await ws.recv())["event"] == "pong"
        with pytest.raises((ConnectionClosed, _Refused)):  # noqa: PT012  the server may close at any of these
            await ws.send(["x" * 4096] * 64)
            async with asyncio.timeout(15):
                reply = json.loads(await ws.recv())
            raise _Refused(reply) if reply["data"]["code"] == "body_too_large" else AssertionError(reply)
    async with Client(server.url, person.token) as client, client.socket() as other:
        assert (await other.call("ping"))["event"] == "pong"


class _Refused(Exception):
    def __init__(self, reply: Any) -> None:
        super().__init__(str(reply))

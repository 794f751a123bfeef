"""The socket beside its events: who gets in, what is said about bad frames, and how it is closed."""

import asyncio
import json
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.long_logs import run_with_a_long_log
from tests.support.people import People, Person
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.socket_client import Socket
from tests.support.standin import StandIn
from tests.support.transcript import Event, Transcript, read_event

pytestmark = pytest.mark.process


@pytest.fixture(params=["uvicorn", "daphne"])
def server(request: pytest.FixtureRequest) -> ChatServer:
    found: ChatServer = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest.fixture
def person(people: People) -> Person:
    return people["ada"]


def cookie(person: Person) -> dict[str, str]:
    return {"Cookie": f"session={person.session}"}


async def test_a_token_in_the_first_frame_opens_the_door(server: ChatServer, person: Person) -> None:
    async with Socket(server.url) as socket:
        assert socket.frames == []
        reply = await socket.call("auth", {"token": person.token})
        assert reply["data"] == {"user_id": person.user_id, "expires_at": None}
        ready = (await socket.ready())["data"]
    assert set(ready) == {"protocol", "session_id", "user_id", "heartbeat_s", "max_frame", "max_subscriptions"}
    assert (ready["protocol"], ready["user_id"], ready["max_frame"]) == ("chat.v1", person.user_id, 65_536)


async def test_a_token_in_the_handshake_opens_the_door(server: ChatServer, person: Person) -> None:
    async with Socket(server.url, headers={"Authorization": f"Bearer {person.token}"}) as socket:
        assert (await socket.ready())["data"]["user_id"] == person.user_id


async def test_a_session_of_our_own_page_opens_the_door(server: ChatServer, person: Person) -> None:
    async with Socket(server.url, headers={**cookie(person), "Origin": server.origin}) as socket:
        assert (await socket.ready())["data"]["user_id"] == person.user_id


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://127.0.0.1:1", "https://127.0.0.1"])
async def test_a_session_from_elsewhere_is_forbidden(server: ChatServer, person: Person, origin: str | None) -> None:
    headers = {**cookie(person), **({} if origin is None else {"Origin": origin})}
    async with Socket(server.url, headers=headers) as socket:
        assert await socket.closed() == 4403
    assert socket.frames == []


@pytest.mark.parametrize("scheme", ["https", "ws"])
async def test_the_scheme_belongs_to_the_origin(server: ChatServer, person: Person, scheme: str) -> None:
    origin = server.origin.replace("http", scheme, 1)
    async with Socket(server.url, headers={**cookie(person), "Origin": origin}) as socket:
        assert await socket.closed() == 4403


@pytest.mark.parametrize("token", ["nonsense", "chat_000000000000_" + "x" * 43, ""])
async def test_a_wrong_token_is_told_and_closed(server: ChatServer, token: str) -> None:
    async with Socket(server.url) as socket:
        reply = await socket.call("auth", {"token": token})
        assert (reply["event"], reply["data"]["code"]) == ("error", "not_authenticated")
        assert await socket.closed() == 4401
    async with Socket(server.url, headers={"Authorization": f"Bearer {token or '-'}"}) as socket:
        assert await socket.closed() == 4401


@pytest.mark.parametrize("subprotocols", [(), ("chat.v2",), ("graphql-ws", "soap")])
async def test_without_our_subprotocol_there_is_nothing_to_talk_about(
    server: ChatServer, person: Person, subprotocols: tuple[str, ...]
) -> None:
    async with Socket(
        server.url, headers={"Authorization": f"Bearer {person.token}"}, subprotocols=subprotocols
    ) as socket:
        assert await socket.closed() == 4406


async def test_before_the_token_only_a_ping_is_answered(server: ChatServer, person: Person) -> None:
    async with Socket(server.url) as socket:
        assert (await socket.call("ping", {"t": 1}))["event"] == "pong"
        for event in ("subscribe", "message.send", "run.cancel"):
            reply = await socket.call(event, {"run_id": "x"})
            assert reply["data"]["code"] == "not_authenticated"
        assert (await socket.call("auth", {"token": person.token}))["event"] == "ack"


BAD_FRAMES: list[tuple[str | bytes, str]] = [
    ("{", "invalid_json"),
    ("", "invalid_json"),
    ("[]", "invalid_request"),
    ("null", "invalid_request"),
    ('"text"', "invalid_request"),
    ("{}", "invalid_request"),
    (b"\x00\x01", "invalid_request"),
    ('{"event": 1}', "invalid_request"),
    ('{"event": "dance", "req": 1}', "invalid_request"),
    ('{"event": "ping", "req": {}}', "invalid_request"),
    ('{"event": "ping", "req": true}', "invalid_request"),
    ('{"event": "ping", "extra": 1}', "invalid_request"),
    ('{"event": "ping", "data": {"t": NaN}}', "invalid_json"),
    ('{"event": "ping", "data": {"surprise": 1}}', "unknown_field"),
    ('{"event": "ping", "data": [1]}', "invalid_request"),
    ('{"event": "subscribe", "data": {}}', "invalid_request"),
    ('{"event": "subscribe", "data": {"run_id": 7}}', "invalid_request"),
    ('{"event": "subscribe", "data": {"run_id": "x", "after": -1}}', "invalid_request"),
    ('{"event": "subscribe", "data": {"run_id": "not-an-id"}}', "not_found"),
    ("[" * 20_000, "invalid_json"),
    ('{"event": "ping", "data": {"t": ' + "9" * 6000 + "}}", "invalid_json"),
]


async def test_a_bad_frame_is_answered_and_survived(ada: Client) -> None:
    async with ada.socket() as socket:
        for number, (frame, code) in enumerate(BAD_FRAMES, start=1):
            await socket.send(frame)
            await socket.until(lambda number=number: len(_errors(socket)) >= number, within=5)  # type: ignore[misc]
            assert _errors(socket)[-1]["data"]["code"] == code, frame
        assert len(_errors(socket)) == len(BAD_FRAMES)
        assert (await socket.call("ping"))["event"] == "pong"


async def test_a_pong_says_where_each_subscription_stands(ada: Client, standin: StandIn) -> None:
    run = await ada.start(model="ollama/gated-4")
    async with ada.socket() as socket:
        assert (await socket.call("ping", {"t": [1, "x"]}))["data"]["heads"] == {}
        await socket.subscribe(run["id"])
        await socket.until(lambda: "t3" in socket.runs[run["id"]].content, within=5)
        pong = (await socket.call("ping", {"t": 7}))["data"]
        assert pong["heads"] == {run["id"]: socket.runs[run["id"]].last}
        assert (pong["t"], pong["server_time"][-1]) == (7, "Z")
        await ada.cancel(run["id"])
        await socket.end_of(run["id"])
        assert (await socket.call("ping"))["data"]["heads"] == {}


async def test_after_unsubscribing_nothing_more_comes(ada: Client, standin: StandIn) -> None:
    run = await ada.start(model="ollama/gated-4")
    async with ada.socket() as socket:
        await socket.subscribe(run["id"])
        await socket.until(lambda: "t3" in socket.runs[run["id"]].content, within=5)
        seen = socket.runs[run["id"]].last
        assert (await socket.call("unsubscribe", {"run_id": run["id"]}))["data"] == {}
        assert (await socket.call("ping"))["data"]["heads"] == {}
        standin.release()
        await ada.ended(run["id"])
        await socket.call("ping")
        assert socket.runs[run["id"]].last == seen
        await socket.subscribe(run["id"], after=seen)
        await socket.end_of(run["id"])


async def test_what_is_not_followed_can_be_unsubscribed_from(ada: Client) -> None:
    run = await ada.start(model="ollama/slow-3@max")
    async with ada.socket() as socket:
        for _ in range(2):
            assert (await socket.call("unsubscribe", {"run_id": run["id"]}))["data"] == {}
        await socket.subscribe(run["id"])
        await socket.end_of(run["id"])
        assert (await socket.call("unsubscribe", {"run_id": run["id"]}))["data"] == {}


async def test_subscribing_again_replaces_the_subscription_and_nothing_of_the_old_one_follows(
    ada: Client, server: ChatServer
) -> None:
    run_id = await run_with_a_long_log(ada, server, events=600, size=100)
    cursors = (0, 3, 0, 100, 3)
    async with ada.socket() as socket:
        socket.runs[run_id] = Anything()
        for req, after in enumerate(cursors, start=100):
            data = {"run_id": run_id, "after": after, "snapshot": False}
            await socket.send(json.dumps({"event": "subscribe", "req": req, "data": data}))
        await socket.frame(lambda frame: frame.get("req") == 104)
        await socket.until(lambda: socket.frames[-1]["event"] == "thread.run.completed", within=20)
        frames = list(socket.frames)
    acks = [number for number, frame in enumerate(frames) if frame.get("req") in range(100, 105)]
    for after, start, end in zip(cursors, acks, [*acks[1:], len(frames)], strict=True):
        ids = [frame["id"] for frame in frames[start + 1 : end]]
        assert ids == list(range(after + 1, after + 1 + len(ids)))
    assert frames[-1]["id"] == len(server.logged(run_id))


class Anything(Transcript):
    """A reader who looks at nothing."""

    def take(self, text: str) -> Event:
        return read_event(text)


async def test_the_same_number_twice_gets_two_replies(ada: Client) -> None:
    async with ada.socket() as socket:
        for t in (1, 2):
            await socket.send(json.dumps({"event": "ping", "req": "same", "data": {"t": t}}))
        await socket.until(lambda: len([f for f in socket.frames if f.get("req") == "same"]) == 2, within=10)
        assert [frame["data"]["t"] for frame in socket.frames if frame.get("req") == "same"] == [1, 2]


async def test_a_socket_follows_so_many_runs_and_no_more(make_server: MakeServer, people: People) -> None:
    server = make_server(MAX_SUBSCRIPTIONS=2).start()
    async with Client(server.url, people["ada"].token) as ada, ada.socket() as socket:
        runs = [await ada.start(model="ollama/gated-4") for _ in range(3)]
        for run in runs[:2]:
            await socket.subscribe(run["id"])
        refused = await socket.call("subscribe", {"run_id": runs[2]["id"]})
        assert (refused["data"]["code"], refused["data"]["details"]) == ("invalid_request", {"limit": 2})
        await socket.subscribe(runs[0]["id"])  # one that it has already
        await socket.call("unsubscribe", {"run_id": runs[1]["id"]})
        await socket.subscribe(runs[2]["id"])


async def test_the_ack_of_a_subscription_comes_before_its_first_event(ada: Client) -> None:
    run = await ada.start(model="ollama/slow-5@max")
    async with ada.socket() as socket:
        for _ in range(5):
            before = len(socket.frames)
            await socket.subscribe(run["id"])
            await socket.end_of(run["id"])
            assert [frame["event"] for frame in socket.frames[before:]].index("ack") == 0


async def test_a_send_may_go_without_a_subscription(ada: Client) -> None:
    thread = (await ada.post("/api/v1/threads", {})).json()
    async with ada.socket() as socket:
        data = {"thread_id": thread["id"], "content": "Hello", "model": "ollama/slow-5@max", "subscribe": False}
        reply = await socket.call("message.send", data)
        await ada.ended(reply["data"]["run_id"])
        await socket.call("ping")
    assert [frame["event"] for frame in socket.frames] == ["ack", "session.ready", "ack", "pong"]


async def test_many_runs_share_a_socket(ada: Client) -> None:
    runs = await asyncio.gather(*(ada.start(model="ollama/slow-20@200") for _ in range(8)))
    async with ada.socket() as socket:
        for run in runs:
            await socket.subscribe(run["id"])
        for run in runs:
            assert (await socket.end_of(run["id"])).content == " ".join(f"t{i}" for i in range(20))


async def test_a_frame_beyond_the_limit_closes_the_socket(ada: Client, server: ChatServer) -> None:
    frame = json.dumps({"event": "ping", "req": 1, "data": {"t": "x" * 70_000}})
    async with ada.socket() as socket:
        await socket.send(frame)
        if server.kind == "uvicorn":
            assert await socket.closed() == 1009
            return
        # Without its flag Daphne lets a mebibyte through, and we cannot send 1009; with it: test_daphne_limit.py.
        await socket.until(lambda: len(_errors(socket)) == 1, within=5)
        assert _errors(socket)[0]["data"]["code"] == "body_too_large"


async def test_a_socket_that_never_says_who_it_is_is_closed(uvicorn_server: ChatServer) -> None:
    dead_session = {"Cookie": f"session={'x' * 32}", "Origin": uvicorn_server.origin}
    async with Socket(uvicorn_server.url) as silent, Socket(uvicorn_server.url, headers=dead_session) as dead:
        assert await silent.closed(within=13) == 4401
        assert await dead.closed(within=3) == 4401
    assert silent.frames == dead.frames == []


async def test_another_address_has_no_socket(server: ChatServer) -> None:
    socket = Socket(server.url)
    socket._url = socket._url.replace("/ws/v1", "/ws/v2")
    async with socket:
        assert await socket.closed() == 4400


async def test_who_has_too_many_open_is_told_so_on_both_transports(make_server: MakeServer, people: People) -> None:
    server = make_server(MAX_STREAMS=2).start()
    async with Client(server.url, people["ada"].token) as ada, Client(server.url, people["bob"].token) as bob:
        run = await ada.start(model="ollama/hang-first")
        async with ada.socket(), ada.events(run["id"]) as stream:
            await stream.until(3)
            refused = await ada.get(f"/api/v1/runs/{run['id']}/events")
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_streams")
            assert int(refused.headers["retry-after"]) >= 1
            async with Socket(server.url, headers={"Authorization": f"Bearer {ada.token}"}) as socket:
                assert await socket.closed() == 4029
            async with bob.socket() as free:
                assert (await free.call("ping"))["event"] == "pong"
        async with ada.socket(), ada.socket():
            pass


async def test_a_client_that_pinged_and_fell_silent_is_given_up(make_server: MakeServer, people: People) -> None:
    server = make_server(CLIENT_DEAD_AFTER=0.5, HEARTBEAT=5).start()
    async with Client(server.url, people["ada"].token) as ada, ada.socket() as silent, ada.socket() as pinging:
        await silent.call("ping")
        await pinging.call("ping")
        for _ in range(5):
            await asyncio.sleep(0.2)
            assert (await pinging.call("ping"))["event"] == "pong"
        assert await silent.closed(within=1) == 4004
        assert pinging.close_code is None


def _errors(socket: Socket) -> list[dict[str, Any]]:
    return [frame for frame in socket.frames if frame["event"] == "error" and "req" in frame]

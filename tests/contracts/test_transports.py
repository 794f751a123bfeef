"""Both transports, on both servers: the same events, byte for byte, from wherever a reader left off."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.agreement import agreed_end, assert_prefix
from tests.support.client import Client
from tests.support.databases import POSTGRES
from tests.support.server import ChatServer
from tests.support.standin import StandIn
from tests.support.transcript import Transcript

pytestmark = [pytest.mark.process, pytest.mark.process_on_both]
QUICK_ANSWER = "ollama/slow-20@100"
# Twelve tokens, silence until the test lets it go on, twelve more.
TWO_PARTS = "ollama/gated-12"
NOBODYS = "0190a000-0000-7000-8000-000000000000"


# What differs between the servers does not differ between the databases.
@pytest.fixture(params=["uvicorn"] if POSTGRES else ["uvicorn", "daphne"])
def server(request: pytest.FixtureRequest) -> ChatServer:
    found: ChatServer = request.getfixturevalue(f"{request.param}_server")
    return found


@pytest_asyncio.fixture
async def finished(ada: Client, server: ChatServer) -> dict[str, Any]:
    """A run that has ended."""
    run = await ada.start(model=QUICK_ANSWER)
    await ada.ended(run["id"])
    return run


@pytest_asyncio.fixture
async def halfway(ada: Client, standin: StandIn) -> AsyncIterator[dict[str, Any]]:
    """A run in mid-answer, which goes on when the stand-in is told to."""
    run = await ada.start(model=TWO_PARTS)
    async with ada.events(run["id"]) as stream:
        while "t11" not in stream.transcript.content:
            assert await stream.next() is not None
    run["middle"] = stream.transcript.last
    yield run
    standin.release()
    await ada.ended(run["id"])


async def test_live_and_replayed_over_both_transports_a_run_has_the_same_bytes(ada: Client, server: ChatServer) -> None:
    run = await ada.start(model=QUICK_ANSWER)
    async with ada.socket() as socket:
        await socket.subscribe(run["id"])
        live_sse = await ada.replay(run["id"])
        live_socket = await socket.end_of(run["id"])
        replayed_sse = await ada.replay(run["id"])
        assert (await socket.subscribe(run["id"]))["mode"] == "replay"
        replayed_socket = await socket.end_of(run["id"])
    logged = server.logged(run["id"])
    for seen in (live_sse, live_socket, replayed_sse, replayed_socket):
        assert seen.texts == logged
    history = agreed_end(server, run["id"])
    assert history.content == " ".join(f"t{i}" for i in range(20))


async def test_after_any_cut_each_transport_gives_exactly_what_is_missing(
    ada: Client, server: ChatServer, finished: dict[str, Any]
) -> None:
    logged = server.logged(finished["id"])
    async with ada.socket() as socket:
        for after in (0, 1, len(logged) // 2, len(logged) - 1):
            over_sse = await ada.replay(finished["id"], after=after)
            ack = await socket.subscribe(finished["id"], after=after)
            over_socket = await socket.end_of(finished["id"])
            assert over_sse.texts == over_socket.texts == logged[after:]
            assert ack == {"status": "completed", "head": len(logged), "mode": "replay"}


async def test_whoever_has_it_all_is_told_that_there_is_nothing_more(
    ada: Client, server: ChatServer, finished: dict[str, Any]
) -> None:
    head = len(server.logged(finished["id"]))
    for after in (head, head + 7):
        answer = await ada.get(f"/api/v1/runs/{finished['id']}/events?after={after}")
        assert (answer.status_code, answer.content) == (204, b"")
        async with ada.socket() as socket:
            ack = await socket.subscribe(finished["id"], after=after)
        assert ack == {"status": "completed", "head": head, "mode": "ended"}


async def test_a_live_run_is_resumed_from_every_cut_on_the_other_transport(
    ada: Client, server: ChatServer, standin: StandIn, halfway: dict[str, Any]
) -> None:
    run_id, middle = halfway["id"], halfway["middle"]
    async with ada.socket() as first, ada.socket() as second:
        for after in (1, middle - 1, middle):
            async with ada.events(run_id, after=after) as stream:
                if after < middle:
                    await stream.until(middle)
                await (first if after % 2 else second).subscribe(run_id, after=after)
        await second.subscribe(run_id, after=middle)
        standin.release()
        ended = await second.end_of(run_id)
    logged = server.logged(run_id)
    assert ended.texts == logged[middle:]
    agreed_end(server, run_id, ended)


async def test_the_transport_may_change_in_mid_answer_and_change_back(
    ada: Client, server: ChatServer, standin: StandIn, halfway: dict[str, Any]
) -> None:
    run_id, middle = halfway["id"], halfway["middle"]
    async with ada.events(run_id) as stream:
        first = await stream.until(3)
    async with ada.socket() as socket:
        await socket.subscribe(run_id, after=3)
        second = await socket.reaches(run_id, middle)
    async with ada.events(run_id, after=middle) as stream:
        standin.release()
        third = await stream.until_end()
    assert first.texts + second.texts + third.texts == server.logged(run_id)


async def test_a_cut_network_on_either_transport_loses_and_repeats_nothing(
    ada: Client, server: ChatServer, standin: StandIn, halfway: dict[str, Any]
) -> None:
    run_id, middle = halfway["id"], halfway["middle"]
    async with ada.socket() as socket:
        await socket.subscribe(run_id)
        cut = await socket.reaches(run_id, middle)
        socket.cut()
    standin.release()
    resumed = await ada.replay(run_id, after=cut.last)
    assert cut.texts + resumed.texts == server.logged(run_id)


async def test_two_readers_at_once_see_the_same(
    ada: Client, server: ChatServer, standin: StandIn, halfway: dict[str, Any]
) -> None:
    run_id = halfway["id"]
    async with ada.socket() as one, ada.socket() as two:
        await one.subscribe(run_id)
        await two.subscribe(run_id)
        readers = [asyncio.create_task(ada.replay(run_id)) for _ in range(2)]
        await asyncio.sleep(0.05)
        standin.release()
        seen = [await one.end_of(run_id), await two.end_of(run_id), *[await reader for reader in readers]]
    agreed_end(server, run_id, *seen)
    assert all(transcript.texts == seen[0].texts for transcript in seen)


@pytest.mark.parametrize("last", [0, 1, 5])
async def test_a_reader_who_leaves_stops_nothing(ada: Client, server: ChatServer, last: int) -> None:
    body = {"message": "Hello", "model": QUICK_ANSWER}
    async with ada.stream("POST", "/api/chat/stream", body=body) as stream:
        run_id = stream.response.headers["location"].split("/")[4]
        if last:
            await stream.until(last)
    async with ada.socket() as socket:
        await socket.subscribe(run_id)
        socket.cut()
    state = await ada.ended(run_id)
    assert state["run"]["status"] == "completed"
    history = agreed_end(server, run_id, stream.transcript)
    assert history.content == " ".join(f"t{i}" for i in range(20))


async def test_a_send_over_the_socket_is_followed_at_once(ada: Client, server: ChatServer) -> None:
    thread = (await ada.post("/api/v1/threads", {})).json()
    async with ada.socket() as socket:
        sent = await socket.call("message.send", {"thread_id": thread["id"], "content": "Hello", "model": QUICK_ANSWER})
        assert sent["event"] == "ack", sent
        assert sent["data"]["replayed"] is False
        seen = await socket.end_of(sent["data"]["run_id"])
    history = agreed_end(server, sent["data"]["run_id"], seen)
    assert history.texts == seen.texts
    assert history.end.data["run"]["user_message_id"] == sent["data"]["user_message_id"]


async def test_last_event_id_wins_over_after(ada: Client, server: ChatServer, finished: dict[str, Any]) -> None:
    async with ada.stream(
        "GET", f"/api/v1/runs/{finished['id']}/events?after=1", after=4, headers={"Last-Event-ID": "4"}
    ) as stream:
        seen = await stream.until_end()
    assert seen.texts == server.logged(finished["id"])[4:]


@pytest.mark.parametrize("cursor", ["-1", "x", "1.5", "1e3", "", "٣", "9" * 30])
async def test_a_cursor_that_is_no_number_is_refused(
    ada: Client, server: ChatServer, finished: dict[str, Any], cursor: str
) -> None:
    path = f"/api/v1/runs/{finished['id']}/events"
    by_query = await ada.get(path, params={"after": cursor})
    by_header = await ada.get(f"{path}?after=0", headers={"Last-Event-ID": cursor.encode()})
    assert by_query.status_code == by_header.status_code == 400
    assert by_query.json()["error"]["code"] == by_header.json()["error"]["code"] == "invalid_request"
    async with ada.socket() as socket:
        reply = await socket.call("subscribe", {"run_id": finished["id"], "after": cursor})
        assert (reply["event"], reply["data"]["code"]) == ("error", "invalid_request")


async def test_what_is_unknown_and_what_is_not_yours_is_one_answer(
    ada: Client, bob: Client, server: ChatServer, finished: dict[str, Any]
) -> None:
    for method, path in (("GET", ""), ("GET", "/events"), ("GET", "?wait=1"), ("POST", "/cancel")):
        answers = [
            await bob.http.request(method, f"/api/v1/runs/{run_id}{path}")
            for run_id in (finished["id"], NOBODYS, "no-id-at-all")
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1
        assert answers[0].json()["error"]["code"] == "not_found"
        rightful = await ada.http.request(method, f"/api/v1/runs/{finished['id']}{path}")
        assert rightful.status_code == 200
    async with bob.socket() as socket:
        for event in ("subscribe", "unsubscribe", "run.cancel"):
            replies = [await socket.call(event, {"run_id": run_id}) for run_id in (finished["id"], NOBODYS, "?")]
            assert {reply["event"] for reply in replies} == {"error"}
            assert all(reply["data"] == replies[0]["data"] for reply in replies)
            assert replies[0]["data"]["code"] == "not_found"


async def test_without_names_every_event_is_a_message(
    ada: Client, server: ChatServer, finished: dict[str, Any]
) -> None:
    async with ada.events(finished["id"], query="names=0") as stream:
        stream.names = False
        seen = await stream.until_end()
    assert seen.texts == server.logged(finished["id"])
    assert {message.event for message in stream.messages} == {"message"}


async def test_a_stream_may_close_with_done(ada: Client, server: ChatServer) -> None:
    thread = (await ada.post("/api/v1/threads", {})).json()
    path = f"/api/v1/threads/{thread['id']}/runs"
    for query, done in (("?done=1", True), ("", False)):
        body = {"content": "Hello", "model": QUICK_ANSWER}
        async with ada.stream("POST", path + query, body=body) as stream:
            await stream.until_end()
        assert stream.done is done


async def test_silence_is_filled_with_comments(
    ada: Client, server: ChatServer, standin: StandIn, halfway: dict[str, Any]
) -> None:
    async with ada.events(halfway["id"], after=halfway["middle"]) as stream:
        await asyncio.sleep(1.2)
        standin.release()
        await stream.until_end()
    assert stream.parser.comments[0] == "open"
    assert stream.parser.comments[1:3] == ["heartbeat", "heartbeat"]


async def test_a_stream_says_in_its_headers_that_nobody_may_keep_or_hold_it(
    ada: Client, server: ChatServer, finished: dict[str, Any]
) -> None:
    async with ada.events(finished["id"]) as stream:
        await stream.until_end()
    headers = stream.response.headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-store, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert headers["content-encoding"] == "identity"
    assert "location" not in headers
    assert stream.parser.retries == [2000]


async def test_the_answer_to_a_post_names_the_place_to_resume(ada: Client, server: ChatServer) -> None:
    thread = (await ada.post("/api/v1/threads", {})).json()
    for path, body in (
        (f"/api/v1/threads/{thread['id']}/runs", {"content": "Hello", "model": QUICK_ANSWER}),
        ("/api/chat/stream", {"message": "Hello", "model": QUICK_ANSWER}),
    ):
        async with ada.stream("POST", path, body=body) as stream:
            seen = await stream.until_end()
        assert stream.response.headers["location"] == f"/api/v1/runs/{seen.events[0].data['run_id']}/events"


async def test_the_first_bytes_come_before_the_first_token(ada: Client, server: ChatServer, standin: StandIn) -> None:
    async with ada.stream("POST", "/api/chat/stream", body={"message": "Hi", "model": "ollama/hang-first"}) as stream:
        seen = await stream.until(4, within=3)
        await ada.cancel(seen.events[0].data["run_id"])
        await stream.until_end()
    assert seen.events[3].name == "thread.run.in_progress"


async def test_a_reader_ahead_of_a_live_run_gets_a_snapshot_that_says_so(
    ada: Client, server: ChatServer, standin: StandIn, halfway: dict[str, Any]
) -> None:
    run_id, middle = halfway["id"], halfway["middle"]
    async with ada.events(run_id, after=middle + 100) as stream, ada.socket() as socket:
        ack = await socket.subscribe(run_id, after=middle + 100)
        standin.release()
        over_sse, over_socket = await stream.until_end(), await socket.end_of(run_id)
    assert ack["mode"] == "snapshot"
    for seen in (over_sse, over_socket):
        assert seen.snapshot is not None
        assert seen.snapshot.data["gap"] is True
        assert_prefix(server.logged(run_id), seen)
    assert over_sse.snapshot.text == over_socket.snapshot.text  # type: ignore[union-attr]


async def test_a_snapshot_and_what_follows_make_the_whole(
    ada: Client, server: ChatServer, standin: StandIn, halfway: dict[str, Any]
) -> None:
    async with ada.events(halfway["id"], after=2, query="snapshot=1") as stream:
        standin.release()
        seen = await stream.until_end()
    assert seen.snapshot is not None
    assert (seen.snapshot.data["gap"], seen.snapshot.id) == (False, halfway["middle"])
    before = seen.snapshot.data["messages"][-1]["content"]
    assert before + seen.content == history_of(server, halfway["id"]).content


async def test_a_finished_run_gives_its_snapshot_and_then_its_end(
    ada: Client, server: ChatServer, finished: dict[str, Any]
) -> None:
    logged = server.logged(finished["id"])
    async with ada.events(finished["id"], after=1, query="snapshot=1") as stream:
        seen = await stream.until_end()
    assert seen.snapshot is not None
    assert seen.snapshot.data["as_of"] == len(logged) - 1
    assert seen.texts == logged[-1:]


async def test_a_long_poll_waits_for_what_is_new_and_no_longer(
    ada: Client, server: ChatServer, standin: StandIn, halfway: dict[str, Any]
) -> None:
    run_id, middle = halfway["id"], halfway["middle"]
    path = f"/api/v1/runs/{run_id}?after={middle}"
    nothing = (await ada.get(f"{path}&wait=0")).json()
    assert (nothing["events"], nothing["head"]) == ([], middle)
    waiting = asyncio.create_task(ada.get(f"{path}&wait=10"))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    standin.release()
    news = (await waiting).json()["events"]
    assert news[0]["id"] == middle + 1
    await ada.ended(run_id)
    rest = (await ada.get(f"{path}&wait=10")).json()
    assert [event["id"] for event in rest["events"]] == list(range(middle + 1, rest["head"] + 1))


def history_of(server: ChatServer, run_id: str) -> Transcript:
    transcript = Transcript()
    for text in server.logged(run_id):
        transcript.take(text)
    return transcript

"""One key, however many ask with it at once and over whatever transport: one run, one generation."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.process, pytest.mark.process_on_both]
MODEL = "ollama/slow-5@max"
Said = tuple[tuple[str, ...], bool]  # the ids of the runs, and whether they were there already


async def post(client: Client, path: str, body: dict[str, Any], key: str) -> Said:
    answer = await client.post(path, body, headers={"Idempotency-Key": key}, timeout=60)
    assert answer.status_code in (200, 202), answer.text
    told = answer.json()
    runs = told.get("runs") or [told]
    ids = [run.get("run_id") or run.get("run", run)["id"] for run in runs]
    return tuple(ids), answer.headers.get("Idempotency-Replayed") == "true"


async def stream(client: Client, path: str, body: dict[str, Any], key: str) -> Said:
    async with client.stream("POST", path, body={**body, "idempotency_key": key}, timeout=60) as stream:
        seen = await stream.until_end(within=60)
    replayed = stream.response.headers.get("Idempotency-Replayed") == "true"
    return (seen.events[0].data["run_id"],), replayed


async def frame(client: Client, thread: str, body: dict[str, Any], key: str) -> Said:
    async with client.socket() as socket:
        data = {**body, "thread_id": thread, "idempotency_key": key, "subscribe": False}
        reply = await socket.call("message.send", data)
    assert reply["event"] == "ack", reply
    told = reply["data"]
    return tuple(run["id"] for run in told.get("runs", ())) or (told["run_id"],), told["replayed"]


async def at_once(acts: list[Callable[[], Awaitable[Said]]]) -> tuple[str, ...]:
    """The runs that all of them were given; one of them alone was the first."""
    said = await asyncio.gather(*(act() for act in acts))
    assert len({ids for ids, _ in said}) == 1, said
    assert [replayed for _, replayed in said].count(False) == 1, said
    return said[0][0]


def everywhere(client: Client, thread: str, body: dict[str, Any], key: str) -> list[Callable[[], Awaitable[Said]]]:
    """Twelve of the same send: plain, waited for, streamed, and by sockets."""
    path = f"/api/v1/threads/{thread}/runs"
    acts: list[Callable[[], Awaitable[Said]]] = [
        lambda: post(client, path, body, key),
        lambda: frame(client, thread, body, key),
        lambda: post(client, f"{path}?wait=true", body, key),
    ]
    if "models" not in body:
        acts.append(lambda: stream(client, path, body, key))
    return acts * (12 // len(acts))


async def test_one_send_over_all_transports_at_once_is_one_run_and_one_generation(
    ada: Client, server: ChatServer, standin: StandIn
) -> None:
    thread, before = await ada.new_thread(), standin.stats()["chats"]
    body = {"content": "Hello", "model": MODEL}
    (run_id,) = await at_once(everywhere(ada, thread, body, "one"))
    await ada.ended(run_id)
    assert standin.stats()["chats"] == before + 1
    agreed_end(server, run_id)
    shown = (await ada.get(f"/api/v1/threads/{thread}/messages")).json()
    assert [message["role"] for message in shown["results"]] == ["user", "assistant"]
    assert [run["id"] for run in shown["runs"]] == [run_id]


async def test_several_models_are_asked_once_each(ada: Client, standin: StandIn) -> None:
    thread, before = await ada.new_thread(), standin.stats()["chats"]
    body = {"content": "Hello", "models": [MODEL, "ollama/slow-3@max"]}
    runs = await at_once(everywhere(ada, thread, body, "two"))
    for run_id in runs:
        await ada.ended(run_id)
    assert (len(runs), standin.stats()["chats"]) == (2, before + 2)


async def test_an_answer_is_interrupted_once_and_continued_once(
    ada: Client, server: ChatServer, standin: StandIn
) -> None:
    first = await ada.start(model="ollama/goes-on-12")
    async with ada.events(first["id"]) as seen:
        while "t11" not in seen.transcript.content:
            assert await seen.next() is not None
    thread, before = first["thread_id"], standin.stats()["chats"]
    body = {"content": "Stop that.", "model": "ollama/end-early", "if_busy": "interrupt"}
    path = f"/api/v1/threads/{thread}/runs"
    sends = [lambda: post(ada, path, body, "stop"), lambda: frame(ada, thread, body, "stop")] * 4
    (second,) = await at_once(sends)
    assert (await ada.ended(second))["run"]["status"] == "failed"
    assert (await ada.look(first["id"]))["run"]["status"] == "cancelled"
    assert standin.stats()["chats"] == before + 1
    broken = (await ada.look(second))["messages"][-1]
    more = {"continue": broken["id"], "model": MODEL}
    sends = [lambda: post(ada, path, more, "more"), lambda: frame(ada, thread, more, "more")] * 4
    (third,) = await at_once(sends)
    await ada.ended(third)
    assert standin.stats()["chats"] == before + 2
    agreed_end(server, third)
    for again, key, run_id in ((body, "stop", second), (more, "more", third)):  # long after, when neither could be done
        assert await post(ada, path, again, key) == ((run_id,), True)
        assert await frame(ada, thread, again, key) == ((run_id,), True)
    assert standin.stats()["chats"] == before + 2


async def test_the_short_way_in_makes_one_thread_and_one_run(ada: Client, standin: StandIn) -> None:
    before, body = standin.stats()["chats"], {"message": "Hello", "model": MODEL}
    threads = len((await ada.get("/api/v1/threads")).json()["results"])
    waited = partial(post, ada, "/api/chat", body, "short")
    streamed = partial(stream, ada, "/api/chat/stream", body, "short")
    (run_id,) = await at_once([waited, streamed] * 5)
    await ada.ended(run_id)
    assert standin.stats()["chats"] == before + 1
    assert len((await ada.get("/api/v1/threads")).json()["results"]) == threads + 1
    made = await asyncio.gather(*(ada.post("/api/v1/threads", {}, headers={"Idempotency-Key": "t"}) for _ in range(8)))
    assert len({answer.json()["id"] for answer in made}) == 1


async def test_a_key_means_one_thing_on_every_transport_and_a_refusal_leaves_it_free(ada: Client) -> None:
    thread = await ada.new_thread()
    path, body = f"/api/v1/threads/{thread}/runs", {"content": "Hello", "model": MODEL}
    refusals = [
        ({**body, "model": "nobody/knows"}, "model_unknown"),
        ({**body, "expected_head": thread}, "stale_head"),
        ({**body, "regenerate": thread}, "invalid_request"),
        ({**body, "models": [MODEL, MODEL]}, "invalid_request"),
        ({"continue": thread}, "not_found"),
    ]
    async with ada.socket() as socket:
        for refused, code in refusals:
            answer = await ada.post(path, {**refused, "idempotency_key": "free"})
            assert answer.json()["error"]["code"] == code
            data = {**refused, "thread_id": thread, "idempotency_key": "free", "subscribe": False}
            assert (await socket.call("message.send", data))["data"]["code"] == code
        first = await post(ada, f"{path}?wait=true", body, "free")
        assert first[1] is False
        for other in ({**body, "content": "Hullo"}, {**body, "if_busy": "interrupt"}, {**body, "tools": []}):
            answer = await ada.post(path, other, headers={"Idempotency-Key": "free"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "idempotency_conflict")
            data = {**other, "thread_id": thread, "idempotency_key": "free", "subscribe": False}
            assert (await socket.call("message.send", data))["data"]["code"] == "idempotency_conflict"
    assert await frame(ada, thread, body, "free") == (first[0], True)
    elsewhere = await ada.post(f"/api/v1/threads/{await ada.new_thread()}/runs", {**body, "idempotency_key": "free"})
    assert elsewhere.status_code == 422


async def test_a_key_in_a_header_is_ascii_so_that_it_is_the_same_everywhere(ada: Client) -> None:
    for path, body in (("/api/v1/threads", {}), ("/api/chat", {"message": "Hi", "model": MODEL})):
        for header in ("caf\xe9".encode(), "caf\xe9".encode("latin-1")):
            answer = await ada.http.post(path, json=body, headers={b"Idempotency-Key": header})
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
        named = await ada.post(path, {**body, "idempotency_key": f"caf\xe9 {path}"})
        again = await ada.post(path, {**body, "idempotency_key": f"caf\xe9 {path}"})
        assert named.is_success
        assert again.headers["Idempotency-Replayed"] == "true"

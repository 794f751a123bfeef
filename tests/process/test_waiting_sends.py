"""``if_busy: enqueue`` over both transports, at once from many hands, and through ``kill -9``."""

import asyncio
import random
from typing import Any

import pytest

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.process, pytest.mark.process_on_both]
GATED = "ollama/gated-12"  # writes twelve tokens, and no more by itself
QUICK = "ollama/slow-3@max"
KILLS = 4


async def half_written(client: Client) -> dict[str, Any]:
    run = await client.start(model=GATED)
    async with client.events(run["id"]) as stream:
        while "t11" not in stream.transcript.content:
            assert await stream.next() is not None
    return run


async def shown(client: Client, thread: str) -> dict[str, Any]:
    page: dict[str, Any] = (await client.get(f"/api/v1/threads/{thread}/messages")).json()
    return page


async def test_its_readers_follow_it_from_its_first_event_to_its_end_by_every_way(
    ada: Client, server: ChatServer
) -> None:
    first = await half_written(ada)
    thread = first["thread_id"]
    body = {"content": "And then?", "model": QUICK, "if_busy": "enqueue"}
    async with ada.stream("POST", f"/api/v1/threads/{thread}/runs", body=body) as stream, ada.socket() as socket:
        event = await stream.next()
        assert event is not None
        told = event.data["run"]
        assert (event.id, told["waiting"], told["user_message_id"]) == (1, True, None)
        assert told["request"] == {"content": "And then?", "attachments": [], "model": QUICK}
        await socket.subscribe(told["id"])
        waiting = await ada.look(told["id"])
        assert (waiting["run"], waiting["head"], waiting["messages"]) == (told, 1, [])
        poll = asyncio.create_task(ada.get(f"/api/v1/runs/{told['id']}?wait=20&after=1", timeout=30))
        changed = await ada.http.patch(f"/api/v1/runs/{told['id']}", json={"content": "And what then?"})
        assert changed.json()["run"]["request"]["content"] == "And what then?"
        news = (await poll).json()
        assert [each["event"] for each in news["events"]] == ["thread.run.updated"]
        assert news["run"] == changed.json()["run"]
        await ada.cancel(first["id"])
        over_sse, over_socket = await stream.until_end(), await socket.end_of(told["id"])
    history = agreed_end(server, told["id"], over_sse, over_socket)
    assert over_sse.texts == over_socket.texts == history.texts
    assert history.names[:4] == [
        *("thread.run.created", "thread.run.updated", "thread.message.created", "thread.message.created"),
    ]
    assert (history.end.name, history.content) == ("thread.run.completed", "t0 t1 t2")
    question = history.events[2].data["message"]
    assert (question["content"], question["parent_id"]) == ("And what then?", first["assistant_message_id"])
    timing = history.end.data["timing"]
    assert timing["queue_ms"] <= timing["first_token_ms"] <= timing["duration_ms"]


async def test_on_the_socket_it_waits_is_withdrawn_and_says_so(ada: Client, server: ChatServer) -> None:
    first = await half_written(ada)
    thread = first["thread_id"]
    frame = {"thread_id": thread, "content": "And?", "model": QUICK, "if_busy": "enqueue", "idempotency_key": "waits"}
    async with ada.socket() as socket:
        reply = (await socket.call("message.send", frame))["data"]
        run_id = reply["run_id"]
        assert reply == {"run_id": run_id, "user_message_id": None, "replayed": False, "head": 1}
        again = (await socket.call("message.send", {**frame, "subscribe": False}))["data"]
        assert (again["run_id"], again["replayed"]) == (run_id, True)
        waited = asyncio.create_task(
            ada.post(
                f"/api/v1/threads/{thread}/runs?wait=true",
                {name: frame[name] for name in ("content", "model", "if_busy")},
                headers={"Idempotency-Key": "waits"},
                timeout=30,
            )
        )
        await asyncio.sleep(0.1)
        stopped = (await socket.call("run.cancel", {"run_id": run_id}))["data"]
        assert stopped == {"status": "cancelled", "head": 2}
        seen = await socket.end_of(run_id)
        ended = (await socket.call("subscribe", {"run_id": run_id, "after": 2}))["data"]
        assert ended["mode"] == "ended"
    history = agreed_end(server, run_id, seen)
    assert history.names == ["thread.run.created", "thread.run.cancelled"]
    assert (await waited).json() == {"run": history.end.data["run"], "message": None, "steps": []}
    assert (await ada.cancel(run_id)).status_code == 200
    assert (await ada.get(f"/api/v1/runs/{run_id}/events?after=2")).status_code == 204
    async with ada.events(run_id, after=1, query="snapshot=1") as stream:
        once_more = await stream.until_end()
    assert once_more.snapshot is not None
    assert (once_more.snapshot.data["messages"], once_more.end.data["run"]["status"]) == ([], "cancelled")
    assert (await ada.look(run_id))["messages"] == []
    await ada.cancel(first["id"])
    await ada.ended(first["id"])
    assert [message["role"] for message in (await shown(ada, thread))["results"]] == ["user", "assistant"]


async def test_what_is_wrong_is_refused_by_code(ada: Client, bob: Client, server: ChatServer) -> None:
    first = await half_written(ada)
    path = f"/api/v1/threads/{first['thread_id']}/runs"
    run = await ada.start(model=QUICK, thread=first["thread_id"], if_busy="enqueue")
    address = f"/api/v1/runs/{run['id']}"

    async def refusal(client: Client, method: str, where: str, body: Any) -> tuple[int, str]:
        answer = await client.http.request(method, where, json=body)
        return answer.status_code, answer.json()["error"]["code"]

    assert await refusal(ada, "PATCH", address, {"content": "x", "model": "y"}) == (400, "unknown_field")
    for wrong in ({}, {"content": ""}, {"content": " \n"}, {"content": 7}, {"content": "x" * 400_001}):
        assert await refusal(ada, "PATCH", address, wrong) == (400, "invalid_request")
    assert await refusal(bob, "PATCH", address, {"content": "x"}) == (404, "not_found")
    assert await refusal(ada, "PATCH", f"/api/v1/runs/{first['id']}", {"content": "x"}) == (409, "not_waiting")
    plain = {"content": "x", "model": QUICK}
    again = {"regenerate": first["assistant_message_id"], "if_busy": "enqueue"}
    assert await refusal(ada, "POST", path, again) == (400, "invalid_request")
    assert await refusal(ada, "POST", path, plain) == (409, "thread_busy")
    for _ in range(2):
        await ada.start(model=QUICK, thread=first["thread_id"], if_busy="enqueue")
    assert await refusal(ada, "POST", path, {**plain, "if_busy": "enqueue"}) == (409, "queue_full")
    assert (await ada.http.delete(f"/api/v1/threads/{first['thread_id']}")).status_code == 204
    assert (await ada.get(address)).status_code == 404


async def test_many_hands_at_once_fill_the_queue_in_one_order(ada: Client, server: ChatServer) -> None:
    first = await half_written(ada)
    thread = first["thread_id"]
    path, cursor = f"/api/v1/threads/{thread}/runs", (await ada.get("/api/v1/threads")).json()["feed_cursor"]
    async with ada.socket() as socket:
        await socket.call("subscribe", {"feed": True, "after": cursor})

        async def by_post(number: int) -> Any:
            body = {"content": f"post {number}", "model": QUICK, "if_busy": "enqueue"}
            answer = (await ada.post(path, body)).json()
            return answer["run"]["id"] if "run" in answer else answer["error"]["code"]

        async def by_socket(number: int) -> Any:
            body = {"content": f"frame {number}", "model": QUICK, "if_busy": "enqueue"}
            reply = await socket.call("message.send", {**body, "thread_id": thread, "subscribe": False})
            return reply["data"].get("run_id") or reply["data"]["code"]

        said = await asyncio.gather(*(send(number) for number in range(4) for send in (by_post, by_socket)))
        assert said.count("queue_full") == 5
        waiting = (await ada.get(f"/api/v1/threads/{thread}")).json()["waiting_runs"]
        assert sorted(waiting) == sorted(run for run in said if run != "queue_full")
        queues = [frame["data"]["waiting"] for frame in socket.frames if frame["event"] == "thread.queue.updated"]
        assert [len(queue) for queue in queues] == [1, 2, 3]
        assert [run["id"] for run in queues[-1]] == waiting
        assert queues[-1] == (await shown(ada, thread))["waiting"]
        await ada.cancel(first["id"])
        for run_id in waiting:
            await ada.ended(run_id)
        page = await shown(ada, thread)
        asked = [message["content"] for message in page["results"] if message["role"] == "user"]
        assert asked == ["Hello", *(run["request"]["content"] for run in queues[-1])]
        assert page["waiting"] == []


async def test_who_interrupts_is_answered_first_and_the_queue_goes_on_after_it(ada: Client, server: ChatServer) -> None:
    first = await half_written(ada)
    thread = first["thread_id"]
    waiting = [await ada.start(f"waits {n}", model=QUICK, thread=thread, if_busy="enqueue") for n in range(2)]
    urgent = await ada.start("Now!", model=QUICK, thread=thread, if_busy="interrupt")
    for run in (urgent, *waiting):
        agreed_end(server, run["id"], await ada.replay(run["id"]))
    asked = [message["content"] for message in (await shown(ada, thread))["results"] if message["role"] == "user"]
    assert asked == ["Hello", "Now!", "waits 0", "waits 1"]


@pytest.mark.timeout(300)
async def test_what_waits_when_the_server_is_killed_begins_once_and_in_order(
    make_server: MakeServer, people: People, standin: StandIn
) -> None:
    server = make_server().start()
    expected: list[str] = []
    runs: list[str] = []
    thread = ""
    for life in range(KILLS):
        async with Client(server.url, people["ada"].token) as ada:
            thread = thread or await ada.new_thread()
            sent = [await ada.start(f"{life} begins", model="ollama/slow-20@100", thread=thread)]
            for number in range(3):
                sent.append(
                    await ada.start(
                        f"{life} waits {number}", model="ollama/slow-5@100", thread=thread, if_busy="enqueue"
                    )
                )
            changed = f"{life} changed"
            answer = await ada.http.patch(f"/api/v1/runs/{sent[3]['id']}", json={"content": changed})
            taken = answer.status_code == 200  # else a slow machine has come to it already
            expected += [f"{life} begins", f"{life} waits 0", f"{life} waits 1"]
            expected.append(changed if taken else f"{life} waits 2")
            runs += [run["id"] for run in sent]
            await asyncio.sleep(random.uniform(0.0, 0.6))
            await asyncio.to_thread(server.kill)
        server.start()
        async with Client(server.url, people["ada"].token) as ada:
            for run in sent:
                await ada.ended(run["id"], within=40)
    async with Client(server.url, people["ada"].token) as ada:
        page = await shown(ada, thread)
        asked = [message["content"] for message in page["results"] if message["role"] == "user"]
        assert (asked, page["waiting"], page["next"]) == (expected, [], None)
    for run_id in runs:
        agreed_end(server, run_id)

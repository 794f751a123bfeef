"""Everything one can post to start an answer, and every way to be refused."""

from typing import Any

import httpx
import pytest

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.people import People
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = pytest.mark.process
MODEL = "ollama/slow-5@max"
TEXT = "t0 t1 t2 t3 t4"


async def new_thread(client: Client) -> str:
    made = await client.post("/api/v1/threads", {})
    assert made.status_code == 201, made.text
    identifier: str = made.json()["id"]
    return identifier


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The error of an answer that has the one shape."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json"), answer.text
    body = answer.json()
    assert list(body) == ["error"]
    assert set(body["error"]) == {"code", "message", "retryable", "retry_after_ms", "details", "log_id"}
    assert body["error"]["code"] == code
    error: dict[str, Any] = body["error"]
    return error


async def test_a_run_is_accepted_and_says_where_its_events_are(ada: Client, server: ChatServer) -> None:
    thread = await new_thread(ada)
    answer = await ada.post(f"/api/v1/threads/{thread}/runs", {"content": "Hello", "model": MODEL})
    assert answer.status_code == 202
    run = answer.json()["run"]
    assert (run["thread_id"], run["status"], run["model"]) == (thread, "queued", MODEL)
    assert answer.json()["events_url"] == f"/api/v1/runs/{run['id']}/events"
    assert (await ada.ended(run["id"]))["messages"][-1]["content"] == TEXT
    agreed_end(server, run["id"])


async def test_whoever_waits_gets_the_finished_answer(ada: Client) -> None:
    thread = await new_thread(ada)
    answer = await ada.post(f"/api/v1/threads/{thread}/runs?wait=true", {"content": "Hello", "model": MODEL})
    assert answer.status_code == 200
    whole = answer.json()
    assert set(whole) == {"run", "message", "steps"}
    assert (whole["run"]["status"], whole["message"]["content"]) == ("completed", TEXT)


async def test_the_short_way_in_makes_a_thread_and_answers_whole(ada: Client) -> None:
    answer = await ada.post("/api/chat", {"message": "Hello", "model": MODEL})
    assert answer.status_code == 200
    whole = answer.json()
    assert set(whole) == {"thread_id", "run_id", "message", "steps", "usage", "timing"}
    assert (whole["message"]["content"], whole["message"]["status"]) == (TEXT, "completed")
    assert whole["usage"]["completion_tokens"] == 5
    again = await ada.post("/api/chat", {"message": "And?", "model": MODEL, "thread_id": whole["thread_id"]})
    assert again.json()["thread_id"] == whole["thread_id"]


async def test_the_short_way_in_streams(ada: Client, server: ChatServer) -> None:
    async with ada.stream("POST", "/api/chat/stream", body={"message": "Hello", "model": MODEL}) as stream:
        seen = await stream.until_end()
    assert (stream.status, seen.content) == (200, TEXT)
    agreed_end(server, seen.events[0].data["run_id"], seen)


async def test_the_demonstration_answers_when_asked_by_name(ada: Client, server: ChatServer) -> None:
    async with ada.stream("POST", "/api/chat/stream", body={"message": "Hello", "model": "demo/demo"}) as stream:
        seen = await stream.until_end()
    assert seen.end.name == "thread.run.completed"
    agreed_end(server, seen.events[0].data["run_id"], seen)


@pytest.mark.parametrize("path", ["/api/v1/threads/{thread}/runs", "/api/chat"])
async def test_a_key_leads_to_the_same_run(ada: Client, standin: StandIn, path: str) -> None:
    path = path.format(thread=await new_thread(ada))
    body = {"message" if path == "/api/chat" else "content": "Hello", "model": MODEL}
    headers = {"Idempotency-Key": f"key of {path}"}
    before = standin.stats()["chats"]
    first = await ada.post(path, body, headers=headers)
    second = await ada.post(path, body, headers=headers)
    assert first.status_code == second.status_code
    assert _run_of(first) == _run_of(second)
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    await ada.ended(_run_of(first))
    assert standin.stats()["chats"] == before + 1
    refused(await ada.post(path, {**body, "model": "demo/demo"}, headers=headers), 422, "idempotency_conflict")


async def test_a_key_leads_to_the_same_run_on_every_transport(ada: Client) -> None:
    thread = await new_thread(ada)
    body = {"content": "Hello", "model": MODEL}
    first = await ada.post(f"/api/v1/threads/{thread}/runs", body, headers={"Idempotency-Key": "both"})
    async with ada.stream(
        "POST", f"/api/v1/threads/{thread}/runs", body=body, headers={"Idempotency-Key": "both"}
    ) as stream:
        seen = await stream.until_end()
    async with ada.socket() as socket:
        reply = await socket.call("message.send", {**body, "thread_id": thread, "idempotency_key": "both"})
        over_socket = await socket.end_of(reply["data"]["run_id"])
    assert stream.response.headers["idempotency-replayed"] == "true"
    assert reply["data"]["replayed"] is True
    assert reply["data"]["run_id"] == _run_of(first) == seen.events[0].data["run_id"]
    assert over_socket.texts == seen.texts


async def test_a_busy_thread_says_what_it_is_busy_with(ada: Client, standin: StandIn) -> None:
    run = await ada.start(model="ollama/gated-3")
    path = f"/api/v1/threads/{run['thread_id']}/runs"
    error = refused(await ada.post(path, {"content": "And?", "model": MODEL}), 409, "thread_busy")
    assert error["details"]["run"]["id"] == run["id"]
    async with ada.socket() as socket:
        reply = await socket.call("message.send", {"thread_id": run["thread_id"], "content": "And?", "model": MODEL})
    assert reply["data"]["code"] == "thread_busy"
    await ada.cancel(run["id"])
    await ada.ended(run["id"])
    assert (await ada.post(path, {"content": "And?", "model": MODEL})).status_code == 202


async def test_a_thread_that_has_moved_on_is_stale(ada: Client) -> None:
    whole = (await ada.post("/api/chat", {"message": "Hello", "model": MODEL})).json()
    path = f"/api/v1/threads/{whole['thread_id']}/runs"
    body = {"content": "And?", "model": MODEL, "expected_head": whole["message"]["parent_id"]}
    assert refused(await ada.post(path, body), 409, "stale_head")["details"]["head"] == whole["message"]["id"]
    fresh = {**body, "expected_head": whole["message"]["id"]}
    assert (await ada.post(path, fresh)).status_code == 202


@pytest.mark.parametrize("path", ["/api/v1/threads/{thread}/runs", "/api/chat", "/api/chat/stream", "/api/v1/threads"])
async def test_a_bad_body_is_refused_in_one_shape(ada: Client, path: str) -> None:
    path = path.format(thread=await new_thread(ada))
    json_type = {"Content-Type": "application/json"}
    for raw in (b"{", b"\xff", b'{"a": NaN}', b"[" * 100_000, b'{"content": ' + b"9" * 6000 + b"}"):
        refused(await ada.http.post(path, content=raw, headers=json_type), 400, "invalid_json")
    for body in ([], "text", None):
        refused(await ada.http.post(path, content=_json(body), headers=json_type), 400, "invalid_request")
    unknown = {"message": "Hi", "content": "Hi", "surprise": 1}
    assert "surprise" in refused(await ada.post(path, unknown), 400, "unknown_field")["details"]["fields"]
    wrong_type = {"Content-Type": "text/plain"}
    refused(await ada.http.post(path, content=b'{"message": "Hi"}', headers=wrong_type), 415, "unsupported_media_type")
    form = await ada.http.post(path, data={"message": "Hi"})
    refused(form, 415, "unsupported_media_type")


async def test_a_body_beyond_the_limit_is_refused_before_it_is_read(ada: Client) -> None:
    body = b'{"message": "' + b"x" * 5_000_000 + b'"}'
    answer = await ada.http.post("/api/chat", content=body, headers={"Content-Type": "application/json"})
    refused(answer, 413, "body_too_large")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/chat"),
        ("DELETE", "/api/chat/stream"),
        ("GET", "/api/v1/threads/x/runs"),
        ("POST", "/api/v1/runs/x/events"),
        ("PUT", "/api/v1/runs/x"),
        ("GET", "/api/v1/runs/x/cancel"),
        ("POST", "/api/v1/models"),
    ],
)
async def test_a_wrong_method_is_refused_with_the_right_ones(ada: Client, method: str, path: str) -> None:
    answer = await ada.http.request(method, path)
    error = refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"]
    assert method not in answer.headers["allow"]
    assert error["message"]


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v2/threads", "/api/chat/", "/v1/nothing", "/ollama/nothing"])
async def test_an_unknown_address_is_told_in_the_same_shape(ada: Client, path: str) -> None:
    for method in ("GET", "POST"):
        refused(await ada.http.request(method, path), 404, "not_found")


async def test_nobody_gets_in_without_a_token(ada: Client, server: ChatServer) -> None:
    thread = await new_thread(ada)
    for token in (None, "chat_000000000000_" + "x" * 43, "nonsense"):
        async with Client(server.url, token) as stranger:
            for method, path in (
                ("POST", "/api/chat"),
                ("POST", f"/api/v1/threads/{thread}/runs"),
                ("GET", "/api/v1/models"),
                ("GET", f"/api/v1/runs/{thread}/events"),
            ):
                answer = await stranger.http.request(method, path, json={} if method == "POST" else None)
                refused(answer, 401, "not_authenticated")
                assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_for_reading_cannot_send_or_stop(ada: Client, server: ChatServer, people: People) -> None:
    run = await ada.start(model=MODEL)
    await ada.ended(run["id"])
    async with Client(server.url, people["ada"].reading_token) as reader:
        assert (await reader.get(f"/api/v1/runs/{run['id']}")).status_code == 200
        body = {"content": "Hello", "model": MODEL}
        refused(await reader.post(f"/api/v1/threads/{run['thread_id']}/runs", body), 403, "forbidden")
        refused(await reader.cancel(run["id"]), 403, "forbidden")
        refused(await reader.post("/api/chat", {"message": "Hello"}), 403, "forbidden")


async def test_other_peoples_threads_cannot_be_sent_to(ada: Client, bob: Client) -> None:
    thread = await new_thread(ada)
    body = {"content": "Hello", "model": MODEL}
    theirs = await bob.post(f"/api/v1/threads/{thread}/runs", body)
    unknown = await bob.post("/api/v1/threads/0190a000-0000-7000-8000-000000000000/runs", body)
    refused(theirs, 404, "not_found")
    assert theirs.content == unknown.content
    refused(await bob.post("/api/chat", {"message": "Hello", "model": MODEL, "thread_id": thread}), 404, "not_found")


async def test_an_unknown_model_is_refused_with_the_nearest_names(ada: Client) -> None:
    error = refused(await ada.post("/api/chat", {"message": "Hello", "model": "lama3.2"}), 400, "model_unknown")
    assert "ollama/llama3.2:latest" in error["details"]["nearest"]


async def test_texts_arrive_as_they_were_sent(ada: Client, server: ChatServer) -> None:
    message = "Grüße 👩‍💻 \u2028 \u2029 \x85 \x0b <script> & \x7f العربية \x00 end"
    async with ada.stream("POST", "/api/chat/stream", body={"message": message, "model": "ollama/plain"}) as stream:
        seen = await stream.until_end()
    question = seen.events[1].data["message"]
    assert question["content"] == message.replace("\x00", "\ufffd")
    assert " ".join(question["content"].split()) in " ".join(seen.content.split())
    agreed_end(server, question["run_id"] or seen.events[0].data["run_id"], seen)


def _run_of(answer: httpx.Response) -> str:
    body = answer.json()
    identifier: str = body["run"]["id"] if "run" in body else body["run_id"]
    return identifier


def _json(value: Any) -> bytes:
    return httpx.Request("POST", "http://x", json=value).content if value is not None else b"null"


async def test_a_stream_is_asked_for_in_any_case(ada: Client) -> None:
    path = f"/api/v1/threads/{await new_thread(ada)}/runs"
    headers = {"Accept": "application/json;q=0.5, Text/Event-Stream"}
    answer = await ada.http.post(path, json={"content": "Hi", "model": MODEL}, headers=headers)
    assert answer.headers["Content-Type"].startswith("text/event-stream")

"""Several models answer one question, over both transports."""

import pytest

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = pytest.mark.process
MODELS = ["ollama/slow-3@max", "demo/demo", "ollama/slow-5@max"]
TEXTS = {0: "t0 t1 t2", 2: "t0 t1 t2 t3 t4"}


async def test_each_model_answers_the_one_question_in_a_run_of_its_own(ada: Client, server: ChatServer) -> None:
    thread = await ada.new_thread()
    answer = await ada.post(f"/api/v1/threads/{thread}/runs", {"content": "Hello", "models": MODELS})
    assert answer.status_code == 202, answer.text
    assert list(answer.json()) == ["runs"]
    runs = answer.json()["runs"]
    assert [(run["lane"], run["model"]) for run in runs] == list(enumerate(MODELS))
    assert len({run["user_message_id"] for run in runs}) == 1
    for run in runs:
        async with ada.stream("GET", run["events_url"]) as stream:
            seen = await stream.until_end()
        agreed_end(server, run["id"], seen)
        if run["lane"] in TEXTS:
            assert seen.content == TEXTS[run["lane"]]
    found = (await ada.get(f"/api/v1/threads/{thread}")).json()
    assert (found["head"], found["active_runs"]) == (runs[0]["assistant_message_id"], [])


async def test_the_next_question_is_asked_with_the_chosen_answer_only(ada: Client, standin: StandIn) -> None:
    thread = await ada.new_thread()
    path = f"/api/v1/threads/{thread}/runs?wait=true"
    whole = await ada.post(path, {"content": "Hello", "models": ["ollama/slow-3@max", "ollama/slow-5@max"]})
    assert whole.status_code == 200, whole.text
    finished = whole.json()["runs"]
    assert [one["message"]["content"] for one in finished] == [TEXTS[0], TEXTS[2]]
    assert {tuple(one) for one in finished} == {("run", "message", "steps")}
    await ada.post(path, {"content": "And?", "model": "ollama/slow-1@max", "parent_id": finished[1]["message"]["id"]})
    asked = [message["content"] for message in standin.stats()["bodies"][-1]["messages"]]
    assert asked == ["Hello", TEXTS[2], "And?"]


async def test_one_that_fails_leaves_the_others_their_answers(ada: Client) -> None:
    thread = await ada.new_thread()
    body = {"content": "Hello", "models": ["ollama/end-early", "ollama/slow-3@max"]}
    runs = (await ada.post(f"/api/v1/threads/{thread}/runs?wait=true", body)).json()["runs"]
    assert [one["run"]["status"] for one in runs] == ["failed", "completed"]
    assert runs[0]["run"]["error"]["code"] == "upstream_truncated"


async def test_several_runs_do_not_fit_one_stream_and_nothing_is_begun(ada: Client) -> None:
    thread = await ada.new_thread()
    path, body = f"/api/v1/threads/{thread}/runs", {"content": "Hello", "models": MODELS}
    refused = await ada.post(path, body, headers={"Accept": "text/event-stream"})
    assert (refused.status_code, refused.json()["error"]["details"]) == (400, {"field": "models"})
    refused = await ada.post(path, {**body, "models": ["demo/demo", "nobody/knows"]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "model_unknown")
    assert (await ada.get(f"/api/v1/threads/{thread}")).json()["head"] is None


async def test_a_socket_follows_them_all(ada: Client, server: ChatServer) -> None:
    frame = {"thread_id": await ada.new_thread(), "content": "Hello", "models": MODELS, "idempotency_key": "lanes"}
    async with ada.socket() as socket:
        reply = (await socket.call("message.send", frame))["data"]
        ids = [run["id"] for run in reply["runs"]]
        assert (reply["run_id"], len(ids), reply["replayed"]) == (ids[0], 3, False)
        for run_id in ids:
            agreed_end(server, run_id, await socket.end_of(run_id))
    path = f"/api/v1/threads/{frame.pop('thread_id')}/runs"
    again = await ada.post(path, frame)
    assert again.headers["idempotency-replayed"] == "true"
    assert [run["id"] for run in again.json()["runs"]] == ids

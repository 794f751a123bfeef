"""One conversation, told by two kinds of model servers: what readers see is the same."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import OpenAIStandIn, StandIn

pytestmark = pytest.mark.process

KEY = "sk-canary-of-nobody-0123456789"
IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
TIMES = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
MEASURED = re.compile(r'"(queue_ms|first_token_ms|duration_ms|tokens_per_second|chunks)":[\d.]+')
DELTAS = {"thread.message.delta": "content", "thread.run.step.in_progress": "details"}


@pytest.fixture(scope="module")
def keyed() -> Iterator[OpenAIStandIn]:
    with OpenAIStandIn("--key", KEY, "--listed", "thoughtful-tools") as keyed:
        yield keyed


@pytest.fixture(scope="module")
def models(keyed: OpenAIStandIn) -> Iterator[dict[str, StandIn]]:
    with StandIn("--listed", "thoughtful-tools") as ollama:
        yield {"ollama": ollama, "openai": keyed}


@pytest.fixture(scope="module")
def server(_maker: MakeServer, models: dict[str, StandIn]) -> Iterator[ChatServer]:
    where = {"OLLAMA_BASE_URL": models["ollama"].base_url, "OPENAI_BASE_URL": models["openai"].base_url}
    with _maker(**where, OPENAI_API_KEY=KEY) as server:
        yield server


@pytest_asyncio.fixture
async def ada(server: ChatServer, people: People) -> AsyncIterator[Client]:
    async with Client(server.url, people["ada"].token) as client:
        yield client


async def told(client: Client, server: ChatServer, model: str) -> list[Any]:
    """What the readers of a run see, but for what no two runs share: ids, times, and where pieces were cut."""
    body = {"message": "What is 6 * 7?", "model": model}
    async with client.stream("POST", "/api/chat/stream", body=body) as stream:
        seen = await stream.until_end(within=20)
    events: list[Any] = []
    for event in seen.events:
        name, piece = DELTAS.get(event.name), event.data.get(DELTAS.get(event.name, ""), "")
        if name and events and events[-1]["event"] == event.name and event.data.get("step") != "tool_calls":
            events[-1]["data"][name] += piece
        else:
            events.append({"event": event.name, "data": event.data})
    assert agreed_end(server, seen.end.data["run"]["id"], seen).ended
    text = MEASURED.sub(r'"\1":0', TIMES.sub("then", json.dumps(events, separators=(",", ":"))))
    known: dict[str, str] = {}
    text = IDS.sub(lambda found: known.setdefault(found[0], f"id{len(known)}"), text)
    text = re.sub(f"{model}(:latest)?", "MODEL", text)
    return list(json.loads(text.replace(f'"provider":"{model.split("/")[0]}"', '"provider":"WIRE"')))


async def test_a_conversation_with_thinking_and_parallel_tools_is_told_alike_by_both(
    ada: Client, server: ChatServer
) -> None:
    ollama = await told(ada, server, "ollama/thoughtful-tools")
    openai = await told(ada, server, "openai/thoughtful-tools")
    assert openai == ollama
    names = [event["event"] for event in openai]
    assert names.count("thread.run.step.completed") == 3
    assert openai[-1]["event"] == "thread.run.completed"
    (answer,) = (event["data"]["content"] for event in openai if event["event"] == "thread.message.delta")
    assert answer == "The result is 14 and 21."


async def test_what_is_asked_for_of_a_thread_and_a_run_reaches_the_model_and_is_shown(
    ada: Client, keyed: OpenAIStandIn
) -> None:
    wish = {"temperature": 0.5, "seed": 7, "stop": "END", "keep_alive": 60}
    made = await ada.post("/api/v1/threads", {"model": "openai/llama3.2", "parameters": wish})
    path = f"/api/v1/threads/{made.json()['id']}/runs"
    body = {"content": "Why?", "parameters": {"seed": None, "max_tokens": 900}}
    answered = (await ada.post(f"{path}?wait=true", body)).json()
    assert answered["run"]["status"] == "completed"
    asked = keyed.stats()["bodies"][-1]
    assert {name: asked.get(name) for name in ("temperature", "seed", "stop", "max_tokens", "keep_alive")} == {
        "temperature": 0.5,
        "seed": None,
        "stop": ["END"],
        "max_tokens": 900,
        "keep_alive": None,
    }
    shown = (await ada.get(f"/api/v1/runs/{answered['run']['id']}")).json()
    assert shown["parameters"] == {"temperature": 0.5, "stop": "END", "keep_alive": 60, "max_tokens": 900}
    assert [(notice["code"], notice["details"]) for notice in shown["run"]["notices"]] == [
        ("parameters_left_out", {"names": ["keep_alive"]})
    ]


@pytest.mark.parametrize("provider", ["ollama", "openai"])
async def test_a_run_whose_thread_is_too_long_says_so_to_readers_of_both_transports(
    ada: Client, server: ChatServer, models: dict[str, StandIn], provider: str
) -> None:
    thread = (await ada.post("/api/v1/threads", {"system_prompt": "Be brief."})).json()["id"]
    model = f"{provider}/window-640"
    for content in ("first " * 160, "second " * 60):
        before = await ada.start(content, model=model, thread=thread)
        assert (await ada.ended(before["id"]))["run"]["notices"] == []
    models[provider].reset()
    run = await ada.start("third " * 60, model=model, thread=thread, system_prompt="Rhyme.", tools=[])
    async with ada.socket() as socket:
        await socket.subscribe(run["id"])
        over_socket = await socket.end_of(run["id"])
    over_sse = await ada.replay(run["id"])
    assert over_sse.texts == over_socket.texts
    assert agreed_end(server, run["id"], over_sse, over_socket).ended
    state = await ada.look(run["id"])
    assert over_sse.end.data["run"]["notices"] == state["run"]["notices"]
    (notice,) = state["run"]["notices"]
    assert (notice["code"], notice["details"]) == (
        "context_dropped",
        {"messages": 2, "turns": 1, "window": 640, "at_least": False},
    )
    assert state["system_prompt"] == "Rhyme."
    bodies = models[provider].stats()["bodies"]  # all of it, which was refused, and then less
    asked = [[message["content"].split()[0] for message in body["messages"]] for body in bodies]
    assert asked == [["Rhyme.", "first", "You", "second", "You", "third"], ["Rhyme.", "second", "You", "third"]]
    if provider == "ollama":  # nothing is left out without a word, and nothing makes it load the model anew
        assert [(body["truncate"], "num_ctx" in body.get("options", {})) for body in bodies] == [(False, False)] * 2


@pytest.mark.parametrize(
    ("wish", "code"),
    [({"temperature": 3}, "invalid_request"), ({"num_ctx": 4096}, "unknown_field"), ({"stop": []}, "invalid_request")],
)
async def test_a_wish_that_no_model_server_can_have_is_refused_and_opens_nothing(
    ada: Client, wish: dict[str, Any], code: str
) -> None:
    thread = await ada.new_thread()
    refused = await ada.post(f"/api/v1/threads/{thread}/runs", {"content": "Why?", "parameters": wish})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, code)
    assert (await ada.get(f"/api/v1/threads/{thread}")).json()["head"] is None


async def test_a_stop_closes_the_connection_to_an_openai_compatible_server(
    ada: Client, server: ChatServer, keyed: OpenAIStandIn
) -> None:
    keyed.reset()
    run = await ada.start(model="openai/slow-1000@50")
    async with ada.events(run["id"]) as stream:
        while "t5 " not in stream.transcript.content:
            assert await stream.next() is not None
        await ada.cancel(run["id"])
        seen = await stream.until_end(within=10)
    assert agreed_end(server, run["id"], seen).end.data["receipt"]["upstream_closed"] is True
    stats = keyed.wait_for(lambda stats: stats["aborted"])
    assert (stats["active"], stats["connections"]) == (0, 0)


@pytest.mark.parametrize(("way", "text"), [("goes-on", 24), ("repeats", 24), ("begins-again", 12), ("refuses", 12)])
async def test_an_answer_of_an_openai_compatible_server_is_gone_on_with_or_left_as_it_was(
    ada: Client, server: ChatServer, keyed: OpenAIStandIn, way: str, text: int
) -> None:
    first = await ada.start(model=f"openai/{way}-12")
    async with ada.events(first["id"]) as stream:
        while "t11" not in stream.transcript.content:
            assert await stream.next() is not None
        await ada.cancel(first["id"])
        await stream.until_end()
    path, body = f"/api/v1/threads/{first['thread_id']}/runs", {"continue": first["assistant_message_id"]}
    async with ada.stream("POST", path, body=body) as stream:
        seen = await stream.until_end()
    agreed_end(server, seen.events[0].data["run_id"], seen)
    assert keyed.stats()["bodies"][-1]["messages"][-1]["role"] == "assistant"
    shown = (await ada.get(f"/api/v1/threads/{first['thread_id']}/messages")).json()["results"]
    assert shown[-1]["content"] == " ".join(f"t{number}" for number in range(text))


async def test_the_key_stands_in_no_answer_and_in_no_log(ada: Client, server: ChatServer) -> None:
    answers = [
        await ada.get("/api/v1/models"),
        await ada.post("/api/chat", {"message": "x", "model": "openai/status-401"}),
    ]
    assert answers[1].json()["error"]["code"] == "upstream_key"
    assert {"name": "openai", "kind": "openai", "ok": True, "message": ""} in answers[0].json()["servers"]
    assert KEY not in server.log + "".join(answer.text for answer in answers)


async def test_a_wrong_key_is_told_to_whoever_looks_at_the_models_and_to_whoever_asks(
    make_server: MakeServer, keyed: OpenAIStandIn, people: People
) -> None:
    wrong = "sk-wrong-key-of-nobody"
    server = make_server(OPENAI_BASE_URL=keyed.base_url, OPENAI_API_KEY=wrong, LOG_LEVEL="debug").start()
    async with Client(server.url, people["ada"].token) as client:
        listed = await client.get("/api/v1/models")
        answer = await client.post("/api/chat", {"message": "Hello", "model": "openai/llama3.2"})
    (state,) = (one for one in listed.json()["servers"] if one["name"] == "openai")
    assert (state["ok"], "administrator must check the key" in state["message"]) == (False, True)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_key")
    assert wrong not in listed.text + answer.text + server.log

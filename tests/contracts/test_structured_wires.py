"""Answers that are to have a form, and answers that are gone on with, from both kinds of model servers and over both
transports: what a program gets is the same.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

import pytest
import pytest_asyncio
from openai.lib._parsing._completions import type_to_response_format_param
from pydantic import BaseModel

from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import OpenAIStandIn, StandIn
from tests.support.transcript import Transcript

pytestmark = pytest.mark.process


class Person(BaseModel):
    name: str
    age: int


FORM: Any = type_to_response_format_param(Person)  # as the official library asks for it
ADA = '{"name": "Ada", "age": 36}'
WIRES = pytest.mark.parametrize("wire", ["ollama", "openai"])
Way = Literal["sse", "socket"]


@pytest.fixture(scope="module")
def standins() -> Iterator[dict[str, StandIn]]:
    with StandIn("--listed", "no-form") as ollama, OpenAIStandIn("--listed", "no-form") as openai:
        yield {"ollama": ollama, "openai": openai}


@pytest.fixture(scope="module")
def server(_maker: MakeServer, standins: dict[str, StandIn]) -> Iterator[ChatServer]:
    addresses = {f"{wire.upper()}_BASE_URL": standin.base_url for wire, standin in standins.items()}
    with _maker(**addresses) as server:
        yield server


@pytest_asyncio.fixture
async def ada(server: ChatServer, people: People) -> AsyncIterator[Client]:
    async with Client(server.url, people["ada"].token) as client:
        yield client


async def told(client: Client, body: dict[str, Any], *, way: Way = "sse", thread: str | None = None) -> Transcript:
    """What a reader of one transport sees of a run, from its first event to its last."""
    thread = thread or await client.new_thread()
    if way == "socket":
        async with client.socket() as socket:
            reply = await socket.call("message.send", {"thread_id": thread, **body})
            assert reply["event"] == "ack", reply
            return await socket.end_of(reply["data"]["run_id"], within=20)
    async with client.stream("POST", f"/api/v1/threads/{thread}/runs", body=body) as stream:
        return await stream.until_end(within=20)


def asking(model: str, **more: Any) -> dict[str, Any]:
    return {"content": "Who is it?", "model": model, "response_format": FORM, **more}


def whole(seen: Transcript) -> str:
    """The answer as it was when the run ended: of one that was gone on with, more than this run's pieces."""
    content: str = next(event.data["message"]["content"] for event in reversed(seen.events) if "message" in event.data)
    assert content.endswith(seen.content)
    return content


def outcome(seen: Transcript) -> tuple[str, str, bool, bool]:
    run = seen.end.data["run"]
    return run["status"], whole(seen), run["structured"]["valid"], run["structured"]["repaired"]


@WIRES
@pytest.mark.parametrize("way", ["sse", "socket"])
@pytest.mark.parametrize(
    ("model", "valid", "repaired"),
    [("form-good", True, False), ("form-fenced", True, False), ("form-mends", True, True), ("form-never", False, True)],
)
async def test_a_program_gets_its_json_whatever_the_model_makes_of_it(
    ada: Client, server: ChatServer, wire: str, way: Way, model: str, valid: bool, repaired: bool
) -> None:
    seen = await told(ada, asking(f"{wire}/{model}"), way=way)
    status, content, *of_form = outcome(seen)
    assert (status, of_form) == ("completed", [valid, repaired])
    assert (content == ADA) is valid
    run_id = seen.end.data["run"]["id"]
    agreed_end(server, run_id, seen)
    shown = await ada.look(run_id)
    assert shown["response_format"] == FORM
    assert shown["run"]["structured"] == seen.end.data["run"]["structured"]


async def test_each_wire_has_its_own_words_for_it(ada: Client, standins: dict[str, StandIn]) -> None:
    for wire in standins:
        await told(ada, asking(f"{wire}/form-mends"))
    bodies = {wire: standin.stats()["bodies"][-2:] for wire, standin in standins.items()}
    schema = FORM["json_schema"]["schema"]
    assert [body["format"] for body in bodies["ollama"]] == [schema, schema]
    assert [body["response_format"] for body in bodies["openai"]] == [FORM, FORM]
    for first, second in bodies.values():
        assert "JSON Schema, Person" in first["messages"][0]["content"]
        assert "is not of type 'integer'" in second["messages"][-1]["content"]
        assert "tools" not in first  # none, where none is named


async def test_any_object_is_asked_for_in_words_that_each_takes(ada: Client, standins: dict[str, StandIn]) -> None:
    for wire in standins:
        seen = await told(ada, asking(f"{wire}/form-good", response_format={"type": "json_object"}))
        assert outcome(seen) == ("completed", ADA, True, False)
    assert standins["ollama"].stats()["bodies"][-1]["format"] == "json"
    assert standins["openai"].stats()["bodies"][-1]["response_format"] == {"type": "json_object"}


@WIRES
async def test_a_server_that_takes_no_form_is_asked_without_and_that_is_told(ada: Client, wire: str) -> None:
    seen = await told(ada, asking(f"{wire}/no-form"))
    assert outcome(seen) == ("completed", ADA, True, False)
    (notice,) = seen.end.data["run"]["notices"]
    assert (notice["code"], notice["details"]) == ("not_taken", {"names": ["response_format"]})


async def test_whoever_waits_gets_it_whole(ada: Client) -> None:
    answer = await ada.post(f"/api/v1/threads/{await ada.new_thread()}/runs?wait=true", asking("ollama/form-mends"))
    assert answer.status_code == 200
    assert Person.model_validate_json(answer.json()["message"]["content"]) == Person(name="Ada", age=36)


@pytest.mark.parametrize("way", ["sse", "socket"])
async def test_a_schema_that_is_not_taken_is_refused_with_its_place(ada: Client, way: Way) -> None:
    schema = {"properties": {"a": {"$ref": "http://127.0.0.1:9/schema"}}}
    wish = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    body, thread = asking("ollama/form-good", response_format=wish), await ada.new_thread()
    if way == "socket":
        async with ada.socket() as socket:
            error = (await socket.call("message.send", {"thread_id": thread, **body}))["data"]
    else:
        refused = await ada.post(f"/api/v1/threads/{thread}/runs", body)
        assert refused.status_code == 400
        error = refused.json()["error"]
    assert error["code"] == "invalid_request"
    assert error["details"] == {"field": "response_format.json_schema.schema.properties.a.$ref"}


@WIRES
@pytest.mark.parametrize("way", ["sse", "socket"])
async def test_a_form_that_was_cut_off_is_gone_on_with(ada: Client, wire: str, way: Way) -> None:
    first = await told(ada, asking(f"{wire}/form-cut"), way=way)
    assert outcome(first) == ("incomplete", ADA.removesuffix(" 36}"), False, False)
    assert first.end.data["reason"] == "max_tokens"
    run = first.end.data["run"]
    second = await told(ada, {"continue": run["assistant_message_id"]}, way=way, thread=run["thread_id"])
    assert outcome(second) == ("completed", ADA, True, False)


@WIRES
@pytest.mark.parametrize(
    ("model", "status", "words"),
    [
        ("goes-on-12@max", "completed", 12),
        ("repeats-12@max", "completed", 12),
        ("think-12@max", "completed", 12),
        ("begins-again-12@max", "incomplete", 5),
        ("refuses-12@max", "incomplete", 5),
    ],
)
async def test_what_ended_at_its_length_is_gone_on_with_or_left_as_it_was(
    ada: Client, server: ChatServer, standins: dict[str, StandIn], wire: str, model: str, status: str, words: int
) -> None:
    """``max_tokens`` was what the run before had; what else it was asked with holds."""
    wish = {"max_tokens": 5, "seed": 7}
    first = await told(ada, {"content": "Count.", "model": f"{wire}/{model}", "parameters": wish})
    run = first.end.data["run"]
    assert (run["status"], first.end.data["reason"]) == ("incomplete", "max_tokens")
    assert first.content == " ".join(f"t{number}" for number in range(5))
    second = await told(ada, {"continue": run["assistant_message_id"]}, thread=run["thread_id"])
    agreed_end(server, second.end.data["run"]["id"], second)
    assert second.end.data["run"]["status"] == status
    shown = (await ada.get(f"/api/v1/threads/{run['thread_id']}/messages")).json()["results"]
    assert shown[-1]["content"] == " ".join(f"t{number}" for number in range(words))
    assert (await ada.look(second.end.data["run"]["id"]))["parameters"] == {"seed": 7}
    asked = standins[wire].stats()["bodies"][-1]
    assert asked["messages"][-1]["content"] == first.content
    assert "reasoning_effort" not in asked
    assert asked.get("think", False) is False


@WIRES
async def test_its_limits_are_the_thread_s_as_they_are_now(ada: Client, wire: str) -> None:
    made = await ada.post("/api/v1/threads", {"parameters": {"max_tokens": 5}})
    thread = made.json()["id"]
    first = await told(ada, {"content": "Count.", "model": f"{wire}/goes-on-12@max"}, thread=thread)
    message = first.end.data["run"]["assistant_message_id"]
    second = await told(ada, {"continue": message}, thread=thread)
    assert (second.end.data["reason"], second.content.split()[-1]) == ("max_tokens", "t9")
    await ada.http.patch(f"/api/v1/threads/{thread}", json={"parameters": {}})
    third = await told(ada, {"continue": message}, thread=thread)
    assert (third.end.data["run"]["status"], third.content.split()[-1]) == ("completed", "t11")


@WIRES
async def test_an_answer_whose_process_died_over_it_is_gone_on_with(
    make_server: MakeServer, people: People, standins: dict[str, StandIn], wire: str
) -> None:
    """Its model was not known to go on with an answer, and was not able to when it was asked; by now it is."""
    server = make_server(**{f"{wire.upper()}_BASE_URL": standins[wire].base_url}).start()
    async with Client(server.url, people["ada"].token) as client:
        run = await client.start("Count.", model=f"{wire}/begins-again-12")
        async with client.events(run["id"]) as stream:
            while "t11" not in stream.transcript.content:
                assert await stream.next() is not None
        server.kill()
        server.start()
        ended = await client.ended(run["id"], within=30)
        assert (ended["run"]["status"], ended["messages"][-1]["status"]) == ("incomplete", "incomplete")
        so_far = ended["messages"][-1]["content"]
        body = {"continue": run["assistant_message_id"], "model": f"{wire}/goes-on-12"}
        seen = await told(client, body, thread=run["thread_id"])
    assert seen.end.data["run"]["status"] == "completed"
    assert whole(seen) == " ".join(f"t{number}" for number in range(24))
    assert whole(seen).startswith(so_far)

"""Titles and follow-ups by a model: real bytes to both kinds of model server, and what all tabs are told of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.support.client import Client, Stream
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import OpenAIStandIn, StandIn

pytestmark = pytest.mark.process
GATED = "ollama/gated-2"  # as a title "t0 t1 t2 t3", once it is let go


@pytest.fixture(scope="module")
def server(_maker: MakeServer, compatible: OpenAIStandIn) -> Iterator[ChatServer]:
    with _maker(TITLES="on", FOLLOW_UPS="on", OPENAI_BASE_URL=compatible.base_url) as server:
        yield server


@pytest.fixture(autouse=True)
async def _counts_anew(standin: StandIn, compatible: OpenAIStandIn) -> AsyncIterator[None]:
    for each in (standin, compatible):
        await asyncio.to_thread(each.reset)
    yield
    await asyncio.to_thread(standin.release)


async def heard(stream: Stream, event: str, **wanted: Any) -> dict[str, Any]:
    """The data of the first of the feed's events of this name that has all that."""
    async with asyncio.timeout(20):
        while True:
            for message in stream.parser.feed(await anext(stream._chunks)):
                envelope = json.loads(message.data)
                data: dict[str, Any] = envelope["data"]
                if envelope["event"] == event and wanted.items() <= data.get("thread", data).items():
                    return data


async def title_of(client: Client, thread: str) -> tuple[str, str]:
    found = (await client.get(f"/api/v1/threads/{thread}")).json()
    return found["title"], found["title_by"]


async def log_says(server: ChatServer, *words: str) -> None:
    async with asyncio.timeout(20):
        while not any(all(word in line for word in words) for line in server.log.splitlines()):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("wire", ["ollama", "openai"])
async def test_they_come_to_all_tabs_when_the_answer_is_done(
    ada: Client, standin: StandIn, compatible: OpenAIStandIn, wire: str
) -> None:
    after = (await ada.get("/api/v1/threads")).json()["feed_cursor"]
    async with ada.socket() as socket, ada.stream("GET", f"/api/v1/events?after={after}") as stream:
        await socket.call("subscribe", {"feed": True, "after": after})
        run = await ada.start("Why is the sky blue?", model=f"{wire}/namer")
        told = await heard(stream, "thread.updated", id=run["thread_id"], title_by="model")
        assert told["thread"]["title"] == "About Why is the sky"
        questions = ["What else about blue?", "Who found that out?", "Is it always so?"]
        added = {"thread_id": run["thread_id"], "message_id": run["assistant_message_id"], "follow_ups": questions}
        assert await heard(stream, "message.updated") == added
        assert (await socket.frame(lambda frame: frame["event"] == "message.updated"))["data"] == added
        frames = [frame for frame in socket.frames if frame["event"].startswith(("thread.", "message."))]
        # After the end of the answer, and each once.
        assert [frame["event"] for frame in frames[-3:]] == [
            "thread.run.completed",
            "thread.updated",
            "message.updated",
        ]
        assert frames[-2]["data"] == told
    page = (await ada.get(f"/api/v1/threads/{run['thread_id']}/messages")).json()["results"]
    assert [message["follow_ups"] for message in page] == [[], questions]
    answer, title, follow_ups = (standin if wire == "ollama" else compatible).stats()["bodies"]
    assert len(answer["messages"]) == 1
    assert "tools" not in title
    assert "tools" not in follow_ups
    for body, most in ((title, 100), (follow_ups, 250)):
        assert len(json.dumps(body)) < 2000
        if wire == "ollama":
            assert (body["think"], body["options"]) == (False, {"num_predict": most})
        else:
            assert body["max_tokens"] == most


@pytest.fixture(scope="module")
def patient_server(_maker: MakeServer) -> Iterator[ChatServer]:
    with _maker(TITLES="on", TASK_MODEL=GATED, TITLE_TIMEOUT=60) as server:
        yield server


async def being_asked(standin: StandIn) -> None:
    def asked(stats: dict[str, Any]) -> bool:
        return bool(stats["active"] == 1 and stats["bodies"][-1]["model"] == "gated-2")

    await asyncio.to_thread(standin.wait_for, asked, timeout=20)


async def test_a_person_who_renames_it_meanwhile_keeps_the_name(
    patient_server: ChatServer, people: People, standin: StandIn
) -> None:
    async with Client(patient_server.url, people["ada"].token) as ada:
        run = await ada.start("Why is the sky blue?", model="ollama/plain")
        await ada.ended(run["id"])
        await being_asked(standin)
        await ada.http.patch(f"/api/v1/threads/{run['thread_id']}", json={"title": "Mine"})
        await asyncio.to_thread(standin.release)
        await log_says(patient_server, "title by a model", run["thread_id"], '"kept": false')
        assert await title_of(ada, run["thread_id"]) == ("Mine", "person")


async def test_a_new_question_goes_first_and_the_title_comes_when_it_is_answered(
    patient_server: ChatServer, people: People, standin: StandIn
) -> None:
    async with Client(patient_server.url, people["ada"].token) as ada:
        first = await ada.start("Why is the sky blue?", model="ollama/plain")
        await being_asked(standin)
        other = await ada.start("And at night?", model="ollama/plain", thread=first["thread_id"])
        assert (await ada.ended(other["id"]))["run"]["status"] == "completed"
        await asyncio.to_thread(standin.wait_for, lambda stats: len(stats["aborted"]) == 1, timeout=20)
        await being_asked(standin)
        await asyncio.to_thread(standin.release)
        await log_says(patient_server, "title by a model", first["thread_id"], '"kept": true')
        assert await title_of(ada, first["thread_id"]) == ("t0 t1 t2 t3", "model")


async def test_a_stop_of_the_server_does_not_wait_for_it(
    make_server: MakeServer, people: People, standin: StandIn
) -> None:
    with make_server(TITLES="on", TASK_MODEL=GATED, TITLE_TIMEOUT=600, DRAIN_GRACE=60) as server:
        async with Client(server.url, people["ada"].token) as ada:
            run = await ada.start("Why is the sky blue?", model="ollama/plain")
            await ada.ended(run["id"])
            await being_asked(standin)
        server.terminate()
        assert await asyncio.to_thread(server.wait, within=30) == 0
        assert [left["model"] for left in standin.stats()["aborted"]] == ["gated-2"]


async def test_a_model_that_is_too_slow_is_left_alone_and_the_answer_does_not_wait(
    make_server: MakeServer, people: People, standin: StandIn
) -> None:
    with make_server(TITLES="on", TASK_MODEL=GATED, TITLE_TIMEOUT=0.3) as server:
        async with Client(server.url, people["ada"].token) as ada:
            run = await ada.start("Why is the sky blue?", model="ollama/plain")
            seen = await ada.replay(run["id"])  # to its end, while nobody lets the title go
            assert seen.end.name == "thread.run.completed"
            await asyncio.to_thread(standin.wait_for, lambda stats: len(stats["aborted"]) == 1, timeout=20)
            await log_says(server, "no title", run["thread_id"], "TimeoutError")
            assert await title_of(ada, run["thread_id"]) == ("Why is the sky blue?", "question")
    # The model that answers was asked first, and was done before the other one was.
    assert [body["model"] for body in standin.stats()["bodies"]] == ["plain:latest", "gated-2"]

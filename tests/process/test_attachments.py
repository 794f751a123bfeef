"""Files that go with a question, against a real server and model servers that see what they are asked."""

import asyncio
import base64
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.support import files
from tests.support.client import Client
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import OpenAIStandIn, StandIn

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def server(_maker: MakeServer, compatible: OpenAIStandIn) -> Iterator[ChatServer]:
    with _maker(OPENAI_BASE_URL=compatible.base_url) as server:
        yield server


async def attach(client: Client, data: bytes, name: str = "file") -> dict[str, Any]:
    answer = await client.http.post("/api/v1/attachments", files={"file": (name, data)})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def answered(client: Client, run: dict[str, Any]) -> dict[str, Any]:
    state = await client.ended(run["id"])
    assert state["run"]["status"] == "completed", state["run"]
    return state


def last_question(standin: StandIn) -> dict[str, Any]:
    found: dict[str, Any] = standin.stats()["bodies"][-1]["messages"][-1]
    return found


def is_the_picture(data: str, sent: dict[str, Any]) -> bool:
    raw = base64.b64decode(data, validate=True)
    return len(raw) == sent["size"] and Image.open(BytesIO(raw)).size == (sent["width"], sent["height"])


async def test_an_ollama_model_sees_the_picture_and_reads_the_text(ada: Client, standin: StandIn) -> None:
    picture, notes = await attach(ada, files.picture(), "cat.png"), await attach(ada, b"# Cats\n", "notes.md")
    run = await ada.start("Which cat?", model="ollama/slow-2@max", attachments=[picture["id"], notes["id"]])
    state = await answered(ada, run)
    asked = last_question(standin)
    assert [is_the_picture(image, picture) for image in asked["images"]] == [True]
    assert asked["content"].endswith("\n\nWhich cat?")
    assert '[File "notes.md" (text/markdown).' in asked["content"]
    assert "\n# Cats\n" in asked["content"]
    question = state["messages"][0]
    assert [each["id"] for each in question["attachments"]] == [picture["id"], notes["id"]]
    assert question["content"] == "Which cat?"
    assert state["run"]["notices"] == []


async def test_a_model_of_the_other_wire_does_too_and_one_that_refuses_pictures_is_asked_without(
    ada: Client, compatible: OpenAIStandIn
) -> None:
    picture = await attach(ada, files.picture(), "cat.png")
    await answered(ada, await ada.start("Which?", model="openai/slow-2@max", attachments=[picture["id"]]))
    text, shown = last_question(compatible)["content"]
    assert text["text"].endswith("\n\nWhich?")
    prefix, _, data = shown["image_url"]["url"].partition(",")
    assert (prefix, is_the_picture(data, picture)) == ("data:image/png;base64", True)
    state = await answered(ada, await ada.start("Which?", model="openai/no-images", attachments=[picture["id"]]))
    assert isinstance(last_question(compatible)["content"], str)
    assert [(each["code"], each["details"]) for each in state["run"]["notices"]] == [
        ("not_taken", {"names": ["images"]})
    ]


async def test_who_cannot_see_is_not_shown_anything_and_the_run_says_so(ada: Client, standin: StandIn) -> None:
    picture = await attach(ada, files.picture(), "cat.png")
    state = await answered(ada, await ada.start("?", model="ollama/plain:latest", attachments=[picture["id"]]))
    assert "images" not in last_question(standin)
    assert [each["code"] for each in state["run"]["notices"]] == ["images_left_out"]


async def test_what_was_attached_is_told_again_later_on_every_way(ada: Client, standin: StandIn) -> None:
    """An earlier question keeps its file in the prompt; asked again, edited, by socket, side by side."""
    notes = await attach(ada, b"canary", "notes.txt")
    thread = await ada.new_thread()
    named = {"model": "ollama/slow-2@max", "thread": thread}
    first = await answered(ada, await ada.start("One", **named, attachments=[notes["id"]]))
    await answered(ada, await ada.start("Two", **named))
    assert ["canary" in each["content"] for each in standin.stats()["bodies"][-1]["messages"]] == [True, False, False]

    address = f"/api/v1/threads/{thread}/runs"
    again = await ada.post(address, {"regenerate": first["run"]["assistant_message_id"], "model": "ollama/slow-2@max"})
    await answered(ada, again.json()["run"])
    assert "canary" in last_question(standin)["content"]

    edited = {"edit": first["run"]["user_message_id"], "content": "One, but", "model": "ollama/slow-2@max"}
    await answered(ada, (await ada.post(address, edited)).json()["run"])
    assert last_question(standin)["content"] == "One, but"

    async with ada.socket() as socket:
        sent = {"thread_id": thread, "content": "Three", "model": "ollama/slow-2@max", "attachments": [notes["id"]]}
        ack = await socket.call("message.send", {**sent, "subscribe": False})
        await answered(ada, {"id": ack["data"]["run_id"]})
    assert "canary" in last_question(standin)["content"]

    both = {"content": "Four", "models": ["ollama/slow-2@max", "ollama/slow-1@max"], "attachments": [notes["id"]]}
    runs = (await ada.post(address, both)).json()["runs"]
    for run in runs:
        await answered(ada, run)
    assert all("canary" in body["messages"][-1]["content"] for body in standin.stats()["bodies"][-2:])

    page = (await ada.get(f"/api/v1/threads/{thread}/messages")).json()
    assert [each["id"] for each in page["results"][-2]["attachments"]] == [notes["id"]]


async def test_what_waits_has_its_files_when_its_turn_comes(ada: Client, standin: StandIn) -> None:
    notes = await attach(ada, b"canary", "notes.txt")
    thread = await ada.new_thread()
    standin.reset()
    first = await ada.start("One", model="ollama/gated-3", thread=thread)
    sent = {"model": "ollama/slow-2@max", "thread": thread, "if_busy": "enqueue", "attachments": [notes["id"]]}
    waiting = await ada.start("Two", **sent)
    assert [each["name"] for each in waiting["request"]["attachments"]] == ["notes.txt"]
    while (await ada.look(first["id"]))["run"]["status"] != "completed":
        standin.release()
        await asyncio.sleep(0.05)
    state = await answered(ada, waiting)
    assert [each["id"] for each in state["messages"][0]["attachments"]] == [notes["id"]]
    assert "canary" in last_question(standin)["content"]


async def test_a_file_that_is_gone_is_left_out_and_the_answer_comes(
    ada: Client, server: ChatServer, standin: StandIn
) -> None:
    notes = await attach(ada, b"canary", "notes.txt")
    name = notes["id"].replace("-", "")
    (Path(server.data_dir) / "attachments" / name[-2:] / name[-4:-2] / f"{name}.content").unlink()
    state = await answered(ada, await ada.start("?", model="ollama/slow-2@max", attachments=[notes["id"]]))
    assert [each["code"] for each in state["run"]["notices"]] == ["attachments_left_out"]
    assert (await ada.get(notes["url"])).status_code == 404


async def test_a_bomb_hurts_nobody(ada: Client, server: ChatServer) -> None:
    """A79: what it takes is taken in a process of its own, while others are answered."""
    before = server.memory()
    bomb = asyncio.create_task(ada.http.post("/api/v1/attachments", files={"file": ("x.pdf", files.stream_bomb())}))
    while not bomb.done():
        async with asyncio.timeout(2):
            assert (await ada.get("/api/v1/me")).status_code == 200
        await asyncio.sleep(0.05)
    assert (await bomb).json()["error"]["code"] == "unreadable_file"
    assert server.memory() - before < 64 * 1024 * 1024


async def test_files_lie_where_no_address_leads_and_for_their_owner_alone(ada: Client, server: ChatServer) -> None:
    """A87: nothing of the data directory is served, and nothing in it is for other users of the machine."""
    notes = await attach(ada, b"canary", "run.py")
    found = [path for path in server.data_dir.rglob("*.content") if path.read_bytes() == b"canary"]
    assert found
    assert {path.stat().st_mode & 0o777 for path in found} == {0o600}
    name = found[0].relative_to(server.data_dir)
    addresses = [f"/{name}", f"/data/{name}", f"/static/{name}", f"/media/{name}", f"/static/../data/{name}", "/.env"]
    for address in [*addresses, "/static/..%2fdata/chat.sqlite3", "/chat.sqlite3", "/static//etc/passwd"]:
        assert (await ada.get(address)).status_code in (400, 404), address
    assert (await ada.get(notes["url"])).content == b"canary"


async def test_who_sends_what_takes_long_keeps_nobody_else_waiting(ada: Client, bob: Client) -> None:
    """A79: a few kilobytes that take seconds, as many at once as one may send."""
    slow = files.pdf("", stream=b"BT /F1 12 Tf " + b"1 0 0 1 20 200 Tm (abc) Tj " * 40_000 + b"ET")
    sent = [asyncio.create_task(attach(ada, slow, f"{number}.pdf")) for number in range(4)]
    await asyncio.sleep(0.5)
    await attach(bob, b"Hello", "a.txt")
    assert sum(each.done() for each in sent) < 2
    for each in sent:
        each.cancel()
    await asyncio.gather(*sent, return_exceptions=True)


async def test_who_fetches_large_files_and_takes_nothing_holds_little_memory(ada: Client, server: ChatServer) -> None:
    """A77: each has a piece of its file in memory, and not all of it."""
    large = await attach(ada, b"x" * 10_000_000, "a.txt")
    fetched = await ada.get(large["url"])
    assert (len(fetched.content), fetched.headers["content-length"]) == (10_000_000, "10000000")
    before = server.memory()
    where = urlsplit(server.url)
    head = f"GET {large['url']} HTTP/1.1\r\nHost: {where.netloc}\r\n"
    told = f"{head}Authorization: {ada.http.headers['Authorization']}\r\n\r\n".encode()
    with ExitStack() as open_for_now:
        for _ in range(30):
            wire = open_for_now.enter_context(socket.socket())
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.connect((where.hostname, where.port))
            wire.sendall(told)
        for _ in range(20):
            await asyncio.sleep(0.1)
            assert server.memory() - before < 100 * 1024 * 1024  # it was three times as much
        assert (await ada.get("/api/v1/me")).status_code == 200

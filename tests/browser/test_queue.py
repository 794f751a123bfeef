"""A question that waits in line says where it stands, can be stopped there, and is answered in its turn."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.support.browser import PHONE, Chat, Windows
from tests.support.client import Client
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def server(static_files: None, _maker: MakeServer) -> Iterator[ChatServer]:
    with _maker(MAX_PARALLEL=1) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def others(server: ChatServer, people: People, standin: StandIn) -> AsyncIterator[list[str]]:
    """Of somebody else's two runs one is at work, and one waits."""
    async with Client(server.url, people["bob"].token) as bob:
        runs = [(await bob.start(model="ollama/gated-20"))["id"]]
        await asyncio.to_thread(standin.wait_for, lambda stats: stats["active"] == 1, timeout=20)
        runs.append((await bob.start(model="ollama/gated-20"))["id"])
        yield runs
        for run in runs:
            await bob.cancel(run)
            await bob.ended(run)


async def test_who_waits_is_told_the_place_once_aloud_and_is_answered_when_it_is_their_turn(
    chat: Chat, server: ChatServer, people: People, others: list[str]
) -> None:
    aloud = chat.page.locator("live-region [role=status]")
    await chat.send("Hello?", model="echo-3:latest")
    # Somebody who has one at work already comes after whoever has none.
    await expect(chat.status).to_have_text(re.compile(r"^\s*Waiting — next in line"))
    await expect(aloud).to_have_text(re.compile(r"^Waiting — next in line.*\.$"))
    async with Client(server.url, people["bob"].token) as bob:
        for run in reversed(others):
            await bob.cancel(run)
    await chat.ended()
    await expect(aloud).to_have_text("Answer finished. 1 word.")
    assert await chat.text() == "Hello?"


async def test_what_waits_can_be_stopped_and_asked_again(chat: Chat, others: list[str]) -> None:
    await chat.send("Hello?", model="echo-3:latest")
    await expect(chat.status).to_contain_text("in line")
    await chat.stop_button.click()
    await chat.ended()
    await expect(chat.answer.locator(".ending")).to_contain_text("Stopped.")
    await expect(chat.field).to_be_enabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_place_is_read_on_a_phone_in_both_themes(
    windows: Windows, server: ChatServer, people: People, others: list[str], scheme: str
) -> None:
    chat = await (await windows.fresh(server, people["ada"], size=PHONE, color_scheme=scheme)).open()
    await chat.send("How long does this take?", model="echo-3:latest")
    await expect(chat.status).to_contain_text("in line")
    box = await chat.status.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE[0]
    assert await chat.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await expect(chat.stop_button).to_be_visible()
    if folder := os.environ.get("SHOTS"):
        await chat.page.screenshot(path=f"{folder}/queue-360-{scheme}.png")
        await chat.page.set_viewport_size({"width": 1440, "height": 900})
        await chat.page.screenshot(path=f"{folder}/queue-1440-{scheme}.png")
    await chat.stop_button.click()
    await chat.ended()

"""Answers outlive tabs, networks and servers."""

import asyncio

import pytest
from playwright.async_api import expect

from tests.support.browser import Chat, Windows
from tests.support.cable import Cable
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]
TWENTY = " ".join(f"t{i}" for i in range(20))
FORTY = " ".join(f"t{i}" for i in range(40))
CONNECTIONS = ["WebSocket", "Server-Sent Events", "Long poll"]
LOST = r"ERR_CONNECTION|ERR_INTERNET_DISCONNECTED|WebSocket connection|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE|ERR_SOCKET"


@pytest.fixture(params=CONNECTIONS)
def connection(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def test_a_reload_in_the_middle_goes_on_and_ends_whole(chat: Chat, connection: str, standin: StandIn) -> None:
    await chat.connect_by(connection)
    await chat.open("/")
    await chat.send("Count", model="gated-20:latest")
    await chat.says("t19")
    chat.watch.asked.clear()
    chat.watch.sockets.clear()
    await chat.page.reload()
    await chat.says("t19")
    assert await chat.text() == TWENTY
    await expect(chat.stop_button).to_be_enabled()
    standin.release()
    await chat.ended()
    assert await chat.text() == FORTY == chat.stored_answer()["content"]
    assert _used(chat) == {connection}


async def test_a_stop_after_a_reload_stops(chat: Chat, connection: str) -> None:
    await chat.connect_by(connection)
    await chat.open("/")
    await chat.send("Count", model="gated-20:latest")
    await chat.says("t19")
    await chat.page.reload()
    await chat.says("t19")
    await chat.stop_button.click()
    await chat.ended()
    assert await chat.text() == TWENTY == chat.stored_answer()["content"]
    assert chat.stored_answer()["status"] == "incomplete"


async def test_a_second_tab_has_the_answer_from_its_first_word(
    windows: Windows, chat: Chat, connection: str, standin: StandIn
) -> None:
    await chat.connect_by(connection)
    await chat.open("/")
    await chat.send("Count", model="gated-20:latest")
    await chat.says("t19")
    other = await windows.tab(chat, f"/threads/{chat.thread_id}")
    await other.says("t19")
    standin.release()
    for tab in (chat, other):
        await tab.ended()
        assert await tab.text() == FORTY
    assert _used(other) == {connection}


async def test_what_came_while_the_network_was_away_is_there_when_it_is_back(
    windows: Windows, server: ChatServer, people: People, connection: str, standin: StandIn
) -> None:
    async with Cable(server.port) as cable:
        chat = await windows.fresh(server, people["ada"], url=cable.url)
        chat.watch.excuse(LOST)
        await chat.connect_by(connection)
        await chat.open("/")
        await chat.send("Count", model="gated-20:latest")
        await chat.says("t19")
        await cable.cut()
        await expect(chat.status).to_have_text("Connection lost. Reconnecting…")
        standin.release()
        await chat.until(chat.stored_status, lambda status: status == "completed")
        assert await chat.text() == TWENTY
        await cable.join()
        await chat.ended()
        assert await chat.text() == FORTY


async def test_a_killed_server_leaves_what_there_was_over_every_transport(
    windows: Windows, make_server: MakeServer, people: People
) -> None:
    server = make_server().start()
    chats = [await windows.fresh(server, people["ada"]) for _ in CONNECTIONS]
    for chat, connection in zip(chats, CONNECTIONS, strict=True):
        chat.watch.excuse(LOST)
        await chat.connect_by(connection)
    first, *others = chats
    await first.open("/")
    await first.send("Count", model="gated-20:latest")
    for chat in others:
        await first.says("t19")
        await chat.open(f"/threads/{first.thread_id}")
        await chat.says("t19")
    server.kill()
    for chat in chats:
        await expect(chat.status).to_have_text("Connection lost. Reconnecting…")
        assert await chat.text() == TWENTY
    await asyncio.to_thread(server.start)
    for chat in chats:
        await chat.page.evaluate("dispatchEvent(new Event('online'))")  # or a slow machine waits out long pauses
        await chat.ended()
        await expect(chat.answer.locator(".ending")).to_have_text("The answer was interrupted.")
        assert await chat.text() == TWENTY == chat.stored_answer()["content"]


async def test_a_message_that_is_sent_while_the_network_is_away_arrives_once(
    windows: Windows, server: ChatServer, people: People
) -> None:
    async with Cable(server.port) as cable:
        chat = await windows.fresh(server, people["ada"], url=cable.url)
        chat.watch.excuse(LOST)
        await chat.open("/")
        await chat.ask("Before", model="echo-3:latest")
        await cable.cut()
        await chat.send("After")
        await expect(chat.status).to_have_text("Connection lost. Sending again…")
        await cable.join()
        await chat.until(chat.text, lambda said: said == "After")
        await chat.ended()
        assert [row["content"] for row in chat.stored()] == ["Before", "Before", "After", "After"]


def _used(chat: Chat) -> set[str]:
    """The transports over which this page has followed a run."""
    used = {"WebSocket"} if chat.watch.sockets else set()
    for address in chat.watch.asked:
        if "/runs/" in address and "/events" in address:
            used.add("Server-Sent Events")
        elif "/runs/" in address and "wait=" in address:
            used.add("Long poll")
    return used

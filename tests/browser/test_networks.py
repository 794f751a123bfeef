"""Networks that are worse than none: they lose answers that were given, and take sockets without bringing anything."""

import asyncio

import pytest
from playwright.async_api import expect

from tests.support.browser import Chat, Windows
from tests.support.cable import Cable, Gateway
from tests.support.people import People
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]
HARM = r"status of 50\d|ERR_CONNECTION|ERR_EMPTY_RESPONSE|WebSocket connection|net::ERR"
FORTY = "".join(f"t{number} " for number in range(40)).strip()


async def _through(windows: Windows, server: ChatServer, people: People, way: Cable) -> Chat:
    chat = await windows.fresh(server, people["ada"], url=way.url)
    chat.watch.excuse(HARM)
    return chat


async def _without_streaming(chat: Chat) -> None:
    await chat.open("/settings")
    await chat.page.get_by_label("Enable Streaming").uncheck()
    await chat.open("/")


async def _shown_whole(chat: Chat, standin: StandIn) -> None:
    """Nothing of it is seen before it is whole."""

    async def shown() -> str:
        standin.release()
        return await chat.text() if await chat.answers.count() else ""

    seen = await chat.until(shown, lambda said: "t" in said)
    assert seen == FORTY


def _said(chat: Chat) -> list[str]:
    return [row["content"] for row in chat.stored()]


async def test_a_question_whose_answer_a_proxy_lost_is_asked_once(
    windows: Windows, server: ChatServer, people: People
) -> None:
    async with Gateway(server.port, lost=2) as way:
        chat = await _through(windows, server, people, way)
        await chat.connect_by("Server-Sent Events")
        await chat.open("/")
        await chat.send("Once", model="echo-3:latest")
        await expect(chat.status).to_have_text("Connection lost. Sending again…")
        await chat.until(chat.text, lambda said: said == "Once")
        await chat.ended()
        assert (way.lost, _said(chat)) == (0, ["Once", "Once"])
        assert await chat.ask("And on") == "And on"


@pytest.mark.parametrize("status", [502, 504])
async def test_a_whole_answer_that_was_lost_on_its_way_is_there_all_the_same(
    windows: Windows, server: ChatServer, people: People, status: int, standin: StandIn
) -> None:
    async with Gateway(server.port, lost=1, status=status) as way:
        chat = await _through(windows, server, people, way)
        await chat.connect_by("Long poll")  # nobody else tells of it either
        await _without_streaming(chat)
        await chat.send("Count", model="gated-20:latest")
        await chat.page.wait_for_url("**/threads/*")
        await _shown_whole(chat, standin)  # its own answer is lost when it comes
        await chat.ended()
        assert _said(chat) == ["Count", FORTY]


async def test_without_streaming_a_reload_in_the_middle_keeps_stop_and_shows_the_answer_whole(
    windows: Windows, server: ChatServer, people: People, standin: StandIn
) -> None:
    chat = await (await windows.fresh(server, people["ada"])).open("/")
    await _without_streaming(chat)
    await chat.send("Count", model="gated-20:latest")
    await chat.page.wait_for_url("**/threads/*")
    await asyncio.to_thread(standin.wait_for, lambda stats: stats["active"] == 1, timeout=10)
    await chat.page.reload()
    await expect(chat.stop_button).to_be_visible()
    await expect(chat.page.locator(".question")).to_have_text(["Count"])
    assert "t0" not in await chat.page.locator("message-list").inner_text()
    await _shown_whole(chat, standin)
    await chat.ended()
    # And one that is stopped after a reload says what there was.
    await chat.send("Again")
    await asyncio.to_thread(standin.wait_for, lambda stats: stats["active"] == 1, timeout=10)
    await chat.page.reload()
    await chat.stop_button.click()
    await expect(chat.answers).to_have_count(2)
    await chat.ended()
    await expect(chat.answer.locator(".ending")).to_contain_text("Stopped.")
    assert FORTY.startswith(await chat.text())


async def test_a_proxy_that_swallows_what_a_socket_brings_is_passed_by_another_transport(
    windows: Windows, server: ChatServer, people: People, standin: StandIn
) -> None:
    async with Gateway(server.port, mute=True) as way:
        chat = await (await _through(windows, server, people, way)).open("/")
        await chat.send("Count", model="gated-20:latest")
        await chat.says("t19")
        assert way.swallowed > 0
        assert len(chat.watch.sockets) == 1
        standin.release()
        await chat.ended()
        assert (await chat.text(), _said(chat)) == (FORTY, ["Count", FORTY])
        # What was learnt is not learnt anew with each question.
        assert await chat.ask("Quickly", model="echo-3:latest") == "Quickly"
        assert len(chat.watch.sockets) == 1

"""A tool that waits for the person at the page."""

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.support.axe import look
from tests.support.browser import Windows
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]
MODEL = "guarded-tools:latest"


@pytest.fixture(scope="module")
def server(static_files: None, _maker: MakeServer) -> Iterator[ChatServer]:
    with _maker(DJANGO_SETTINGS_MODULE="tests.support.guarded_settings") as server:
        yield server


def journal(server: ChatServer) -> list[str]:
    file = server.data_dir / "journal.txt"
    return file.read_text().splitlines() if file.exists() else []


async def test_what_is_asked_is_shown_exactly_and_runs_when_it_is_approved_in_any_tab(
    windows: Windows, server: ChatServer, people: People
) -> None:
    chat = await windows.usual(server, people["ada"])
    await chat.send("buy\u200b milk", model=MODEL)
    asked = chat.answer.locator(".approval")
    await expect(asked.get_by_label("Arguments")).to_contain_text('"line": "buy\\u200b milk"')
    await expect(chat.status).to_contain_text("Waiting for your approval")
    assert journal(server) == []
    await look(chat.page, "a question of a tool")
    other = await windows.tab(chat, f"/threads/{chat.thread_id}")
    await other.answer.get_by_test_id("approve-button").click()
    for tab in (other, chat):
        await tab.ended()
        await expect(tab.answer.locator(".approval")).to_have_count(0)
        await expect(tab.answer.locator(".tool-outcome")).to_contain_text("done")
    assert journal(server) == ["buy\u200b milk"]


async def test_what_is_denied_after_a_reload_does_not_run_and_the_answer_goes_on(
    windows: Windows, server: ChatServer, people: People
) -> None:
    chat = await windows.usual(server, people["ada"])
    before = journal(server)
    await chat.send("never", model=MODEL)
    await expect(chat.answer.locator(".approval")).to_be_visible()
    await chat.page.reload()
    await chat.answer.get_by_test_id("deny-button").click()
    await chat.ended()
    await expect(chat.answer.locator(".tool-outcome")).to_contain_text("not allowed")
    await expect(chat.answer.locator(".tool-error")).to_contain_text("the user did not allow it")
    assert journal(server) == before

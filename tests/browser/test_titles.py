"""A thread gets its name, and an answer its follow-ups, before one's eyes."""

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.support.browser import PHONE, Windows
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]
QUESTIONS = ["What else about blue?", "Who found that out?", "Is it always so?"]


@pytest.fixture(scope="module")
def server(static_files: None, _maker: MakeServer) -> Iterator[ChatServer]:
    with _maker(TITLES="on", FOLLOW_UPS="on") as server:
        yield server


async def test_title_and_follow_ups_come_by_themselves_and_one_is_asked_by_keyboard(
    windows: Windows, server: ChatServer, people: People
) -> None:
    chat = await (await windows.fresh(server, people["ada"])).open("/")
    other = await windows.tab(chat, "/")
    await expect(other.field).to_be_visible()
    await chat.ask("Why is the sky blue?", model="namer:latest")
    for tab in (chat, other):
        await expect(tab.titles.first).to_have_text("About Why is the sky")
    await expect(chat.page.locator(".topbar h1")).to_have_text("About Why is the sky")
    await expect(chat.page).to_have_title("About Why is the sky · chatserver")
    follow_ups = chat.page.get_by_role("list", name="You could ask next").get_by_role("button")
    await expect(follow_ups).to_have_text(QUESTIONS)
    # In a tab that opens the thread later they are read with its messages.
    await other.page.get_by_role("link", name="About Why is the sky").first.click()
    await expect(other.page.get_by_test_id("follow-up")).to_have_text(QUESTIONS)
    # What is being written stays where it is.
    await chat.field.fill("Half a thou")
    await follow_ups.nth(1).focus()
    await chat.page.keyboard.press("Enter")
    await expect(chat.page.locator(".question")).to_have_text(["Why is the sky blue?", QUESTIONS[1]])
    await expect(chat.field).to_be_focused()
    await expect(chat.field).to_have_value("Half a thou")
    # Gone with the question, in both; then there are those of the next answer.
    for tab in (chat, other):
        await expect(tab.page.locator(".question").last).to_have_text(QUESTIONS[1])
        await tab.ended()
        # What was asked just now is not suggested again.
        await expect(tab.page.get_by_test_id("follow-up")).to_have_text(["What else about out?", QUESTIONS[2]])
    await expect(chat.titles.first).to_have_text("About Why is the sky")


async def test_on_a_phone_nothing_is_wider_than_the_screen(
    windows: Windows, server: ChatServer, people: People
) -> None:
    chat = await (await windows.fresh(server, people["ada"], size=PHONE)).open("/")
    await chat.ask(f"Is it {'l' * 90}ong?", model="namer:latest")
    await expect(chat.page.get_by_test_id("follow-up").first).to_be_visible()
    assert await chat.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

"""Every page and what can be seen on it, looked at by axe. It finds a good part of what WCAG 2.2 AA forbids; the other
tests have the keyboard and words.
"""

import pytest
from playwright.async_api import expect

from tests.support.axe import look
from tests.support.browser import Chat, Windows, choose_of_row
from tests.support.people import People
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize("path", ["login/", "signup/", "password/reset/", "setup/?code=x"])
async def test_the_way_in(windows: Windows, server: ChatServer, path: str) -> None:
    chat = await windows.fresh(server)
    chat.watch.excuse("status of 4")
    await chat.open(f"/accounts/{path}")
    await look(chat.page, path)


async def test_what_is_nowhere(windows: Windows, server: ChatServer) -> None:
    chat = await windows.fresh(server)
    chat.watch.excuse("404")
    await chat.open("/nowhere")
    await look(chat.page, "404")


@pytest.mark.parametrize("path", ["/settings", "/accounts/password/change/", "/accounts/email/"])
async def test_a_persons_own_pages(windows: Windows, server: ChatServer, people: People, path: str) -> None:
    chat = await (await windows.fresh(server, people["ada"])).open(path)
    await expect(chat.page.locator("h1")).to_be_visible()
    await look(chat.page, path)


async def test_a_conversation(windows: Windows, server: ChatServer, people: People, standin: StandIn) -> None:
    chat: Chat = await (await windows.fresh(server, people["ada"])).open("/")
    await look(chat.page, "a new thread")
    await chat.send("Count", model="gated-20:latest")
    await chat.says("t19")
    await look(chat.page, "an answer that is being written")
    await chat.send("And then?")
    await expect(chat.page.locator(".waiting-message")).to_have_count(1)
    await look(chat.page, "a message that waits")
    standin.release()
    await expect(chat.page.locator(".waiting-message")).to_have_count(0)
    await expect(chat.answers).to_have_count(2)
    await chat.says("t19")
    standin.release()
    await chat.ended()
    await chat.ask("What is 2 * 7?", model="parallel-tools:latest")
    for head in await chat.answer.locator(".step-head[aria-expanded=false]").all():
        await head.click()
    await look(chat.page, "steps")
    await chat.send("Why?", model="think-20@20:latest")
    await expect(chat.answer.locator("thinking-step")).to_be_visible()
    await look(chat.page, "thinking")
    await chat.ended()
    await chat.ask("Hello", model="error-mid:latest")
    await expect(chat.error.first).to_be_visible()
    await look(chat.page, "an answer that failed")
    await chat.page.set_viewport_size({"width": 360, "height": 740})
    await chat.page.get_by_role("button", name="Show the list").click()
    await look(chat.page, "the list in front")


async def test_what_opens_above_a_conversation(windows: Windows, server: ChatServer, people: People) -> None:
    chat: Chat = await (await windows.fresh(server, people["ada"], size=(1440, 900))).open("/")
    page = chat.page
    await chat.ask("Once", model="echo-3:latest")
    await page.get_by_test_id("regenerate-button").click()
    await expect(chat.answer.locator(".versions")).to_be_visible()
    await chat.ended()
    await look(page, "versions")
    await chat.answer.locator("menu-button button").first.click()
    await look(page, "the menu of an answer")
    await page.keyboard.press("Escape")
    await page.locator(".user-message").first.hover()
    await page.get_by_test_id("edit-button").click()
    await look(page, "a question in other words")
    await page.keyboard.press("Escape")
    await page.get_by_test_id("thread-settings").click()
    await page.get_by_label("Temperature").fill("3")
    await page.get_by_test_id("save-settings").click()
    await look(page, "the settings of a thread")
    await page.keyboard.press("Escape")
    await chat.model.click()
    await page.get_by_test_id("compare").check()
    await chat.option("ollama/plain:latest").click()
    await look(page, "the list of models")
    await page.keyboard.press("Escape")
    await chat.send("Both")
    await expect(page.locator(".answer-column .answer-foot")).to_have_count(2)
    await look(page, "answers side by side")
    await page.set_viewport_size({"width": 1440, "height": 900})
    await choose_of_row(page.locator("thread-row").first, "Archive")
    await expect(page.locator(".undo")).to_contain_text("in the archive")
    await look(page, "the way back")

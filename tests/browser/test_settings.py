"""What is set is in force at once, on this page and in the other tabs."""

import pytest
from playwright.async_api import expect

from tests.support.browser import Chat, Windows
from tests.support.people import PASSWORD, People
from tests.support.server import ChatServer

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]

SIZE = "parseFloat(getComputedStyle(document.documentElement).fontSize)"


async def test_text_size_and_theme_change_every_tab_at_once_and_stay(windows: Windows, chat: Chat) -> None:
    normal = await chat.page.evaluate(SIZE)
    settings = await windows.tab(chat, "/settings")
    await settings.page.get_by_role("radio", name="Largest").check()
    await settings.page.get_by_role("radio", name="Dark").check()
    for tab in (settings, chat):
        await tab.until(lambda tab=tab: tab.page.evaluate(SIZE), lambda size: size == pytest.approx(1.35 * normal))
        assert await tab.page.evaluate("document.documentElement.dataset.theme") == "dark"
    await chat.page.reload()
    assert await chat.page.evaluate(SIZE) == pytest.approx(1.35 * normal)
    await settings.page.get_by_role("radio", name="Normal").check()
    await chat.until(lambda: chat.page.evaluate(SIZE), lambda size: size == pytest.approx(normal))


async def test_what_stands_under_an_answer_and_whether_thinking_is_unfolded_is_as_set(
    windows: Windows, chat: Chat
) -> None:
    await chat.ask("Think", model="think-20@20:latest")
    head = chat.answer.locator("thinking-step button")
    await expect(head).to_have_attribute("aria-expanded", "false")
    await expect(chat.usage).to_contain_text("tokens/s")
    settings = await windows.tab(chat, "/settings")
    await settings.page.get_by_label("Show speed and tokens").uncheck()
    await settings.page.get_by_role("radio", name="Always").check()
    await expect(chat.usage).to_have_text("ollama/think-20@20:latest")
    await expect(head).to_have_attribute("aria-expanded", "true")
    await head.click()
    await settings.page.get_by_role("radio", name="When I unfold it").check()
    await expect(head).to_have_attribute("aria-expanded", "false")
    await chat.send("Again")
    await expect(chat.answers.nth(1).locator("thinking-step button")).to_have_text("Thinking…")
    await expect(chat.answers.nth(1).locator("thinking-step button")).to_have_attribute("aria-expanded", "false")
    await chat.ended()


async def test_who_is_signed_in_elsewhere_is_signed_out_from_here(
    windows: Windows, server: ChatServer, people: People
) -> None:
    chats = [await windows.fresh(server) for _ in range(2)]
    for chat in chats:
        await chat.open("/accounts/login/?next=/settings")
        await chat.page.locator("[name=login]").fill("bob")
        await chat.page.locator("[name=password]").fill(PASSWORD)
        await chat.page.locator("[name=password]").press("Enter")
        await expect(chat.page.get_by_test_id("sessions")).to_contain_text("This one")
    here, there = chats
    await there.open("/")
    await expect(there.field).to_be_visible()
    await here.page.reload()
    rows = here.page.get_by_test_id("sessions").locator("li")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("Chrome on Linux")
    await rows.filter(has=here.page.get_by_role("button")).get_by_role("button").click()
    await expect(rows).to_have_count(1)
    there.watch.excuse("401|WebSocket|ERR_")
    await expect(there.page.get_by_role("alert")).to_contain_text("You are signed out.")


async def test_the_key_that_sends_is_as_set(windows: Windows, chat: Chat) -> None:
    settings = await windows.tab(chat, "/settings")
    await settings.page.get_by_role("radio", name="Ctrl and Enter").check()
    await chat.choose("echo-3:latest")
    await chat.field.fill("One")
    await chat.field.press("End")
    await chat.field.press("Enter")
    await chat.field.type("two")
    await expect(chat.field).to_have_value("One\ntwo")
    await chat.field.press("Control+Enter")
    await expect(chat.field).to_have_value("")
    await chat.says("two")
    await chat.ended()

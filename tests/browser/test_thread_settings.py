"""What a thread tells its models: set before it is there and after, refused in its place, the same in all tabs."""

import json

import pytest
from playwright.async_api import expect

from tests.support.browser import PHONE, Chat, Windows
from tests.support.people import People
from tests.support.server import ChatServer, key

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]


def stored(chat: Chat) -> tuple[str, dict[str, object]]:
    sql = "SELECT system_prompt, parameters FROM conversations_thread WHERE id = ?"
    [row] = chat.server.rows(sql, key(chat.thread_id))
    return row["system_prompt"], json.loads(row["parameters"])


async def test_a_new_thread_is_made_as_it_was_set_before_and_the_next_is_plain(chat: Chat) -> None:
    await chat.page.get_by_test_id("thread-settings").click()
    await chat.page.get_by_test_id("system-prompt").fill("Be brief.")
    await chat.page.get_by_label("Temperature").fill("0.2")
    await chat.page.get_by_test_id("save-settings").click()
    await expect(chat.page.get_by_role("dialog", name="Settings of this thread")).to_be_hidden()
    await chat.page.reload()
    await expect(chat.page.get_by_test_id("thread-settings")).to_have_class("icon-button is-set")
    await chat.ask("Hello", model="echo-3:latest")
    assert stored(chat) == ("Be brief.", {"temperature": 0.2})
    await chat.page.get_by_test_id("new-thread").click()
    await expect(chat.answers).to_have_count(0)
    await expect(chat.page.get_by_test_id("thread-settings")).to_have_class("icon-button ")


async def test_what_cannot_be_is_said_in_its_place_and_what_is_saved_is_in_the_other_tab(
    windows: Windows, chat: Chat
) -> None:
    await chat.ask("Hello", model="echo-3:latest")
    other = await windows.tab(chat, f"/threads/{chat.thread_id}")
    await chat.page.get_by_test_id("thread-settings").click()
    heat = chat.page.get_by_label("Temperature")
    await heat.fill("3")
    await chat.page.locator("[data-name=thinking]").select_option("low")
    await heat.press("Enter")
    await expect(heat).to_be_focused()
    await expect(heat).to_have_attribute("aria-invalid", "true")
    await expect(chat.page.locator(".field-error")).to_have_text("A number from 0 to 2.")
    await heat.fill("1")
    await expect(chat.page.locator(".field-error")).to_have_count(0)
    await heat.press("Enter")
    await expect(other.page.get_by_test_id("thread-settings")).to_have_class("icon-button is-set")
    assert stored(chat) == ("", {"temperature": 1, "thinking": "low"})
    await other.page.get_by_test_id("thread-settings").click()
    await expect(other.page.get_by_label("Temperature")).to_have_value("1")
    await other.page.get_by_role("button", name="Empty all").click()
    await other.page.get_by_test_id("save-settings").click()
    await expect(chat.page.get_by_test_id("thread-settings")).to_have_class("icon-button ")
    assert stored(chat) == ("", {})


async def test_the_form_fits_a_phone(windows: Windows, server: ChatServer, people: People) -> None:
    phone = await (await windows.fresh(server, people["ada"], size=PHONE)).open()
    await phone.page.get_by_test_id("thread-settings").click()
    box = await phone.page.locator("dialog.thread-settings").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE[0]
    assert await phone.page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]

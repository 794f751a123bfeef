"""What the sheet of shortcuts tells of is so."""

import pytest
from playwright.async_api import expect

from tests.support.browser import Chat

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]


async def test_every_shortcut_does_what_the_sheet_says(chat: Chat) -> None:
    keys = chat.page.keyboard
    await chat.ask("First", model="echo-3:latest")
    await keys.press("Control+Shift+O")
    await expect(chat.page.locator(".greeting")).to_be_visible()
    await expect(chat.field).to_be_focused()
    await chat.send("Second", model="gated-20:latest")
    await chat.says("t19")
    await keys.press("Control+.")
    await expect(chat.answer.locator(".ending")).to_contain_text("Stopped.")
    await keys.press("Alt+ArrowDown")
    await expect(chat.page.locator(".topbar h1")).to_have_text("First")
    await keys.press("Alt+ArrowUp")
    await expect(chat.page.locator(".topbar h1")).to_have_text("Second")
    await keys.press("Control+;")
    await expect(chat.page.get_by_test_id("model-search")).to_be_focused()
    await keys.press("Escape")
    await chat.page.locator(".scroller").focus()
    await keys.press("Shift+Escape")
    await expect(chat.field).to_be_focused()


async def test_the_sheet_opens_and_closes_and_no_sign_is_lost_to_it(chat: Chat) -> None:
    sheet = chat.page.get_by_role("dialog", name="Keyboard shortcuts")
    await chat.field.press("?")
    await expect(chat.field).to_have_value("?")
    await expect(sheet).to_be_hidden()
    await chat.field.press("Control+/")
    await expect(sheet).to_be_visible()
    assert await sheet.locator("dt").count() > 8
    await chat.page.keyboard.press("Control+Shift+O")  # nothing happens behind it
    await chat.page.keyboard.press("Escape")
    await expect(sheet).to_be_hidden()
    await expect(chat.field).to_have_value("?")
    await chat.page.get_by_test_id("new-thread").focus()
    await chat.page.keyboard.press("?")
    await expect(sheet).to_be_visible()
    await chat.page.keyboard.press("Escape")


async def test_the_arrow_in_an_empty_field_changes_the_last_question(chat: Chat) -> None:
    await chat.ask("Once", model="echo-3:latest")
    await chat.field.press("ArrowUp")
    await expect(chat.page.get_by_test_id("edit-input")).to_be_focused()
    await expect(chat.page.get_by_test_id("edit-input")).to_have_value("Once")
    await chat.page.keyboard.press("Escape")
    await chat.field.fill("Something")
    await chat.field.press("ArrowUp")
    await expect(chat.page.get_by_test_id("edit-input")).to_have_count(0)

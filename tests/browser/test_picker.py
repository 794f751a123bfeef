"""Who is asked: found by typing, chosen by keyboard or finger, one or up to four."""

import pytest
from playwright.async_api import expect

from tests.support.browser import PHONE, Chat, Windows
from tests.support.people import People
from tests.support.server import ChatServer

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]


async def test_by_the_keyboard_a_model_is_found_and_chosen_and_the_focus_comes_back(chat: Chat) -> None:
    await chat.model.press("Enter")
    search = chat.page.get_by_test_id("model-search")
    await expect(search).to_be_focused()
    await search.press_sequentially("think-20")
    await expect(chat.page.get_by_role("option")).to_have_count(1)
    await search.fill("o")
    active = chat.page.locator(".picker-option.is-active")
    first = await active.get_attribute("data-value")
    await search.press("ArrowDown")
    await expect(active).not_to_have_attribute("data-value", str(first))
    await expect(search).to_have_attribute("aria-activedescendant", "model-option-1")
    await search.press("ArrowUp")
    await search.press("ArrowUp")  # round to the last
    last = await chat.page.get_by_role("option").last.get_attribute("data-value")
    await expect(active).to_have_attribute("data-value", str(last))
    await search.fill("echo")
    await search.press("Enter")
    await expect(chat.model).to_have_attribute("data-value", "ollama/echo-3:latest")
    await expect(chat.model).to_be_focused()
    await chat.model.press("Enter")
    await search.fill("nothing is called so")
    await expect(chat.page.locator(".picker-none")).to_be_visible()
    await search.press("Escape")
    await expect(chat.page.get_by_role("listbox")).to_have_count(0)
    await expect(chat.model).to_be_focused()


async def test_no_fifth_model_is_asked_and_without_comparing_it_is_one_again(chat: Chat) -> None:
    await chat.choose("echo-3:latest")
    await chat.model.click()
    await chat.page.get_by_test_id("compare").check()
    names = ["ollama/qwen3:8b", "ollama/llama3.2:latest", "ollama/plain:latest"]
    for name in names:
        await chat.option(name).click()
        await expect(chat.option(name)).to_have_attribute("aria-selected", "true")
    fifth = chat.option("ollama/gated-20:latest")
    await expect(fifth).to_have_attribute("aria-disabled", "true")
    await fifth.click(force=True)
    await expect(fifth).to_have_attribute("aria-selected", "false")
    await chat.option("ollama/echo-3:latest").click()
    await expect(chat.model).to_contain_text("qwen3:8b and 2 more")
    await chat.page.get_by_test_id("compare").uncheck()
    await chat.page.keyboard.press("Escape")
    await expect(chat.model).to_have_attribute("data-value", "ollama/qwen3:8b")
    await expect(chat.model).not_to_contain_text("more")


async def test_while_models_answer_side_by_side_what_is_written_waits_here(chat: Chat) -> None:
    await chat.choose("echo-3:latest")
    await chat.model.click()
    await chat.page.get_by_test_id("compare").check()
    await chat.option("ollama/gated-20:latest").click()
    await chat.page.keyboard.press("Escape")
    await chat.send("Both")
    await expect(chat.page.locator(".answer-column")).to_have_count(2)
    await chat.field.fill("Next")
    # To several nothing can wait on the server; it stays in the field, and goes when they are done.
    await expect(chat.page.get_by_test_id("send-button")).to_have_count(0)
    await chat.field.press("Enter")
    await expect(chat.field).to_have_value("Next")
    await chat.stop_button.click()
    await expect(chat.page.get_by_test_id("send-button")).to_be_enabled()


async def test_on_a_phone_it_is_a_sheet_that_fits(windows: Windows, server: ChatServer, people: People) -> None:
    phone = await (await windows.fresh(server, people["ada"], size=PHONE)).open()
    await phone.model.click()
    box = await phone.page.locator(".picker").bounding_box()
    assert box
    assert (box["x"], box["width"]) == (0, PHONE[0])
    assert box["y"] + box["height"] == pytest.approx(PHONE[1], abs=1)
    assert await phone.page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]

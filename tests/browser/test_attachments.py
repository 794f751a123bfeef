"""Files beside what is written: picked, pasted, dropped, sent, and there again after a reload."""

import re
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.support import files
from tests.support.browser import Chat
from tests.support.standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]
PNG = {"name": "cat.png", "mimeType": "image/png", "buffer": files.picture(size=(300, 200), colour="teal")}
NOTES = {"name": "notes.md", "mimeType": "text/markdown", "buffer": b"# canary\n"}
ZIP = {"name": "all.zip", "mimeType": "application/zip", "buffer": b"PK\x03\x04\x00\x00"}
# What a browser gives a page when files are dropped on it, or pasted.
_HAND_OVER = """([kind, name, type, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name, { type }));
  const target = document.querySelector("#chat-input");
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
    : new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
  target.dispatchEvent(event);
  return event.defaultPrevented;
}"""


def cards(page: Page) -> Locator:
    return page.get_by_test_id("attached-file")


async def hand_over(page: Page, kind: str, name: str, text: str) -> Any:
    return await page.evaluate(_HAND_OVER, [kind, name, "text/plain", text])


def last_question(standin: StandIn) -> dict[str, Any]:
    found: dict[str, Any] = standin.stats()["bodies"][-1]["messages"][-1]
    return found


async def test_what_is_picked_pasted_and_dropped_goes_with_the_question(chat: Chat, standin: StandIn) -> None:
    page = chat.page
    await chat.open()
    await page.get_by_test_id("file-input").set_input_files([PNG, NOTES])
    assert await hand_over(page, "dragover", "dropped.txt", "")
    await expect(page.locator(".composer")).to_have_class(re.compile("is-dropping"))
    assert await hand_over(page, "drop", "dropped.txt", "was dropped")
    assert await hand_over(page, "paste", "pasted.txt", "was pasted")
    await expect(page.locator(".file-chip.is-ready")).to_have_count(4)
    await expect(page.locator(".composer")).not_to_have_class(re.compile("is-dropping"))

    await page.get_by_role("button", name="Remove notes.md").click()
    await expect(cards(page)).to_have_count(3)
    await chat.ask("What are these?", model="slow-40@40:latest")
    await expect(cards(page)).to_have_count(0)
    asked = last_question(standin)["content"]
    assert "was dropped" in asked
    assert "was pasted" in asked
    assert "canary" not in asked

    for _ in range(2):  # as it was sent, and as it was stored
        shown = page.locator(".user-message")
        await expect(shown.get_by_role("link", name="dropped.txt")).to_be_visible()
        picture = shown.get_by_role("img", name="cat.png")
        await expect(picture).to_be_visible()
        assert await chat.until(lambda picture=picture: picture.evaluate("img => img.naturalWidth"), bool) == 300
        await page.reload()


async def test_a_message_that_is_sent_early_waits_for_its_files(chat: Chat, standin: StandIn) -> None:
    page = chat.page
    await chat.open()
    held: list[Any] = []

    async def hold(route: Any) -> None:
        held.append(route)

    await page.route("**/api/v1/attachments", hold)
    await chat.choose("slow-40@40:latest")
    await page.get_by_test_id("file-input").set_input_files([NOTES])
    await chat.send("What does it say?")
    await expect(page.get_by_text("Sending when the files are there…")).to_be_visible()
    await expect(chat.field).to_have_value("What does it say?")
    await chat.until(lambda: _now(held), bool)
    await held[0].continue_()
    await page.unroute("**/api/v1/attachments", hold)  # the tab is used again
    await expect(chat.answers).to_have_count(1)
    await chat.ended()
    assert "canary" in last_question(standin)["content"]


async def test_what_is_refused_says_why_and_keeps_nothing_back(chat: Chat) -> None:
    page = chat.page
    await chat.open()
    chat.watch.excuse("415")
    await page.get_by_test_id("file-input").set_input_files([ZIP, NOTES])
    refused = page.locator(".file-chip.is-refused")
    await expect(refused).to_contain_text("Files of this kind are not taken")
    await expect(page.locator(".file-chip.is-ready")).to_have_count(1)
    await chat.ask("And this?", model="slow-40@40:latest")
    await expect(page.locator(".user-message").get_by_role("link", name="notes.md")).to_be_visible()


async def test_what_is_attached_survives_a_reload_with_the_draft(chat: Chat) -> None:
    page = chat.page
    await chat.open()
    await page.get_by_test_id("file-input").set_input_files([NOTES])
    await expect(page.locator(".file-chip.is-ready")).to_have_count(1)
    await chat.field.fill("Not yet")
    await page.reload()
    await expect(chat.field).to_have_value("Not yet")
    await expect(cards(page)).to_contain_text("notes.md")
    await page.get_by_role("button", name="Remove notes.md").press("Enter")
    await expect(cards(page)).to_have_count(0)


async def test_a_message_that_waits_shows_its_files_and_gives_them_back_when_it_is_withdrawn(chat: Chat) -> None:
    page = chat.page
    await chat.open()
    await chat.send("First", model="slow-400@40:latest")
    await expect(chat.answers).to_have_count(1)
    await page.get_by_test_id("file-input").set_input_files([NOTES])
    await expect(page.locator(".file-chip.is-ready")).to_have_count(1)
    await chat.send("Then this")
    waiting = page.get_by_test_id("waiting-message")
    await expect(waiting.get_by_role("link", name="notes.md")).to_be_visible()
    await expect(cards(page)).to_have_count(0)
    await page.get_by_test_id("withdraw-button").click()
    await expect(chat.field).to_have_value("Then this")
    await expect(cards(page)).to_contain_text("notes.md")
    await chat.stop_button.click()
    await chat.ended()


async def _now(value: Any) -> Any:
    return value

"""A list of very many threads: few of them are in the page, and none is missing where somebody looks."""

from datetime import timedelta

import pytest
from playwright.async_api import expect

from tests.support.browser import FRAMES, PHONE, WIDE, Chat, Windows
from tests.support.long_threads import multiply
from tests.support.people import People
from tests.support.server import ChatServer

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]

THREADS = 600
FEW = 150
# Where in sight the list has no row. Below its last one there is a little room.
HOLES = """() => {
  const box = document.querySelector(".thread-list").getBoundingClientRect();
  const holes = [];
  for (let y = box.top + 4; y < Math.min(box.bottom, innerHeight) - 32; y += 12) {
    const found = document.elementFromPoint(box.left + box.width / 2, y);
    if (!found?.closest("thread-row, h2, .list-note")) holes.push([y, found?.className]);
  }
  return holes;
}"""
IN_SIGHT = """() => {
  const box = document.querySelector(".thread-list").getBoundingClientRect();
  return [...document.querySelectorAll("thread-row")].filter((row) => {
    const { top, bottom } = row.getBoundingClientRect();
    return bottom > box.top && top < box.bottom;
  }).map((row) => row.querySelector(".thread-title").textContent);
}"""


async def _many(windows: Windows, server: ChatServer, people: People, size: tuple[int, int]) -> Chat:
    server.spoil("UPDATE conversations_thread SET archived = 1")  # those of other tests
    chat = await (await windows.fresh(server, people["ada"], size=size)).open()
    await chat.ask("The newest", model="echo-3:latest")
    # Some days, and the months before: many groups, and one that is long.
    multiply(server, chat.thread_id, threads=THREADS, apart=timedelta(hours=2))
    await chat.page.reload()
    if size == PHONE:
        await chat.page.get_by_role("button", name="Show the list").click()
    await expect(chat.titles.nth(1)).to_be_visible()
    return chat


async def _to_the_end(chat: Chat) -> None:
    scroll = "(() => { const list = document.querySelector('.thread-list'); list.scrollTop = list.scrollHeight; })()"

    async def rest() -> int:
        await chat.page.evaluate(scroll)
        return await chat.page.locator(".list-end").count()

    await chat.until(rest, lambda left: left == 0)
    await chat.page.evaluate(scroll)
    await expect(chat.titles.last).to_have_text(f"Thread {THREADS}")


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
async def test_of_very_many_threads_few_are_in_the_page_and_none_is_missing_in_sight(
    windows: Windows, server: ChatServer, people: People, size: tuple[int, int]
) -> None:
    chat = await _many(windows, server, people, size)
    await _to_the_end(chat)
    await expect(chat.titles.last).to_be_in_viewport()
    assert await chat.titles.count() < FEW
    height = await chat.page.evaluate("document.querySelector('.thread-list').scrollHeight")
    seen: set[str] = set()
    for place in (*range(height, 0, -300), 0):
        await chat.page.evaluate("(top) => { document.querySelector('.thread-list').scrollTop = top; }", place)
        await chat.page.evaluate(FRAMES)
        assert await chat.page.evaluate(HOLES) == []
        assert await chat.titles.count() < FEW
        seen.update(await chat.page.evaluate(IN_SIGHT))
    assert seen >= {"The newest", *(f"Thread {number}" for number in range(1, THREADS + 1))}
    assert await chat.page.evaluate("document.querySelector('.thread-list').scrollHeight") == height


async def test_the_rows_say_their_place_among_all_and_are_reached_by_the_keyboard(
    windows: Windows, server: ChatServer, people: People
) -> None:
    chat = await _many(windows, server, people, WIDE)
    await _to_the_end(chat)
    last = chat.page.locator("thread-groups li:not(.list-gap)").last
    size = await last.get_attribute("aria-setsize")
    assert await last.get_attribute("aria-posinset") == size
    row = chat.page.get_by_role("link", name="Thread 500", exact=True)
    await chat.page.evaluate("document.querySelector('.thread-list').scrollTop -= 100 * 36")
    await row.focus()
    for number in range(499, 400, -1):
        await chat.page.keyboard.press("Shift+Tab")  # its menu
        await chat.page.keyboard.press("Shift+Tab")
        focused = await chat.page.evaluate("document.activeElement.textContent.trim()")
        assert focused == f"Thread {number}"
    assert await chat.page.evaluate(HOLES) == []


async def test_the_thread_that_is_opened_by_a_key_comes_into_sight(
    windows: Windows, server: ChatServer, people: People
) -> None:
    chat = await _many(windows, server, people, WIDE)
    for number in range(1, 40):
        await chat.page.keyboard.press("Alt+ArrowDown")
        await expect(chat.page.locator(".topbar h1")).to_have_text(f"Thread {number}")
    await expect(chat.page.locator(".thread-row.is-current")).to_be_in_viewport()
    await chat.page.reload()
    await expect(chat.page.locator(".thread-row.is-current")).to_be_in_viewport()

"""Where the reader is: it stays there, whatever comes above and below; and long threads are as light as short ones."""

import pytest
from playwright.async_api import expect

from tests.support.browser import PHONE, WIDE, Chat, Windows
from tests.support.long_threads import lengthen
from tests.support.people import People
from tests.support.server import ChatServer

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]
SIZES = pytest.mark.parametrize("size", [PHONE, (1440, 900)], ids=["phone", "wide"])
LONG = 3_000
# The first text that begins in sight, and where it is.
READ = """() => {
  const scroller = document.querySelector(".scroller");
  const edge = scroller.getBoundingClientRect().top;
  const texts = [...scroller.querySelectorAll(".question, .prose p")];
  window.read = texts.find((one) => one.getBoundingClientRect().top >= edge);
  return window.read.getBoundingClientRect().top;
}"""
STANDS = "() => window.read.getBoundingClientRect().top"
SCROLL = "to => { document.querySelector('.scroller').scrollTop += to; }"
FROM_END = """() => {
  const scroller = document.querySelector(".scroller");
  return scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
}"""
FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
SHIFTS = """() => {
  window.shift = 0;
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) window.shift += one.value;
  }).observe({ type: "layout-shift" });
}"""


async def _long(chat: Chat, messages: int) -> None:
    await chat.ask("First", model="echo-3:latest")
    lengthen(chat.server, chat.thread_id, messages=messages)
    await chat.page.reload()
    await expect(chat.page.locator(".question").last).to_have_text(f"Question {messages - 2}")


async def _new(windows: Windows, server: ChatServer, people: People, size: tuple[int, int]) -> Chat:
    return await (await windows.fresh(server, people["ada"], size=size)).open()


@SIZES
async def test_the_place_stays_when_older_messages_come_above(
    windows: Windows, server: ChatServer, people: People, size: tuple[int, int]
) -> None:
    chat = await _new(windows, server, people, size)
    await _long(chat, 300)
    messages = chat.page.locator(".message")
    for _ in range(3):
        before = await messages.count()
        # Far enough from the top that nothing is asked for yet; then the rest, and what is read is noted at once.
        await chat.page.evaluate("document.querySelector('.scroller').scrollTop = 400")
        await chat.page.evaluate(FRAMES)
        await chat.page.evaluate(SCROLL, -120)
        read = await chat.page.evaluate(READ)
        await chat.until(messages.count, lambda count, before=before: count > before)  # type: ignore[misc]
        for _ in range(5):
            await chat.page.evaluate(FRAMES)
            assert abs(await chat.page.evaluate(STANDS) - read) <= 1


@SIZES
async def test_the_place_stays_while_an_answer_grows_below_and_something_grows_and_folds_above(
    windows: Windows, server: ChatServer, people: People, size: tuple[int, int]
) -> None:
    chat = await _new(windows, server, people, size)
    await _long(chat, 30)
    await chat.send("Count", model="slow-400@40:latest")
    await chat.until(chat.text, lambda said: "t5" in said)
    await chat.page.locator(".scroller").hover()
    await chat.page.mouse.wheel(0, -900)
    await expect(chat.page.get_by_role("button", name="To the newest")).to_be_visible()
    await chat.until(lambda: chat.page.evaluate(FROM_END), lambda left: left >= 900)
    await chat.page.evaluate(FRAMES)
    read = await chat.page.evaluate(READ)
    above = "[...document.querySelectorAll('.prose')].findLast((one) => one.getBoundingClientRect().bottom < -300)"
    for height in ("1234.5px", "20px", ""):
        await chat.page.evaluate(f"height => {{ {above}.style.height = height; }}", height)
        await chat.page.evaluate(FRAMES)
        assert abs(await chat.page.evaluate(STANDS) - read) <= 1, height
    await chat.page.evaluate(SHIFTS)
    before = len(await chat.text())
    await chat.until(chat.text, lambda said: len(said) > before + 50)
    assert abs(await chat.page.evaluate(STANDS) - read) <= 1
    await chat.stop_button.click()
    await chat.ended()
    assert abs(await chat.page.evaluate(STANDS) - read) <= 1
    assert await chat.page.evaluate("window.shift") <= 0.02


@SIZES
async def test_the_first_turn_upwards_stops_the_text_and_a_button_leads_back(
    windows: Windows, server: ChatServer, people: People, size: tuple[int, int]
) -> None:
    chat = await _new(windows, server, people, size)
    await _long(chat, 10)
    await chat.send("Count", model="slow-400@40:latest")
    await chat.until(chat.text, lambda said: "t20" in said)
    assert await chat.page.evaluate(FROM_END) <= 1
    await chat.page.locator(".scroller").hover()
    await chat.page.mouse.wheel(0, -4)
    await chat.page.evaluate(FRAMES)
    read = await chat.page.evaluate(READ)
    await expect(chat.page.get_by_role("button", name="To the newest")).to_be_visible()
    await chat.page.evaluate(FRAMES)
    assert abs(await chat.page.evaluate(STANDS) - read) <= 4  # the wheel's own way may end later
    await chat.page.get_by_role("button", name="To the newest").click()
    await expect(chat.page.get_by_role("button", name="To the newest")).to_have_count(0)
    said = await chat.text()
    await chat.until(chat.text, lambda now: len(now) > len(said) + 40)
    assert await chat.page.evaluate(FROM_END) <= 1
    await chat.page.locator(".scroller").press("ArrowUp")
    await expect(chat.page.get_by_role("button", name="To the newest")).to_be_visible()
    await chat.stop_button.click()
    await chat.ended()


async def test_a_thread_of_thousands_opens_with_a_few_and_however_many_are_loaded_few_are_laid_out(
    windows: Windows, server: ChatServer, people: People
) -> None:
    chat = await _new(windows, server, people, WIDE)
    await _long(chat, LONG)
    await chat.page.goto(chat.page.url)
    await expect(chat.page.locator(".question").last).to_be_visible()
    loaded = chat.page.locator(".message")
    assert await loaded.count() <= 100
    while await loaded.count() < LONG / 3:
        before = await loaded.count()
        await chat.page.evaluate("document.querySelector('.scroller').scrollTop = 0")
        await chat.until(loaded.count, lambda count, before=before: count > before)  # type: ignore[misc]
    drawn = await chat.page.evaluate(
        "[...document.querySelectorAll('.message')].filter((one) => one.firstElementChild.checkVisibility("
        "{ contentVisibilityAuto: true })).length"
    )
    assert drawn < 150
    # The newest, far away, are still in the document, and not hidden from anybody.
    newest = chat.page.locator(".question").last
    await expect(newest).to_have_text(f"Question {LONG - 2}")
    assert await newest.evaluate("one => one.checkVisibility()")
    await chat.page.locator(".to-newest").click()
    await expect(chat.page.locator(".question").last).to_be_in_viewport()

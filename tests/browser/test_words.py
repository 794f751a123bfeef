"""Nothing that is seen or heard on a page is English by itself: all of it went through a catalogue."""

import re
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.support.browser import Windows, choose_of_row
from tests.support.marked import write_marked
from tests.support.people import PASSWORD, People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]
TOPPED = "UPDATE accounts_user SET is_staff = ?, is_superuser = ? WHERE username = ?"
# No words of the page: what is not shown, what is to be typed, what people call their own, and what models say.
ELSE = "script, style, noscript, title, code, .rows strong, .rows .visually-hidden, assistant-message markdown-text"
SAID = """(others) => {
  const said = [document.title];
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.parentElement.closest(others)) said.push(node.data);
  }
  for (const name of ["title", "aria-label", "aria-description", "aria-valuetext", "placeholder", "alt", "label"]) {
    for (const node of document.querySelectorAll(`[${name}]`)) said.push(node.getAttribute(name));
  }
  for (const node of document.querySelectorAll("input[type=submit], input[type=button]")) said.push(node.value);
  return said;
}"""
MARKED = re.compile(r"⟦[^⟦⟧]*⟧")
# What people and models say, names, and units.
OWN = re.compile(
    r"(?:ollama/)?[\w.@-]+:(?:latest|\w+b)\b|Hello there|notes\.md|\bt\d+\b|\bada\b|\bollama\b|llama3\.2"
    r"|\bchatserver\b|\bdemo\b|\bcalculator\b|\bexpression\b|WebSocket|Server-Sent Events|\b(?:s|min|kB|MB|GB)\b"
)
WORD = re.compile(r"[^\W\d_]{2,}")
CODE = """(text) => {
  const shown = document.createElement("markdown-text");
  shown.text = text;
  document.body.append(shown);
}"""


@pytest.fixture(scope="module")
def marked(_maker: MakeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatServer]:
    """A server that marks what went through a catalogue; Ada is its administrator."""
    place = tmp_path_factory.mktemp("marked")
    write_marked(place)
    with _maker(DJANGO_SETTINGS_MODULE="tests.support.marked_settings", MARKED=place) as server:
        assert server.spoil(TOPPED, True, True, "ada") == 1
        yield server


async def look(page: Page, state: str) -> None:
    text = "\n".join(await page.evaluate(SAID, ELSE))
    assert "⟦" in text, f"{state}: nothing is marked"
    while MARKED.search(text):
        text = MARKED.sub(" ", text)
    bare = [line.strip() for line in OWN.sub(" ", text).splitlines()]
    assert [line for line in bare if WORD.search(line) or "⟦" in line or "⟧" in line] == [], state


@pytest.mark.parametrize("path", ["login/", "password/reset/", "signup/", "setup/?code=x"])
async def test_the_way_in(windows: Windows, marked: ChatServer, path: str) -> None:
    chat = await windows.fresh(marked)
    chat.watch.excuse("status of 4")
    await chat.open(f"/accounts/{path}")
    await look(chat.page, path)


async def test_a_form_that_is_refused(windows: Windows, marked: ChatServer) -> None:
    page = (await (await windows.fresh(marked)).open("/accounts/login/")).page
    await page.locator("[name=login]").fill("ada")
    await page.locator("[name=password]").fill("wrong")
    await page.locator("[name=password]").press("Enter")
    await expect(page.locator(".errorlist").first).to_be_visible()
    await look(page, "a wrong password")


async def test_the_chat(windows: Windows, marked: ChatServer, people: People, standin: StandIn) -> None:
    chat = await (await windows.fresh(marked, people["ada"])).open("/")
    page = chat.page
    await expect(chat.model).to_contain_text(":")
    await look(page, "a new thread")
    await page.get_by_test_id("file-input").set_input_files(
        {"name": "notes.md", "mimeType": "text/markdown", "buffer": b"t1"}
    )
    await expect(page.locator(".file-chip.is-ready")).to_be_visible()
    await look(page, "a file")
    await page.locator(".file-chip button").click()
    await chat.ask("Hello there", model="echo-3:latest")
    await page.locator(".user-message").first.hover()
    await page.get_by_test_id("edit-button").click()
    await look(page, "a question in other words")
    await page.keyboard.press("Escape")
    await chat.answer.locator("menu-button button").first.click()
    await look(page, "the menu of an answer")
    await page.keyboard.press("Escape")
    await page.locator("thread-row").first.hover()
    await page.locator("thread-row menu-button button").first.click()
    await look(page, "the menu of a thread")
    await page.keyboard.press("Escape")
    await page.get_by_test_id("new-thread").focus()
    await page.keyboard.press("?")
    await look(page, "the shortcuts")
    await page.keyboard.press("Escape")
    await page.get_by_test_id("thread-settings").click()
    await look(page, "the settings of a thread")
    await page.keyboard.press("Escape")
    await chat.model.click()
    await look(page, "the list of models")
    await page.keyboard.press("Escape")
    await page.evaluate(CODE, "```\n1\n```\n![t1](https://127.0.0.1/1)")
    await look(page, "code")


async def test_an_answer_on_its_way(windows: Windows, marked: ChatServer, people: People, standin: StandIn) -> None:
    chat = await (await windows.fresh(marked, people["ada"])).open("/")
    await chat.send("Hello there", model="gated-20:latest")
    await chat.says("t19")
    await chat.send("Hello there")
    await expect(chat.page.get_by_test_id("withdraw-button")).to_be_visible()
    await look(chat.page, "a message that waits")
    await chat.page.get_by_test_id("edit-waiting-button").click()
    await look(chat.page, "a message that is changed while it waits")
    await chat.page.keyboard.press("Escape")
    await chat.page.get_by_test_id("withdraw-button").click()
    await chat.stop_button.click()
    await chat.ended()
    await look(chat.page, "an answer that was stopped")


async def test_steps_and_what_is_done_to_a_thread(windows: Windows, marked: ChatServer, people: People) -> None:
    chat = await (await windows.fresh(marked, people["ada"])).open("/")
    await chat.ask("Hello there", model="parallel-tools:latest")
    for head in await chat.answer.locator(".step-head[aria-expanded=false]").all():
        await head.click()
    await look(chat.page, "tools")
    await chat.ask("Hello there", model="think-20@20:latest")
    await look(chat.page, "thinking")
    await chat.page.reload()
    await expect(chat.answers).to_have_count(2)
    await choose_of_row(chat.page.locator("thread-row").first, "⟦Archive⟧")
    await expect(chat.page.locator(".undo p")).to_be_visible()
    await look(chat.page, "the way back")


async def test_the_settings_and_the_models(windows: Windows, marked: ChatServer) -> None:
    chat = await (await windows.fresh(marked)).open("/accounts/login/?next=/settings")
    page = chat.page
    await page.locator("[name=login]").fill("ada")
    await page.locator("[name=password]").fill(PASSWORD)
    await page.locator("[name=password]").press("Enter")
    await expect(page.get_by_test_id("sessions").locator("li").first).to_be_visible()
    await page.locator("[name=name]").fill("t1")
    await page.locator("[name=name]").press("Enter")
    await expect(page.locator(".fresh-token")).to_be_visible()
    await look(page, "settings")
    await chat.open("/models")
    await page.get_by_test_id("pull-name").fill("paced-8-2:7b")
    await page.get_by_test_id("pull-name").press("Enter")
    await expect(page.get_by_test_id("pull").first).to_contain_text("⟦")
    await expect(page.get_by_test_id("model").first).to_be_visible()
    await look(page, "models")

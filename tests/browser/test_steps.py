"""What a tool does while it does it, how it ended and what can be done then."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Locator, expect

from tests.support.browser import PHONE, Chat, Windows
from tests.support.people import People
from tests.support.processes import MakeServer
from tests.support.server import ChatServer

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]
MODEL = "guarded-tools:latest"
AT_THE_END = "pre => pre.scrollHeight - pre.scrollTop - pre.clientHeight < 4"


@pytest.fixture(scope="module")
def server(static_files: None, _maker: MakeServer) -> Iterator[ChatServer]:
    with _maker(DJANGO_SETTINGS_MODULE="tests.support.telling_settings") as server:
        yield server


class Gate:
    """The tool goes on when its file is there."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.unlink(missing_ok=True)

    def open(self) -> None:
        self._file.touch()


@pytest.fixture
def gate(server: ChatServer) -> Iterator[Gate]:
    gate = Gate(server.data_dir / "go-on")
    yield gate
    gate.open()


def card(chat: Chat) -> Locator:
    return chat.answer.locator("tool-card")


async def test_a_tool_at_work_shows_its_output_how_far_it_is_and_for_how_long(chat: Chat, gate: Gate) -> None:
    await chat.send("buy milk", model=MODEL)
    output = card(chat).locator(".tool-output")
    await expect(output).to_contain_text("line 39")
    assert await output.evaluate(AT_THE_END)
    await expect(card(chat).locator(".tool-outcome")).to_have_text("running")
    await expect(card(chat).get_by_role("progressbar", name="How far write_journal is")).to_have_js_property(
        "value", 0.5
    )
    await expect(chat.status).to_contain_text("Using write_journal…")
    await expect(card(chat).locator(".elapsed")).to_have_text(re.compile(r"^[3-9] s$"))
    # What came before is looked at without being torn away from it.
    await output.evaluate("pre => { pre.scrollTop = 0; }")
    gate.open()
    await chat.ended()
    await expect(card(chat).get_by_role("progressbar")).to_have_count(0)
    await expect(card(chat).locator(".tool-outcome")).to_have_text(re.compile(r"^done · \d"))
    # Its output is long, so that the card is folded now; it is the same after a reload.
    for _ in range(2):
        await expect(output).to_have_count(0)
        await card(chat).locator(".step-head").click()
        await expect(output).to_contain_text("written")
        await chat.page.reload()


async def test_another_tab_that_comes_later_sees_what_the_tool_has_said(
    windows: Windows, chat: Chat, gate: Gate
) -> None:
    await chat.send("buy milk", model=MODEL)
    await expect(card(chat).locator(".tool-output")).to_contain_text("line 39")
    other = await windows.tab(chat, f"/threads/{chat.thread_id}")
    await expect(card(other).locator(".tool-output")).to_contain_text("line 0\nline 1\n")
    await expect(card(other).locator(".tool-outcome")).to_have_text("running")
    gate.open()
    for tab in (chat, other):
        await tab.ended()
        await expect(card(tab).locator(".tool-outcome")).to_contain_text("done")


async def test_a_tool_that_fails_says_why_and_what_becomes_of_it(chat: Chat, gate: Gate) -> None:
    gate.open()
    await chat.ask("fail", model=MODEL)
    head = card(chat).locator(".step-head")
    await expect(head).to_contain_text("failed")
    if await head.get_attribute("aria-expanded") == "false":
        await head.click()
    await expect(card(chat).locator(".tool-error")).to_have_text("The journal is full.")
    await expect(card(chat)).to_contain_text("The model was told, and may find another way.")


async def test_a_tool_that_is_stopped_says_so(chat: Chat, gate: Gate) -> None:
    await chat.send("buy milk", model=MODEL)
    await expect(card(chat).locator(".tool-output")).to_contain_text("line 39")
    await chat.stop_button.click()
    await chat.ended()
    await expect(card(chat).locator(".tool-outcome")).to_contain_text("stopped")
    await expect(chat.answer.locator(".ending")).to_contain_text("Stopped.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_long_argument_is_folded_and_nothing_stands_beyond_a_phone_s_edge(
    windows: Windows, server: ChatServer, people: People, gate: Gate, scheme: str
) -> None:
    chat = await (await windows.fresh(server, people["ada"], size=PHONE, color_scheme=scheme)).open()
    await chat.send("a-very-long-word" * 60, model=MODEL)
    argument = card(chat).locator(".tool-argument")
    await expect(argument).to_have_text(re.compile(r"^.{400}…$"))
    more = card(chat).get_by_role("button", name="Show all of it (960 characters)")
    await more.press("Enter")
    await expect(argument).to_have_text("a-very-long-word" * 60)
    await expect(card(chat).get_by_role("button", name="Show less")).to_be_focused()
    assert await chat.page.evaluate("document.querySelector('.column').scrollWidth") <= PHONE[0]
    gate.open()
    await chat.ended()

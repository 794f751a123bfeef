"""Writing while an answer is: what waits is seen, changed and withdrawn in every tab, and begins in turn."""

import pytest
from playwright.async_api import Locator, expect

from tests.support.browser import PHONE, Chat, Windows
from tests.support.client import Client
from tests.support.people import People
from tests.support.server import ChatServer
from tests.support.standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]
FORTY = " ".join(f"t{i}" for i in range(40))
GATED, ECHO = "gated-20:latest", "echo-3:latest"


def waiting(chat: Chat) -> Locator:
    return chat.page.get_by_test_id("waiting-message")


def texts(chat: Chat) -> Locator:
    return waiting(chat).locator(".waiting-text")


def questions(chat: Chat) -> Locator:
    return chat.page.locator(".question")


async def answered(chat: Chat, times: int) -> str:
    """What the last of so many answers says, when it has ended."""
    await expect(chat.answers).to_have_count(times)
    await chat.ended()
    return await chat.text()


async def half_written(chat: Chat) -> None:
    await chat.send("Count with me", model=GATED)
    await chat.says("t19")
    await chat.choose(ECHO)


@pytest.mark.parametrize("connection", ["WebSocket", "Server-Sent Events"])
async def test_what_is_written_meanwhile_waits_in_every_tab_and_is_answered_in_turn(
    windows: Windows, chat: Chat, connection: str, standin: StandIn
) -> None:
    await chat.connect_by(connection)
    await chat.open("/")
    await half_written(chat)
    other = await windows.tab(chat, f"/threads/{chat.thread_id}")
    await other.says("t19")
    await chat.send("And then?")
    await expect(chat.field).to_have_value("")
    await other.send("And after that?")
    for tab in (chat, other):
        await expect(texts(tab)).to_have_text(["And then?", "And after that?"])
        await expect(tab.stop_button).to_be_visible()
    # It is changed in one, and seen in the other; it is there after a reload.
    await waiting(other).first.get_by_role("button", name="Edit waiting message 1").press("Enter")
    field = other.page.get_by_test_id("waiting-input")
    await expect(field).to_be_focused()
    await field.fill("And what then?")
    await field.press("Enter")
    await expect(waiting(other).first.get_by_test_id("edit-waiting-button")).to_be_focused()
    await expect(texts(chat)).to_have_text(["And what then?", "And after that?"])
    await chat.page.reload()
    await expect(texts(chat)).to_have_text(["And what then?", "And after that?"])
    assert len(chat.stored()) == 2
    # The answer ends, and one after the other becomes the question and is answered.
    standin.release()
    for tab in (chat, other):
        await expect(questions(tab)).to_have_text(["Count with me", "And what then?", "And after that?"])
        await expect(waiting(tab)).to_have_count(0)
        assert await answered(tab, 3) == "And after that?"
    assert [row["content"] for row in chat.stored()] == [
        *("Count with me", FORTY, "And what then?", "And what then?", "And after that?", "And after that?"),
    ]


async def test_what_is_withdrawn_goes_back_into_the_field_and_a_stop_lets_the_next_begin(chat: Chat) -> None:
    await half_written(chat)
    await chat.send("Never mind")
    await chat.send("But this")
    await expect(texts(chat)).to_have_text(["Never mind", "But this"])
    await waiting(chat).first.get_by_role("button", name="Withdraw waiting message 1").press("Enter")
    await expect(texts(chat)).to_have_text(["But this"])
    await expect(waiting(chat).get_by_test_id("withdraw-button")).to_be_focused()
    await expect(chat.field).to_have_value("Never mind")
    await chat.field.fill("")
    await chat.stop_button.click()
    await expect(questions(chat)).to_have_text(["Count with me", "But this"])
    assert await answered(chat, 2) == "But this"
    await expect(waiting(chat)).to_have_count(0)


async def test_an_edit_is_left_by_escape_and_what_begins_meanwhile_takes_nothing_away(
    chat: Chat, standin: StandIn
) -> None:
    await half_written(chat)
    await chat.send("And then?")
    await waiting(chat).get_by_test_id("edit-waiting-button").click()
    field = chat.page.get_by_test_id("waiting-input")
    await field.fill("Or else?")
    await field.press("Escape")
    await expect(texts(chat)).to_have_text(["And then?"])
    await waiting(chat).get_by_test_id("edit-waiting-button").click()
    await field.fill("Or perhaps?")
    standin.release()
    await expect(questions(chat)).to_have_text(["Count with me", "And then?"])
    assert await answered(chat, 2) == "And then?"
    await expect(chat.field).to_have_value("Or perhaps?")


async def test_one_too_many_is_refused_where_it_stands_and_not_lost(chat: Chat, standin: StandIn) -> None:
    chat.watch.excuse("409")
    await half_written(chat)
    for text in ("one", "two", "three", "four"):
        await chat.send(text)
    await expect(texts(chat)).to_have_text(["one", "two", "three"])
    refused = chat.page.locator(".waiting-message.is-refused")
    await expect(refused).to_contain_text("No more messages can wait in this thread.")
    await waiting(chat).first.get_by_test_id("withdraw-button").click()
    await expect(texts(chat)).to_have_text(["two", "three"])
    await refused.get_by_role("button", name="Retry").click()
    await expect(texts(chat)).to_have_text(["two", "three", "four"])
    await expect(refused).to_have_count(0)
    await chat.field.fill("")
    await chat.send("five")
    await refused.get_by_role("button", name="Discard").click()
    await expect(chat.field).to_have_value("five")
    for _ in range(3):
        await waiting(chat).first.get_by_test_id("withdraw-button").click()
    await expect(waiting(chat)).to_have_count(0)
    standin.release()
    await chat.ended()
    assert [row["content"] for row in chat.stored()] == ["Count with me", FORTY]


async def test_whoever_comes_too_late_to_an_idle_thread_waits_as_well(
    windows: Windows, server: ChatServer, people: People, standin: StandIn
) -> None:
    """The page has not heard yet that a program was faster."""
    chat = await windows.usual(server, people["ada"])
    await chat.ask("Hello", model=ECHO)
    path = f"/threads/{chat.thread_id}"
    await chat.connect_by("Long poll")
    await chat.open(path)
    await expect(questions(chat)).to_have_count(1)
    async with Client(server.url, people["ada"].token) as program:
        await program.start("Count", model="ollama/gated-20:latest", thread=chat.thread_id)
        await chat.send("And me?", model=ECHO)
        await expect(texts(chat)).to_have_text(["And me?"])
        await chat.says("t19")
        standin.release()
    await expect(questions(chat)).to_have_text(["Hello", "Count", "And me?"])
    assert await answered(chat, 3) == "And me?"


async def test_on_a_phone_nothing_stands_beyond_the_edge(
    windows: Windows, server: ChatServer, people: People, standin: StandIn
) -> None:
    chat = await (await windows.fresh(server, people["ada"], size=PHONE)).open("/")
    await half_written(chat)
    await chat.send("a" * 200)
    await chat.send("two\nlines")
    await waiting(chat).first.get_by_test_id("edit-waiting-button").click()
    await expect(chat.page.get_by_test_id("waiting-input")).to_have_value("a" * 200)
    for element in ("documentElement", "querySelector('.column')"):
        assert await chat.page.evaluate(f"document.{element}.scrollWidth") <= PHONE[0]
    for button in await chat.page.locator(".waiting button").all():
        box = await button.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE[0]
    standin.release()
    await expect(waiting(chat)).to_have_count(0)
    await answered(chat, 3)

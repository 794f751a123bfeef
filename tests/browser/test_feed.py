"""Several tabs of one person: what changes in one is seen in all."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import expect

from tests.support.browser import Chat, Windows, choose_of_row
from tests.support.client import Client
from tests.support.people import People
from tests.support.server import ChatServer, key
from tests.support.standin import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]
TWENTY = " ".join(f"t{i}" for i in range(20))
FORTY = " ".join(f"t{i}" for i in range(40))
# What a native EventSource of this page makes of a run: the events it is given, and whether it has stopped by itself.
EVENT_SOURCE = """path => new Promise(resolve => {
    const seen = [], source = new EventSource(path);
    let opened = 0;
    source.onopen = () => { opened += 1; };
    source.onmessage = message => seen.push([Number(message.lastEventId), JSON.parse(message.data).event]);
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) resolve({ seen, opened }); };
})"""


@pytest.fixture(params=["WebSocket", "Server-Sent Events"])
def connection(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def test_two_tabs_are_in_step(
    windows: Windows, chat: Chat, server: ChatServer, people: People, connection: str, standin: StandIn
) -> None:
    await chat.connect_by(connection)
    await chat.open("/")
    other = await windows.tab(chat, "/")
    rows = other.page.locator("thread-row")
    await expect(other.field).to_be_visible()
    # A thread, its title and a run that begins.
    await chat.send("Count with me", model="gated-20:latest")
    await expect(other.titles.first).to_have_text("Count with me")
    await expect(rows.first.locator(".pulse")).to_be_visible()
    # Opened in the middle, and ended in both.
    await other.page.get_by_role("link", name="Count with me").first.click()
    await other.says("t19")
    standin.release()
    for tab in (chat, other):
        await tab.ended()
        assert await tab.text() == FORTY
    await expect(rows.first.locator(".pulse")).to_have_count(0)
    # A question asked in one is answered in the other.
    await other.ask("And then?", model="echo-3:latest")
    await expect(chat.page.locator(".question")).to_have_text(["Count with me", "And then?"])
    await chat.ended()
    assert await chat.text() == "And then?" == await other.text()
    # A message that a program deletes.
    (_, _, question, _) = chat.stored()
    delete = f"/api/v1/threads/{chat.thread_id}/messages/{UUID(question['id'])}"
    async with Client(server.url, people["ada"].token) as program:
        assert (await program.http.delete(delete)).status_code == 204
    for tab in (chat, other):
        await expect(tab.page.locator(".question")).to_have_text(["Count with me"])
    # A name.
    await choose_of_row(rows.first, "Rename")
    await rows.first.get_by_label("Title").fill("In step")
    await rows.first.get_by_label("Title").press("Enter")
    await expect(chat.titles.first).to_have_text("In step")
    await expect(chat.page.locator(".topbar h1")).to_have_text("In step")
    # Gone, where it is open.
    await choose_of_row(rows.first, "Delete")
    await expect(chat.page.locator(".blank")).to_contain_text("This thread has been deleted.")
    await expect(chat.titles.filter(has_text="In step")).to_have_count(0)
    await expect(other.page.locator(".greeting")).to_be_visible()


async def test_a_stop_in_one_tab_ends_it_in_the_other_and_a_draft_stays(windows: Windows, chat: Chat) -> None:
    await chat.send("Count", model="gated-20:latest")
    await chat.says("t19")
    other = await windows.tab(chat, f"/threads/{chat.thread_id}")
    await other.says("t19")
    await other.field.fill("Half a thou")
    await chat.stop_button.click()
    await other.ended()
    assert await other.text() == TWENTY
    await expect(other.field).to_have_value("Half a thou")


async def test_eight_tabs_on_six_connections_are_all_alive(windows: Windows, chat: Chat, standin: StandIn) -> None:
    await chat.connect_by("Server-Sent Events")
    await chat.open("/")
    await chat.send("Count", model="gated-20:latest")
    await chat.says("t19")
    path = f"/threads/{chat.thread_id}"
    # Five that follow the answer, of which two have no place for a stream; two that only show the list.
    followers = [await windows.tab(chat, path) for _ in range(4)]
    others = [await windows.tab(chat, "/") for _ in range(3)]
    for tab in followers:
        await tab.says("t19")
    for tab in others:
        await expect(tab.titles.first).to_have_text("Count")
    await others[0].send("Also alive", model="echo-3:latest")
    await others[0].ended()
    for tab in (chat, *followers, *others):
        await expect(tab.titles.first).to_have_text("Also alive")
    standin.release()
    for tab in (chat, *followers):
        await tab.ended()
        assert await tab.text() == FORTY
    streams = [tab for tab in (chat, *followers, *others) if any("/v1/events" in each for each in tab.watch.asked)]
    assert len(streams) <= 2  # one; on a machine that stands still for long the next tab may have taken it over
    assert any("wait=" in each for tab in followers for each in tab.watch.asked)


async def test_the_feed_goes_on_when_the_tab_that_held_it_is_closed(windows: Windows, chat: Chat) -> None:
    await chat.connect_by("Server-Sent Events")
    await chat.open("/")
    await expect(chat.field).to_be_visible()
    await chat.until(lambda: asyncio.sleep(0, chat.watch.asked), lambda asked: any("/v1/events" in a for a in asked))
    one, other = await windows.tab(chat, "/"), await windows.tab(chat, "/")
    await expect(other.field).to_be_visible()
    await chat.open("/accounts/password/reset/")
    await one.ask("Still in step", model="echo-3:latest")
    await expect(other.titles.first).to_have_text("Still in step")


async def test_a_native_event_source_stops_at_the_end_of_a_run(chat: Chat, standin: StandIn) -> None:
    await chat.send("Count", model="gated-20:latest")
    await chat.says("t19")
    (run,) = chat.server.rows("SELECT id FROM conversations_run WHERE thread_id = ?", key(chat.thread_id))
    chat.watch.asked.clear()
    reading = asyncio.create_task(chat.page.evaluate(EVENT_SOURCE, f"/api/v1/runs/{run['id']}/events?names=0"))
    await chat.until(lambda: asyncio.sleep(0, chat.watch.asked), lambda asked: any("names=0" in each for each in asked))
    standin.release()
    async with asyncio.timeout(30):
        told = await reading
    assert [number for number, _ in told["seen"]] == list(range(1, len(told["seen"]) + 1))
    assert told["seen"][-1][1] == "thread.run.completed"
    assert told["opened"] == 1
    await asyncio.sleep(3)  # longer than the server's retry
    assert sum("names=0" in each for each in chat.watch.asked) == 2  # the stream, and the 204 that ends it


async def test_a_page_that_was_frozen_is_whole_when_it_wakes(
    windows: Windows, server: ChatServer, people: People, standin: StandIn
) -> None:
    chat = await (await windows.fresh(server, people["ada"])).open("/")
    other = await windows.tab(chat, "/")
    await chat.send("Count", model="gated-20:latest")
    await chat.says("t19")
    devtools = await chat.page.context.new_cdp_session(chat.page)
    await _set_state(devtools, "frozen")
    await expect(other.titles.first).to_have_text("Count")
    await other.page.get_by_role("link", name="Count").first.click()
    await other.says("t19")
    standin.release()
    await other.ended()
    await other.page.get_by_test_id("new-thread").click()
    await expect(other.answers).to_have_count(0)
    await other.ask("Meanwhile", model="echo-3:latest")
    await _set_state(devtools, "active")
    await chat.ended()
    assert await chat.text() == FORTY
    await expect(chat.titles.nth(0)).to_have_text("Meanwhile")
    await expect(chat.titles.nth(1)).to_have_text("Count")


async def test_a_page_that_was_offline_is_whole_when_it_is_back(
    windows: Windows, server: ChatServer, people: People
) -> None:
    chat = await (await windows.fresh(server, people["ada"])).open("/")
    chat.watch.excuse(r"ERR_INTERNET_DISCONNECTED|WebSocket connection")
    await chat.ask("Here", model="echo-3:latest")
    other = await windows.fresh(server, people["ada"])
    await chat.page.context.set_offline(True)
    await other.open("/")
    await other.ask("There", model="echo-3:latest")
    await other.open(f"/threads/{chat.thread_id}")
    await other.ask("And here")
    await chat.page.context.set_offline(False)
    await expect(chat.titles.nth(0)).to_have_text("Here")
    await expect(chat.titles.nth(1)).to_have_text("There")
    await expect(chat.page.locator(".question")).to_have_text(["Here", "And here"])
    assert await chat.text() == "And here"


async def _set_state(devtools: Any, state: str) -> None:
    await devtools.send("Page.setWebLifecycleState", {"state": state})

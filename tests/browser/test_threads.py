"""The list of threads, and what is being written."""

import pytest
from playwright.async_api import expect

from tests.support.browser import Chat, Windows, choose_of_row
from tests.support.people import PASSWORD, People
from tests.support.server import ChatServer, key

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]


async def test_a_new_thread_is_named_after_its_first_message_and_stands_first(chat: Chat) -> None:
    await chat.ask("What is the first?", model="echo-3:latest")
    await chat.page.get_by_test_id("new-thread").click()
    await expect(chat.page.locator(".greeting")).to_be_visible()
    await expect(chat.field).to_be_focused()
    assert chat.page.url == f"{chat.server.url}/"
    await chat.ask("What is the second?")
    await expect(chat.titles.nth(0)).to_have_text("What is the second?")
    await expect(chat.titles.nth(1)).to_have_text("What is the first?")
    await expect(chat.page).to_have_title("What is the second? · chatserver")


async def test_a_message_moves_its_thread_to_the_top(chat: Chat) -> None:
    await chat.ask("Older", model="echo-3:latest")
    await chat.page.get_by_test_id("new-thread").click()
    await chat.ask("Newer")
    await chat.page.get_by_role("link", name="Older").first.click()
    await expect(chat.page.locator(".question")).to_have_text(["Older"])
    await chat.ask("Once more")
    await expect(chat.titles.nth(0)).to_have_text("Older")
    await chat.page.reload()
    await expect(chat.titles.nth(0)).to_have_text("Older")
    await expect(chat.titles.nth(1)).to_have_text("Newer")


async def test_back_and_forward_go_through_the_threads(chat: Chat) -> None:
    await chat.ask("Here", model="echo-3:latest")
    here = chat.page.url
    await chat.page.get_by_test_id("new-thread").click()
    await expect(chat.page.locator(".greeting")).to_be_visible()
    await chat.page.go_back()
    await expect(chat.page.locator(".question")).to_have_text(["Here"])
    assert chat.page.url == here
    await chat.page.go_forward()
    await expect(chat.page.locator(".greeting")).to_be_visible()


async def test_a_thread_is_renamed_in_the_list(chat: Chat) -> None:
    await chat.ask("Before", model="echo-3:latest")
    row = chat.page.locator("thread-row").first
    await choose_of_row(row, "Rename")
    await row.get_by_label("Title").fill("A better name")
    await row.get_by_label("Title").press("Enter")
    await expect(chat.titles.first).to_have_text("A better name")
    await expect(chat.page.locator(".topbar h1")).to_have_text("A better name")
    await chat.page.reload()
    await expect(chat.titles.first).to_have_text("A better name")
    assert chat.server.rows("SELECT title FROM conversations_thread WHERE id = ?", key(chat.thread_id)) == [
        {"title": "A better name"}
    ]


async def test_escape_leaves_the_name_as_it_was(chat: Chat) -> None:
    await chat.ask("As it was", model="echo-3:latest")
    row = chat.page.locator("thread-row").first
    await choose_of_row(row, "Rename")
    await row.get_by_label("Title").fill("Never mind")
    await row.get_by_label("Title").press("Escape")
    await expect(chat.titles.first).to_have_text("As it was")


async def test_a_deleted_thread_is_gone_in_every_tab_and_undo_brings_it_back(windows: Windows, chat: Chat) -> None:
    await chat.ask("Away with it", model="echo-3:latest")
    path = f"/threads/{chat.thread_id}"
    other = await windows.tab(chat, path)
    await expect(other.answers).to_have_count(1)
    await choose_of_row(chat.page.locator("thread-row").first, "Delete")
    await expect(chat.page.locator(".greeting")).to_be_visible()
    await expect(chat.titles.filter(has_text="Away with it")).to_have_count(0)
    await expect(other.titles.filter(has_text="Away with it")).to_have_count(0)
    await expect(other.page.locator(".blank")).to_contain_text("has been deleted")
    await expect(chat.page.locator(".undo")).to_contain_text("“Away with it” was deleted.")
    await chat.page.get_by_test_id("undo-button").click()
    await expect(chat.answers).to_have_count(1)
    await expect(chat.titles.first).to_have_text("Away with it")
    assert chat.page.url.endswith(path)
    await expect(other.answers).to_have_count(1)
    await expect(chat.page.locator(".undo")).to_be_empty()
    await choose_of_row(chat.page.locator("thread-row").first, "Delete")
    await expect(chat.page.locator(".greeting")).to_be_visible()
    await chat.open(path)
    await expect(chat.page.locator(".blank")).to_contain_text("This thread is not here.")
    chat.watch.excuse("404")


async def test_the_way_back_waits_while_somebody_looks_at_it(chat: Chat) -> None:
    await chat.page.clock.install()
    await chat.open("/")
    await chat.ask("Away with it", model="echo-3:latest")
    await choose_of_row(chat.page.locator("thread-row").first, "Delete")
    await chat.page.get_by_test_id("undo-button").hover()
    await chat.page.clock.run_for(30_000)
    await expect(chat.page.get_by_test_id("undo-button")).to_be_visible()
    await chat.page.locator(".greeting").hover()
    await chat.page.clock.run_for(11_000)
    await expect(chat.page.get_by_test_id("undo-button")).to_be_visible()
    await chat.page.clock.run_for(2_000)
    await expect(chat.page.get_by_test_id("undo-button")).to_have_count(0)


async def test_what_is_pinned_stands_above_and_the_archive_keeps_what_is_put_there(
    windows: Windows, chat: Chat
) -> None:
    await chat.ask("To be pinned", model="echo-3:latest")
    await chat.page.get_by_test_id("new-thread").click()
    await chat.ask("To be archived", model="echo-3:latest")
    other = await windows.tab(chat, "/")
    rows = chat.page.locator("thread-row")
    await choose_of_row(rows.filter(has_text="To be pinned"), "Pin")
    for tab in (chat, other):
        await expect(tab.titles.first).to_have_text("To be pinned")
        await expect(tab.page.locator(".thread-list h2").first).to_have_text("Pinned")
    await choose_of_row(rows.filter(has_text="To be archived"), "Archive")
    for tab in (chat, other):
        await expect(tab.titles.filter(has_text="To be archived")).to_have_count(0)
    await expect(chat.answers).to_have_count(1)  # it is still open
    await chat.page.get_by_test_id("archive-button").click()
    await expect(chat.titles.filter(has_text="To be archived")).to_have_count(1)
    await expect(chat.titles.filter(has_text="To be pinned")).to_have_count(0)
    await choose_of_row(rows.filter(has_text="To be archived"), "Take out of the archive")
    await expect(chat.titles.filter(has_text="To be archived")).to_have_count(0)
    await expect(other.titles.filter(has_text="To be archived")).to_have_count(1)
    await chat.page.get_by_test_id("undo-button").click()
    await expect(chat.titles.filter(has_text="To be archived")).to_have_count(1)
    await chat.page.get_by_test_id("archive-button").click()
    await expect(chat.titles.first).to_have_text("To be pinned")
    await choose_of_row(rows.filter(has_text="To be pinned"), "Unpin")
    await expect(chat.page.locator(".thread-list h2").first).to_have_text("Today")


async def test_a_draft_survives_a_reload_and_belongs_to_its_thread(chat: Chat) -> None:
    await chat.ask("Hello", model="echo-3:latest")
    await chat.field.fill("Half a thou")
    await chat.page.reload()
    await expect(chat.field).to_have_value("Half a thou")
    await chat.page.get_by_test_id("new-thread").click()
    await expect(chat.field).to_have_value("")
    await chat.page.go_back()
    await expect(chat.field).to_have_value("Half a thou")
    await chat.field.press("Enter")
    await chat.ended()
    await chat.page.reload()
    await expect(chat.field).to_have_value("")


async def test_somebody_elses_thread_is_not_here(windows: Windows, chat: Chat, people: People) -> None:
    await chat.ask("Private", model="echo-3:latest")
    bob = await windows.usual(chat.server, people["bob"])
    bob.watch.excuse("404")
    await bob.open(f"/threads/{chat.thread_id}")
    await expect(bob.page.locator(".blank")).to_contain_text("This thread is not here.")
    assert "Private" not in await bob.page.inner_text("body")


async def test_a_session_that_has_ended_is_said_and_the_way_back_is_shown(
    windows: Windows, server: ChatServer, people: People
) -> None:
    chat = await (await windows.fresh(server, people["ada"])).open("/")
    await expect(chat.titles.or_(chat.page.locator(".list-note")).first).to_be_visible()
    chat.watch.excuse("401|WebSocket")
    await chat.page.context.clear_cookies(name="session")
    await chat.send("Not lost")
    await expect(chat.error).to_contain_text("You are signed out.")
    await chat.error.get_by_role("link", name="Sign in").click()
    await chat.page.locator("[name=login]").fill("ada")
    await chat.page.locator("[name=password]").fill(PASSWORD)
    await chat.page.get_by_role("button", name="Sign In").click()
    await expect(chat.field).to_have_value("Not lost")

"""A transcript in the administration: for a reason, and on record for its owner."""

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from tests.support.axe import look
from tests.support.browser import Chat, Windows
from tests.support.people import People, Person
from tests.support.server import ChatServer

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]
REASON = "The owner asked why the answer is wrong"


@pytest.fixture
def staff(server: ChatServer, people: People) -> Iterator[Person]:
    """Bob, while he may do everything."""
    change = "UPDATE accounts_user SET is_staff = ?, is_superuser = ? WHERE username = 'bob'"
    server.spoil(change, 1, 1)
    yield people["bob"]
    server.spoil(change, 0, 0)


async def test_staff_reads_a_transcript_for_a_reason_and_its_owner_sees_that(
    windows: Windows, chat: Chat, staff: Person
) -> None:
    await chat.ask("What is 6 * 7 for the <record>?", model="qwen3:8b")
    admin = await windows.usual(chat.server, staff, path="/admin/conversations/thread/")
    page = admin.page
    await page.get_by_role("link", name="What is 6 * 7 for the <record>?").click()
    await expect(page.locator("#content-main")).to_contain_text("Say why you open it.")
    assert "The result is" not in await page.locator("#content-main").inner_text()
    await look(page, "the door of a transcript", within="#content-main")
    await page.get_by_label("Reason").fill(REASON)
    await page.get_by_role("button", name="Open the transcript").click()

    messages = page.locator(".transcript-message")
    await expect(messages).to_have_count(2)
    await expect(messages.first).to_contain_text("What is 6 * 7 for the <record>?")
    await expect(messages.last.locator("markdown-text").last).to_have_text("The result is 42.")
    await expect(messages.last.locator(".transcript-tool")).to_contain_text("calculator")
    await messages.last.locator(".transcript-run summary").click()
    names = await messages.last.locator(".transcript-run tbody td:nth-child(2)").all_inner_texts()
    assert names[:3] == ["thread.run.created", "thread.message.created", "thread.message.created"]
    assert names[-2:] == ["thread.message.completed", "thread.run.completed"]
    assert "thread.message.step.completed" in names or "thread.run.step.completed" in names
    await look(page, "a transcript", within="#content-main")

    await chat.open("/settings")
    record = chat.page.locator("access-list li").first
    await expect(record).to_contain_text("bob opened “What is 6 * 7 for the <record>?”")
    await expect(record).to_contain_text(REASON)


async def test_the_staff_find_the_administration_from_the_chat_and_others_do_not(
    windows: Windows, chat: Chat, staff: Person
) -> None:
    link = (await windows.usual(chat.server, staff, path="/")).page.get_by_role("link", name="Administration")
    await link.click()
    await expect(link.page.locator("#site-name")).to_contain_text("chatserver administration")
    await expect(chat.page.get_by_role("link", name="Settings")).to_be_visible()
    await expect(chat.page.get_by_role("link", name="Administration")).to_have_count(0)


async def test_an_attack_is_text_in_the_transcript_too(windows: Windows, chat: Chat, staff: Person) -> None:
    attack = "Look <img src=x onerror=alert(1)> ![p](https://elsewhere.example/p.png) [x](javascript:alert(1))"
    await chat.ask(attack, model="echo-3:latest")
    admin = await windows.usual(chat.server, staff, path=f"/admin/conversations/thread/{chat.thread_id}/transcript/")
    await admin.page.get_by_label("Reason").fill(REASON)
    await admin.page.get_by_role("button", name="Open the transcript").click()
    shown = admin.page.locator(".transcript-page")
    await expect(shown.locator("markdown-text")).to_contain_text("<img src=x onerror=alert(1)>")
    await expect(shown.locator("img, script, iframe")).to_have_count(0)
    links = await shown.locator("markdown-text a[href]").evaluate_all("all => all.map(one => one.protocol)")
    assert links == ["https:"]


async def test_who_is_not_staff_has_no_administration(chat: Chat) -> None:
    chat.watch.excuse("403")
    await chat.open("/admin/conversations/thread/")
    await expect(chat.page.locator(".transcript-page, #changelist")).to_have_count(0)


async def test_a_diagram_is_drawn_in_the_transcript_as_in_the_page(windows: Windows, chat: Chat, staff: Person) -> None:
    await chat.ask("```mermaid\ngraph LR\n  A[Ask] --> B[Answer]\n```\n\nSo.", model="echo-3:latest")
    admin = await windows.usual(chat.server, staff, path=f"/admin/conversations/thread/{chat.thread_id}/transcript/")
    await admin.page.get_by_label("Reason").fill(REASON)
    await admin.page.get_by_role("button", name="Open the transcript").click()
    await expect(admin.page.locator("mermaid-diagram iframe.is-drawn")).to_be_visible()
    await admin.page.get_by_role("button", name="Source").click()
    await expect(admin.page.locator("mermaid-diagram pre")).to_be_visible()

"""No page breaks its content security policy or complains on the console; every test here ends with that look."""

import asyncio

import pytest
from playwright.async_api import expect

from tests.support.browser import Chat, Windows
from tests.support.people import People
from tests.support.server import ChatServer

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]
STRANGERS = ["login/", "signup/", "password/reset/", "password/reset/done/", "logout/", "confirm-email/"]
OWN = ["/settings", "/accounts/password/change/", "/accounts/email/", "/accounts/logout/"]
ADMIN = ["", "conversations/thread/", "conversations/run/", "conversations/accessrecord/", "accounts/user/"]


async def test_the_look_at_the_console_sees_a_broken_policy(windows: Windows, server: ChatServer) -> None:
    chat = await windows.fresh(server)
    await chat.open("/accounts/login/")
    await chat.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">red</p>')")
    await chat.page.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/p.png'}))")
    while len(chat.watch.complaints) < 2:
        await asyncio.sleep(0.03)
    with pytest.raises(AssertionError, match="Content Security Policy"):
        chat.watch.assert_well()
    chat.watch.complaints.clear()
    chat.watch.elsewhere.clear()


async def test_the_pages_for_strangers(windows: Windows, server: ChatServer) -> None:
    chat = await windows.fresh(server)
    for path in STRANGERS:
        await chat.open(f"/accounts/{path}")
        await expect(chat.page.locator("main h1")).to_be_visible()
    link = server.setup_link()
    assert link is not None
    await chat.page.goto(link)
    await expect(chat.page.locator("main h1")).to_have_text("Set up this server")


async def test_the_pages_of_errors(windows: Windows, server: ChatServer, people: People) -> None:
    chat = await windows.fresh(server, people["ada"])
    chat.watch.excuse(r"status of 40\d")
    for path in ("/nowhere", "/accounts/setup/?code=wrong"):
        await chat.open(path)
        await expect(chat.page.locator("main h1")).to_be_visible()


async def test_the_pages_of_a_person(chat: Chat) -> None:
    for path in OWN:
        await chat.open(path)
        await expect(chat.page.locator("main h1")).to_be_visible()


async def test_a_conversation_with_everything_in_it(chat: Chat) -> None:
    await chat.ask("What is 6 * 7?", model="qwen3:8b")
    text = "# A\n\n*b* **c** ~~d~~ `e`\n\n- f\n\n1. g\n\n> h\n\n---\n\n"
    text += "| i | j |\n|:-:|--:|\n| k | l |\n\n```python\nm = 1\n```\n\n"
    await chat.ask(text + "![n](https://elsewhere.example/o.png) <https://example.org>", model="echo-3:latest")
    await chat.send("error", model="error-mid:latest")
    await expect(chat.error).to_be_visible()
    await chat.page.reload()
    await expect(chat.error).to_be_visible()
    await chat.answers.first.locator("thinking-step button").first.click()
    for tool in (".code-copy", ".code-wrap"):
        await chat.page.locator(tool).click()


async def test_the_administration(windows: Windows, server: ChatServer, people: People) -> None:
    change = "UPDATE accounts_user SET is_staff = ?, is_superuser = ? WHERE username = 'bob'"
    server.spoil(change, 1, 1)
    admin = await windows.usual(server, people["bob"])
    for path in ADMIN:
        await admin.open(f"/admin/{path}")
        await expect(admin.page.locator("#content")).to_be_visible()
    server.spoil(change, 0, 0)


async def test_the_page_can_be_installed(chat: Chat) -> None:
    tools = await chat.page.context.new_cdp_session(chat.page)
    manifest = await tools.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert '"start_url": "/"' in manifest["data"]
    found = (await tools.send("Page.getInstallabilityErrors"))["installabilityErrors"]
    # The browser of these tests keeps nothing; and an address without TLS is told by another.
    assert {one["errorId"] for one in found} <= {"in-incognito", "not-from-secure-origin"}

"""``make screenshots``: the pictures of the README, and the icons of the page that is installed.

A real server, a real browser, and models that say what is written in ``said.py``.
"""

import asyncio
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import httpx
from playwright.async_api import Browser, async_playwright, expect

from tests.pictures import model, said
from tests.support.browser import CHROMIUM, FLAGS, Chat
from tests.support.environment import ROOT
from tests.support.people import Person, settle
from tests.support.server import ChatServer, key

PICTURES = ROOT / "docs/pictures"
ICONS = ROOT / "conversations/static/conversations/icons"
SIGN = ROOT / "conversations/static/conversations/favicon.svg"
WIDE = (1280, 860)
PHONE = (390, 844)
Scheme = Literal["light", "dark"]


async def fill(server: ChatServer, person: Person) -> None:
    """The list of somebody who has been here for a while."""
    headers = {"Authorization": f"Bearer {person.token}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, trust_env=False, timeout=30) as program:
        for title, hours, pinned in said.THREADS:
            made = (await program.post("/api/v1/threads", json={"title": title})).json()
            await program.patch(f"/api/v1/threads/{made['id']}", json={"pinned": pinned})
            at = (datetime.now(UTC) - timedelta(hours=hours)).strftime("%Y-%m-%d %H:%M:%S.000")
            server.spoil("UPDATE conversations_thread SET updated_at = ? WHERE id = ?", at, key(made["id"]))


class Studio:
    def __init__(self, browser: Browser, server: ChatServer, person: Person) -> None:
        self.browser = browser
        self.server = server
        self.person = person

    async def open(self, path: str, *, size: tuple[int, int], scheme: Scheme) -> Chat:
        width, height = size
        view: Any = {"width": width, "height": height}
        phone = size == PHONE
        context = await self.browser.new_context(
            viewport=view, color_scheme=scheme, locale="en", device_scale_factor=2 if phone else 1.5, has_touch=phone
        )
        await context.add_cookies([{"name": "session", "value": self.person.session, "url": self.server.url}])
        return await Chat(await context.new_page(), self.server, self.server.url).open(path)

    async def take(self, chat: Chat, name: str) -> None:
        await chat.page.evaluate("document.activeElement.blur()")
        await chat.page.mouse.move(0, 0)
        await asyncio.sleep(1)  # what moves has come to rest
        await chat.page.screenshot(path=PICTURES / f"{name}.png")
        await chat.page.context.close()

    async def again(self, name: str, path: str, *, size: tuple[int, int], scheme: Scheme) -> None:
        chat = await self.open(path, size=size, scheme=scheme)
        await expect(chat.answer.locator(".answer-foot")).to_be_visible()
        await chat.page.locator(".scroller").evaluate("(one) => one.scrollTo(0, 0)")
        await self.take(chat, name)

    async def conversation(self) -> None:
        """Formulas, a table and code; light, dark, and on a phone."""
        chat = await self.open("/", size=WIDE, scheme="light")
        await chat.ask(said.TEA, model="qwen3:8b")
        path = f"/threads/{chat.thread_id}"
        await chat.page.context.close()
        await self.again("conversation", path, size=WIDE, scheme="light")
        await self.again("conversation-dark", path, size=WIDE, scheme="dark")
        await self.again("phone", path, size=PHONE, scheme="light")

    async def tools(self) -> None:
        chat = await self.open("/", size=WIDE, scheme="dark")
        await chat.ask(said.TIP, model="qwen3:8b")
        for head in await chat.answer.locator(".step-head[aria-expanded=false]").all():
            await head.click()
        await self.take(chat, "tools")

    async def beside(self) -> None:
        chat = await self.open("/", size=WIDE, scheme="light")
        await chat.choose("qwen3:8b")
        await chat.model.click()
        await chat.page.get_by_test_id("compare").check()
        await chat.option("ollama/gemma3:12b").click()
        await chat.page.keyboard.press("Escape")
        await chat.send(said.STONES)
        await expect(chat.page.locator(".answer-column .answer-foot")).to_have_count(2)
        await self.take(chat, "side-by-side")


async def icons(browser: Browser) -> None:
    """The sign as the systems want it that cannot draw it: on its own, and to be cut out in any shape."""
    sign = SIGN.read_text()
    filled = (
        sign.replace('rx="8"', "")
        .replace('viewBox="0 0 32 32"', 'viewBox="-4 -4 40 40"')
        .replace('width="32" height="32"', 'x="-4" y="-4" width="40" height="40"')
    )
    for name, svg, size in (
        ("icon-192", sign, 192),
        ("icon-512", sign, 512),
        ("maskable-512", filled, 512),
        ("apple-180", filled, 180),
    ):
        page = await browser.new_page(viewport={"width": size, "height": size})
        await page.set_content(f"<style>body{{margin:0}}svg{{display:block;width:100vw;height:100vh}}</style>{svg}")
        await page.screenshot(path=ICONS / f"{name}.png", omit_background=True)
        await page.close()


async def pictures() -> None:
    for place in (PICTURES, ICONS):
        place.mkdir(parents=True, exist_ok=True)
    runner, address = await model.serve()
    with tempfile.TemporaryDirectory(prefix="chat-pictures-") as home:
        settings = {"OLLAMA_BASE_URL": address}
        person = (await asyncio.to_thread(settle, Path(home), **settings))["ada"]
        server = ChatServer(Path(home), **settings)
        try:
            await asyncio.to_thread(server.start)
            await fill(server, person)
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                await icons(browser)
                studio = Studio(browser, server, person)
                await studio.conversation()
                await studio.tools()
                await studio.beside()
                await browser.close()
        finally:
            server.kill()
            await runner.cleanup()


def main() -> None:
    if CHROMIUM is None:
        sys.exit("There is no Chromium; install Debian's chromium, or name one in CHROMIUM.")
    asyncio.run(pictures())
    for place in (PICTURES, ICONS):
        for file in sorted(place.glob("*.png")):
            print(f"{file.relative_to(ROOT)}: {file.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()

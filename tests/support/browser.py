"""The page in a real browser: one open page of the chat, and what it must never do."""

import asyncio
import os
import re
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, expect

from tests.support.people import Person
from tests.support.server import ChatServer, key

_NAMES = ("chromium-headless-shell", "chromium", "google-chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 15.0
FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
WIDE = (1280, 800)
PHONE = (360, 740)
KEPT_TABS = 2


async def choose_of_row(row: Locator, name: str) -> None:
    """Choose something of the menu of a thread's row."""
    await row.hover()
    await row.locator("menu-button button").first.click()
    await row.get_by_role("menuitem", name=name, exact=True).click()


class Watch:
    """Collects what a page must not do: complain, break its content security policy, ask for anything elsewhere."""

    def __init__(self, page: Page, origin: str) -> None:
        self.origin = origin
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self.asked: list[str] = []
        self.sockets: list[str] = []
        self.dialogs: list[str] = []
        self.excused: re.Pattern[str] | None = None
        self._page = page
        self._looks: dict[Any, Callable[[Any], Any]] = {
            "console": self._said,
            "pageerror": lambda error: self.complaints.append(f"not caught: {error}"),
            "request": self._asked,
            "websocket": lambda socket: self.sockets.append(socket.url),
            "dialog": self._opened,
        }
        for event, look in self._looks.items():
            page.on(event, look)

    def end(self) -> None:
        """What the page does from now on is another's business."""
        for event, look in self._looks.items():
            self._page.remove_listener(event, look)

    def excuse(self, pattern: str) -> None:
        """Do not count complaints that have ``pattern``: what a test itself has brought about."""
        self.excused = re.compile(pattern)

    def assert_well(self) -> None:
        excused = self.excused
        found = [text for text in self.complaints if excused is None or not excused.search(text)]
        found += [f"asked for {address}" for address in self.elsewhere]
        found += [f"a dialog: {text}" for text in self.dialogs]
        assert not found, found

    def _said(self, message: ConsoleMessage) -> None:
        # Of an address that names no icon, as the one that empties a tab, a browser asks for one by itself.
        of_its_own = message.location.get("url", "").endswith("/favicon.ico")
        if message.type in ("error", "warning") and not of_its_own:
            self.complaints.append(f"{message.text} ({message.location.get('url')})")

    def _asked(self, request: Request) -> None:
        address = request.url
        self.asked.append(address)
        if not address.startswith((self.origin, "blob:")):
            self.elsewhere.append(address)

    async def _opened(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        await dialog.dismiss()


class Chat:
    """One page, with the words of a person who uses it."""

    def __init__(self, page: Page, server: ChatServer, url: str) -> None:
        self.page = page
        self.server = server
        self.url = url
        self.watch = Watch(page, url)

    # --- where things are ------------------------------------------------------------------------------------------

    @property
    def field(self) -> Locator:
        return self.page.get_by_test_id("chat-input")

    @property
    def stop_button(self) -> Locator:
        return self.page.get_by_test_id("cancel-button")

    @property
    def answers(self) -> Locator:
        return self.page.locator("assistant-message")

    @property
    def answer(self) -> Locator:
        return self.answers.last

    @property
    def usage(self) -> Locator:
        return self.answer.locator(".usage")

    @property
    def error(self) -> Locator:
        return self.page.locator(".error-status")

    @property
    def status(self) -> Locator:
        return self.page.locator(".status-line")

    @property
    def titles(self) -> Locator:
        return self.page.get_by_test_id("thread-list").locator(".thread-title")

    @property
    def thread_id(self) -> str:
        found = re.search(r"/threads/([0-9a-f-]{36})$", self.page.url)
        assert found, self.page.url
        return found[1]

    @property
    def model(self) -> Locator:
        """The button with the model that is chosen, its whole name in ``data-value``."""
        return self.page.get_by_test_id("model-button")

    def option(self, name: str) -> Locator:
        """Of the list of models, which must be open."""
        return self.page.locator(f'[role=option][data-value="{name}"]')

    # --- what is done ----------------------------------------------------------------------------------------------

    async def open(self, path: str = "/") -> Self:
        await self.page.goto(self.url + path)
        return self

    async def choose(self, model: str) -> None:
        await self.page.get_by_test_id("model-button").click()
        await self.option(f"ollama/{model}").click()

    async def send(self, text: str, *, model: str | None = None) -> None:
        if model is not None:
            await self.choose(model)
        await self.field.fill(text)
        if await self.page.evaluate("matchMedia('(pointer: coarse)').matches"):
            await self.page.get_by_test_id("send-button").click()
        else:
            await self.field.press("Enter")

    async def ask(self, text: str, *, model: str | None = None) -> str:
        """Send it, wait for the end, and return what the answer says."""
        await self.page.evaluate(FRAMES)  # what was clicked before is shown with the next one
        before = await self.answers.count()
        await self.send(text, model=model)
        await expect(self.answers).to_have_count(before + 1)
        await self.ended()
        return await self.text()

    async def connect_by(self, name: str) -> None:
        """Choose the transport in the settings, by the name that stands there; this browser keeps it."""
        await self.open("/settings")
        await self.page.get_by_label("Connection").select_option(label=name)

    # --- what is seen ----------------------------------------------------------------------------------------------

    async def text(self) -> str:
        """What the last answer says by now, without its steps."""
        return "".join(await self.answer.locator(":scope > markdown-text").all_inner_texts())

    async def says(self, text: str) -> None:
        """Wait until the last answer ends with ``text``."""
        await self.until(self.text, lambda said: said.endswith(text))

    async def ended(self) -> None:
        await expect(self.answer.locator(".answer-foot")).to_be_visible(timeout=PATIENCE * 1000)
        await expect(self.stop_button).to_have_count(0)
        said = [await self.text()]
        while len(said) < 2 or said[-1] != said[-2]:  # the last words are drawn when the page has time
            await asyncio.sleep(0.05)
            said.append(await self.text())

    async def until(
        self, look: Callable[[], Awaitable[Any]], right: Callable[[Any], bool], *, within: float = PATIENCE
    ) -> Any:
        """What ``look`` gives as soon as it is right; every look is repeated until then."""
        deadline = time.monotonic() + within
        while not right(found := await look()):
            assert time.monotonic() < deadline, f"after {within} s there is still: {found!r}"
            await asyncio.sleep(0.03)
        return found

    # --- what is stored --------------------------------------------------------------------------------------------

    def stored(self) -> list[dict[str, Any]]:
        """The thread's messages as the database has them, oldest first."""
        sql = "SELECT * FROM conversations_message WHERE thread_id = ? ORDER BY created_at, id"
        return self.server.rows(sql, key(self.thread_id))

    def stored_answer(self) -> dict[str, Any]:
        """The newest answer."""
        return [row for row in self.stored() if row["role"] == "assistant"][-1]

    async def stored_status(self) -> str:
        return str(self.stored_answer()["status"])


@dataclass
class Usual:
    """A browser that tests share, and those of its tabs that nobody uses."""

    context: BrowserContext
    idle: list[Page] = field(default_factory=list)


class Windows:
    """Opens browsers of people (contexts) and their tabs; ``close`` closes all and looks at what they had to say.

    ``usual`` are browsers that tests share with their tabs, because one that has the page's files cached, and a process
    for it, opens it in a third of the time. What a test stores in one is cleared at its end; what it changes in any
    other way (the size, the network) it changes in a fresh one.
    """

    def __init__(self, browser: Browser, usual: dict[tuple[str, str], Usual]) -> None:
        self._browser = browser
        self._usual = usual
        self._own: list[BrowserContext] = []
        self._chats: list[Chat] = []

    async def usual(self, server: ChatServer, person: Person, *, path: str = "/") -> Chat:
        """A tab of the browser that ``person`` always uses, signed in."""
        name = (server.url, person.name)
        if name not in self._usual:
            self._usual[name] = Usual(await self._context(server.url, person, WIDE))
        return await (await self._tab(self._usual[name].context, server, server.url)).open(path)

    async def fresh(
        self,
        server: ChatServer,
        person: Person | None = None,
        *,
        url: str | None = None,
        size: tuple[int, int] = WIDE,
        **options: Any,
    ) -> Chat:
        """A browser of its own, signed in if for a person, with an empty tab; ``url`` is another way to the server."""
        context = await self._context(url or server.url, person, size, **options)
        self._own.append(context)
        return await self._tab(context, server, url or server.url)

    async def tab(self, chat: Chat, path: str) -> Chat:
        """Another tab of the same browser."""
        return await (await self._tab(chat.page.context, chat.server, chat.url)).open(path)

    async def close(self, *, well: bool) -> None:
        for context in self._own:
            await context.close()
        for usual in self._usual.values():
            await self._leave(usual, [chat for chat in self._chats if chat.page.context is usual.context])
        for chat in self._chats if well else ():
            chat.watch.assert_well()

    async def _leave(self, usual: Usual, chats: list[Chat]) -> None:
        """Only when no page is left that could store something is cleared what was stored."""
        for chat in chats:
            chat.watch.end()
            await chat.page.goto(f"{chat.url}/livez")
        for chat in chats:
            await chat.page.evaluate("localStorage.clear(); sessionStorage.clear()")
        usual.idle += [chat.page for chat in chats]
        while len(usual.idle) > KEPT_TABS:
            await usual.idle.pop().close()

    async def _context(self, url: str, person: Person | None, size: tuple[int, int], **options: Any) -> BrowserContext:
        viewport: Any = {"width": size[0], "height": size[1]}
        context = await self._browser.new_context(viewport=viewport, locale="en", **options)
        context.set_default_timeout(PATIENCE * 1000)
        if person is not None:
            await context.add_cookies([{"name": "session", "value": person.session, "url": url}])
        return context

    async def _tab(self, context: BrowserContext, server: ChatServer, url: str) -> Chat:
        idle = next((usual.idle for usual in self._usual.values() if usual.context is context), [])
        chat = Chat(idle.pop() if idle else await context.new_page(), server, url)
        self._chats.append(chat)
        return chat

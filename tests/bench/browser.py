"""``make bench-page``: what it is like to watch a long answer, in a real browser, beside an empty page of the same run.

An answer of 20,000 tokens at 200 a second, with everything that Markdown has (``rich_words.py``); ``--short`` watches
3,000. Exits with 1 where a figure misses its limit by more than noise.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx
from playwright.async_api import Page, async_playwright

from tests.bench.notes import note
from tests.bench.systems import model_server
from tests.bench.table import Figure, Limit, markdown
from tests.support.browser import CHROMIUM, FLAGS
from tests.support.people import Person, settle
from tests.support.server import ChatServer

WATCHING = Path(__file__).with_name("watching.js").read_text()
SIZE: Any = {"width": 1280, "height": 800}
RATE = 200
QUIET = 3.0  # seconds of an empty page
LIMITS = {
    "frame, p95 above an empty page": Limit(unit="ms", at_most=16),
    "what is shown is behind what came, p95": Limit(unit="ms", at_most=150),
    "layout shift": Limit(unit="", at_most=0.02, noise=1),
    "JavaScript's memory": Limit(unit="MB", at_most=150, noise=1),
    "frame, p50": Limit(unit="ms", at_most=None),
    "longest task": Limit(unit="ms", at_most=None),
    "longest time behind": Limit(unit="ms", at_most=None),
}


def p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]


async def watch(page: Page, server: ChatServer, person: Person, *, tokens: int) -> list[Figure]:
    headers = {"Authorization": f"Bearer {person.token}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, trust_env=False, timeout=30) as program:
        thread = (await program.post("/api/v1/threads", json={})).json()["id"]
        await page.goto(f"{server.url}/threads/{thread}")
        await page.wait_for_selector("message-list")
        await asyncio.sleep(1)
        await page.evaluate("watched()")
        await asyncio.sleep(QUIET)
        empty = await page.evaluate("watched()")
        note(f"watching {tokens:,} tokens")
        body = {"content": "Tell me all of it.", "model": f"ollama/page-{tokens}@{RATE}"}
        started = await program.post(f"/api/v1/threads/{thread}/runs", json=body)
        assert started.status_code == 202, started.text
        await page.wait_for_selector(".answer-foot", timeout=(tokens / RATE + 60) * 1000)
        seen = await page.evaluate("watched()")
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("Performance.enable")
    heap = {one["name"]: one["value"] for one in (await devtools.send("Performance.getMetrics"))["metrics"]}
    values = {
        "frame, p95 above an empty page": max(p95(seen["frames"]) - p95(empty["frames"]), 0),
        "what is shown is behind what came, p95": p95(seen["lags"]),
        "layout shift": seen["shift"],
        "JavaScript's memory": heap["JSHeapTotalSize"] / 1e6,
        "frame, p50": median(seen["frames"]),
        "longest task": seen["longest"],
        "longest time behind": max(seen["lags"]),
    }
    return [Figure(system="page", name=name, limit=LIMITS[name], value=value) for name, value in values.items()]


async def figures(*, tokens: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="chat-bench-") as home, model_server() as upstream:
        settings = {"OLLAMA_BASE_URL": f"http://127.0.0.1:{upstream.port}"}
        person = settle(Path(home), **settings)["ada"]
        server = ChatServer(Path(home), **settings)
        try:
            server.start()
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                context = await browser.new_context(viewport=SIZE, locale="en")
                await context.add_cookies([{"name": "session", "value": person.session, "url": server.url}])
                page = await context.new_page()
                await page.add_init_script(WATCHING)
                found = await watch(page, server, person, tokens=tokens)
                await browser.close()
                return found
        finally:
            server.kill()


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-page", description=__doc__)
    parser.add_argument("--short", action="store_true")
    if CHROMIUM is None:
        sys.exit("There is no Chromium; install Debian's chromium, or name one in CHROMIUM.")
    found = asyncio.run(figures(tokens=3_000 if parser.parse_args().short else 20_000))
    print(markdown(found))
    return int(any(figure.missed for figure in found))


if __name__ == "__main__":
    sys.exit(main())

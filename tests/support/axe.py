"""A page as axe sees it (https://github.com/dequelabs/axe-core): at 360 and 1440 pixels, light and dark."""

from typing import Any

from playwright.async_api import Page

from tests.support.browser import FRAMES
from tests.support.environment import ROOT

AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LOOK = """async ([where, tags]) => {
  const { violations } = await axe.run(where || document, { runOnly: tags, resultTypes: ["violations"] });
  return violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.target} ${node.html.slice(0, 120)}`));
}"""
SIZES = ((360, 740), (1440, 900))
SCHEMES: tuple[Any, ...] = ("light", "dark")


async def look(page: Page, state: str, *, within: str = "") -> None:
    """Nothing is found in what is seen now, or ``within`` a part that is ours, in any size and theme."""
    found: list[str] = []
    # In the page's own world a script element would be refused by its policy; evaluating is not the page's doing.
    await page.evaluate(AXE)
    for width, height in SIZES:
        await page.set_viewport_size({"width": width, "height": height})
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            await page.evaluate(FRAMES)  # what follows the size
            found += [f"{state}, {width}, {scheme}: {one}" for one in await page.evaluate(LOOK, [within, RULES])]
            over = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            found += [f"{state}, {width}: {over} pixels beyond the edge"] if over > 0 else []
    assert found == [], "\n".join(found)

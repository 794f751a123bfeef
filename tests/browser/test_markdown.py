"""What a model writes is shown and never run."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.support.browser import Chat

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.asyncio(loop_scope="session")]
# Every piece would open a dialog, leave this server or become an element, if it were let.
ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><animate onbegin=alert(1)>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<a href='javascript:alert(1)'>raw</a>",
    "[a](javascript:alert(1))",
    "[b](JaVaScRiPt:alert(1))",
    "[c](java\tscript:alert(1))",
    "[d](&#106;avascript:alert(1))",
    "[e](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[f](vbscript:msgbox(1))",
    "[g](//elsewhere.example/)",
    "[h](file:///etc/passwd)",
    "[i](/accounts/logout/)",
    "[j]: javascript:alert(1)\n\n[j]",
    "<javascript:alert(1)>",
    "![pixel](https://elsewhere.example/p.png?secret=1)",
    "![inline](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    '![t](x "onerror=alert(1)")',
    '![q](https://elsewhere.example/"onerror="alert(1))',
    "`<img src=x onerror=alert(1)>`",
    "```html\n<script>alert(1)</script>\n```",
    '```"><img src=x onerror=alert(1)>\ncode\n```',
    "<style>body{display:none}</style>",
    "<form action=https://elsewhere.example/><input name=a></form>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<details open ontoggle=alert(1)>",
    "| a | b |\n|:-:|--:|\n| <img src=x onerror=alert(1)> | 2 |",
    "&lt;img src=x onerror=alert(1)&gt;",
    "$\\href{javascript:alert(1)}{x}$ $\\includegraphics{https://elsewhere.example/p.png}$",
    "$$\\text{<img src=x onerror=alert(1)>}\\htmlStyle{position:fixed}{x}$$",
]
END = "\n\nThat was all."
LOOK = """() => {
    const inside = [...document.querySelectorAll(".message *")];
    return {
        names: [...new Set(inside.map(one => one.localName))],
        handlers: inside.flatMap(one => one.getAttributeNames()).filter(name => name.startsWith("on")),
        styles: inside.filter(one => one.hasAttribute("style")).length,
        ids: inside.filter(one => one.id).length,
        links: inside.filter(one => one.localName === "a" && one.hasAttribute("href")).map(one => one.href),
        rels: [...new Set(inside.filter(one => one.localName === "a" && one.hasAttribute("href")).map(one => one.rel))],
    };
}"""


async def test_no_attack_becomes_more_than_text(chat: Chat) -> None:
    await _answered(chat, "\n\n".join(ATTACKS))
    _assert_harmless(await chat.page.evaluate(LOOK))
    await chat.page.reload()
    await chat.ended()
    _assert_harmless(await chat.page.evaluate(LOOK))


async def test_thinking_and_tools_are_as_harmless_as_answers(chat: Chat) -> None:
    # The stand-in thinks about what it was asked, in its words; the tool is given the same.
    await chat.ask("<img src=x onerror=alert(1)> 6 * 7 [x](javascript:alert(1))", model="qwen3:8b")
    await chat.answer.locator("thinking-step").first.get_by_role("button").click()
    await expect(chat.answer.locator("thinking-step").first).to_contain_text("<img src=x")
    _assert_harmless(await chat.page.evaluate(LOOK))


async def test_a_title_is_text(chat: Chat) -> None:
    await chat.ask("<img src=x onerror=alert(1)>", model="echo-3:latest")
    await expect(chat.titles.first).to_have_text("<img src=x onerror=alert(1)>")
    await expect(chat.page.locator("img")).to_have_count(0)


async def test_good_markdown_is_what_it_should_be(chat: Chat) -> None:
    text = (
        "# Big\n\n**bold** and *soft*\n\n1. one\n2. two\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n```python\nx = 1\n```\n\n"
    )
    await _answered(chat, text + "See <https://example.org/a?b=c&d=e> or [us](mailto:us@example.org).")
    answer = chat.answer
    await expect(answer.locator("h3")).to_have_text("Big")
    await expect(answer.locator("strong")).to_have_text("bold")
    await expect(answer.locator("ol li")).to_have_text(["one", "two"])
    await expect(answer.locator("td.align-right")).to_have_text("2")
    await expect(answer.locator(".code-block code")).to_have_text("x = 1\n")
    await expect(answer.locator("a").first).to_have_attribute("href", "https://example.org/a?b=c&d=e")
    await expect(answer.locator("a").last).to_have_attribute("href", "mailto:us@example.org")


async def test_formulas_are_set_while_the_answer_grows(chat: Chat) -> None:
    await _answered(chat, "It costs $5 or $10. With \\(x_1\\) it is\n\n$$\n\\sum_{i=1}^{n} \\frac{1}{i^2}\n$$\n\n")
    answer = chat.answer
    await expect(answer.locator("p").first).to_contain_text("It costs $5 or $10. With ")
    await expect(answer.locator("p math msub")).to_have_count(1)
    await expect(answer.locator(".math-block math[display=block] munderover")).to_have_count(1)
    heights = await answer.locator("math mfrac > *").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().top)"
    )
    assert heights[0] < heights[1], "a fraction is not set as one"


async def test_code_is_wrapped_for_good_and_saved_as_a_file(chat: Chat) -> None:
    code = f"x = {'1 + ' * 100}1\n"
    await _answered(chat, f"```python\n{code}```\n\n```\nb\n```\n")
    is_wide = "one => one.scrollWidth > one.clientWidth"
    block, wrap = chat.answer.locator("pre").first, chat.answer.locator(".code-wrap")
    assert await block.evaluate(is_wide)
    await wrap.last.click()
    assert not await block.evaluate(is_wide)
    await chat.page.reload()
    await chat.ended()
    await expect(wrap.first).to_have_attribute("aria-pressed", "true")
    assert not await block.evaluate(is_wide)
    async with chat.page.expect_download() as saved:
        await chat.answer.locator(".code-save").first.click()
    file = await saved.value
    assert file.suggested_filename == "code.py"
    assert await asyncio.to_thread(Path(await file.path()).read_text) == code


async def test_a_growing_answer_ends_as_the_one_that_is_read_afresh(chat: Chat) -> None:
    text = "- a\n- b\n\n  c\n\n[r]: https://example.org\n\nSee [r].\n\n```\nx\n\ny\n```\n\n"
    text += "> q\n\n| h |\n|---|\n| *i* |\n\nSo $x_1$:\n\n$$\n\\frac{a}{b}\n\n= c\n$$\n\nEnd 👩‍💻"
    await _answered(chat, text)
    grown = await _shape(chat)
    await chat.page.reload()
    await chat.ended()
    assert await _shape(chat) == grown


async def _answered(chat: Chat, text: str) -> None:
    """Let the model say exactly ``text``, three characters at a time, and then one word."""
    text += END
    await chat.send(text, model="echo-3:latest")
    await chat.ended()
    await chat.says(END.strip())
    assert chat.stored_answer()["content"] == text


async def _shape(chat: Chat) -> Any:
    """The answer's elements and texts, however the growing text was cut into blocks."""
    return await chat.answer.locator(":scope > markdown-text").evaluate(
        """one => [...one.querySelectorAll("*")].filter(e => e.matches(
            "p, ul, li, pre, code, blockquote, table, th, td, a, em, math, math *"
        )).map(e => [e.localName, e.textContent])"""
    )


def _assert_harmless(seen: dict[str, Any]) -> None:
    ours = {"thinking-step", "tool-card", "markdown-text", "section", "button", "footer", "dl", "dt", "dd", "h2", "svg"}
    ours |= {"answer-foot", "version-arrows", "menu-button"}
    ours |= {"path", "rect", "circle", "polyline", "line", "g"}  # of the icons
    text = {"p", "a", "code", "pre", "div", "span", "table", "thead", "tbody", "tr", "th", "td", "em", "strong", "br"}
    maths = {"math", "mrow", "mi", "mn", "mo", "mtext", "mstyle", "mspace"}
    assert set(seen["names"]) <= ours | text | maths
    assert (seen["handlers"], seen["styles"], seen["ids"]) == ([], 0, 0)
    assert all(link.startswith(("http://", "https://", "mailto:")) for link in seen["links"])
    assert not [link for link in seen["links"] if "127.0.0.1" in link]
    assert set(seen["rels"]) <= {"noopener noreferrer nofollow"}

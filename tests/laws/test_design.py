"""The one design: every colour is a token, every token can be read on the grounds it stands on, and what moves may be
told to stand still."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.laws.laws import ROOT

SHEETS = ROOT / "conversations/static/conversations/css"
TOKENS = SHEETS / "tokens.css"
# The system's own colours, where it forces them, are words with a capital letter.
RAW = re.compile(
    r"#[0-9a-f]{3,8}\b|\b(?:rgba?|hsla?|hwb|lab|lch|oklab|oklch|color|color-mix|light-dark)\("
    r"|(?<![-\w.\"])(?:white|black|gr[ae]y|red|green|blue|yellow|orange|purple|pink|brown|silver)(?![-\w\"])"
)
GROUNDS = ("paper", "raised", "sunken", "hover")
# What is read on what; text is at least 4.5 : 1 (WCAG 2.2, 1.4.3).
TEXT = [
    *((ink, ground) for ink in ("ink", "ink-soft", "ink-faint", "accent") for ground in GROUNDS),
    *((ink, "accent-soft") for ink in ("ink", "ink-soft", "accent", "accent-strong")),
    *(("accent-strong", ground) for ground in ("paper", "raised")),
    *(("on-accent", ground) for ground in ("accent", "accent-strong")),
    *(("danger", ground) for ground in ("paper", "raised", "sunken", "danger-soft")),
    *(("warning", ground) for ground in ("paper", "raised", "warning-soft")),
    ("paper", "ink"),
    ("ink", "danger-soft"),
    *((f"code-{kind}", "sunken") for kind in ("keyword", "string", "number", "name", "comment")),
]
# What is seen beside what: edges of fields and buttons, the ring of the focus; at least 3 : 1 (1.4.11).
EDGES = [(edge, ground) for edge in ("line-strong", "accent", "danger") for ground in ("paper", "raised", "sunken")]
# Only quiet lines, which separate what stands apart anyway, and what lies behind a dialog.
DECORATION = {"line", "thread", "scrim"}


def without_comments(text: str) -> str:
    """With as many lines as before."""
    return re.sub(r"/\*.*?\*/", lambda found: "\n" * found[0].count("\n"), text, flags=re.DOTALL)


def raw_colours(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(without_comments(text).splitlines(), start=1):
        if ":" in line and (found := RAW.search(line.partition(":")[2].lower() if "url(" not in line else "")):
            yield number, found[0]


def colours(theme: int) -> dict[str, str]:
    """The tokens that are one colour a theme: light is 0, dark is 1."""
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", TOKENS.read_text())
    return {name: pair[theme] for name, *pair in found}


def luminance(colour: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def moving(text: str) -> Iterator[str]:
    """Declarations of motion that go on where a reader wants none."""
    text = without_comments(text)
    for found in re.finditer(r"transition: ([^;]+);", text):
        if re.search(r"[\d.]+m?s\b", re.sub(r"\b0s\b", "", found[1])):
            yield found[0]
    still = re.sub(r"@media \(prefers-reduced-motion: no-preference\) \{.*?\n\}", "", text, flags=re.DOTALL)
    yield from (found[0] for found in re.finditer(r"animation: (?!none)[^;]+;", still))


def sheets() -> list[Path]:
    return [path for path in sorted(SHEETS.glob("*.css")) if path != TOKENS]


@pytest.mark.parametrize("sheet", sheets(), ids=lambda path: path.name)
def test_colours_stand_among_the_tokens_only(sheet: Path) -> None:
    assert list(raw_colours(sheet.read_text())) == []


@pytest.mark.parametrize("sheet", sheets(), ids=lambda path: path.name)
def test_what_moves_takes_the_tokens_time_or_asks_first(sheet: Path) -> None:
    assert list(moving(sheet.read_text())) == []


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_what_is_read_and_seen_stands_out_from_its_ground(theme: int) -> None:
    known = colours(theme)
    faint = [
        f"{one} on {ground}: {contrast(known[one], known[ground]):.2f}"
        for pairs, least in ((TEXT, 4.5), (EDGES, 3.0))
        for one, ground in pairs
        if contrast(known[one], known[ground]) < least
    ]
    assert faint == []


def test_every_colour_is_looked_at() -> None:
    assert set(colours(0)) - {name for pair in [*TEXT, *EDGES] for name in pair} - DECORATION == set()


@pytest.mark.parametrize(
    "name", sorted({name for path in sheets() for name in re.findall(r"var\(--([\w-]+)\)", path.read_text())})
)
def test_every_token_that_is_used_is_there(name: str) -> None:
    defined = {each for path in SHEETS.glob("*.css") for each in re.findall(r"--([\w-]+):", path.read_text())}
    assert name in defined


@pytest.mark.parametrize(
    "breach",
    [
        "a { color: #fff; }",
        "a { color: rgb(0 0 0); }",
        "a { border: 1px solid white; }",
        "a { color: light-dark(a, b); }",
    ],
)
def test_a_raw_colour_is_found(breach: str) -> None:
    assert list(raw_colours(breach)) != []


@pytest.mark.parametrize(
    "fine", ["a { color: var(--ink); }", "a { white-space: pre; }", "a { outline: 1px solid Highlight; }", "/* #fff */"]
)
def test_what_is_no_raw_colour_is_none(fine: str) -> None:
    assert list(raw_colours(fine)) == []


def test_motion_that_nobody_can_stop_is_found() -> None:
    assert list(moving("a {\n  transition: color 120ms;\n  animation: spin 1s infinite;\n}")) != []
    asked = "@media (prefers-reduced-motion: no-preference) {\n  a {\n    animation: spin 1s;\n  }\n}"
    assert list(moving(asked + "\nb {\n  transition: color var(--quick), visibility 0s var(--calm);\n}")) == []


def test_contrast_is_the_standard_s() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)

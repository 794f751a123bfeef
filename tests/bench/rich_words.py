"""An answer as a page must render it: prose, lists, tables, formulas, and code, some of it long."""

import re

_TOKEN = re.compile(r"\s*\w{1,7}|\s*[^\w\s]{1,2}|\s+")
_PROSE = """## What is measured here

A paragraph of **plain words** with `code in it`, [a link](https://example.com/page), *emphasis* and a formula like
$e^{i\\pi} + 1 = 0$ in the middle of a sentence. It goes on for a while, so that lines wrap, as they do in real answers,
and the paragraph is drawn again with every token that comes, until it ends.

"""
_LIST = """1. First something **short**.
2. Then a longer point, with its reasons: the one, the other, and the third of them.
   - below it another,
   - and one more with `a name`.
3. At last the end of the list.

"""
_TABLE = (
    "| name | value | what it means |\n|---|---:|---|\n"
    + "".join(f"| row {number} | {number * 37 % 101} | some words about row {number} |\n" for number in range(8))
    + "\n"
)
_FORMULA = "$$\n\\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2}\n$$\n\n"


def _code(lines: int) -> str:
    body = "".join(
        f"    if value_{number} > {number}:  # step {number}\n        return work(value_{number}, {number})\n"
        for number in range(lines // 2)
    )
    return f"```python\ndef long_function(*values):\n{body}```\n\n"


_SECTION = _PROSE + _LIST + _TABLE + _FORMULA + _code(16)
# Five short rounds, then code of 800 lines, which stays open for most of a minute.
RICH = tuple(_TOKEN.findall(_SECTION * 5 + _code(800) + _SECTION * 8))

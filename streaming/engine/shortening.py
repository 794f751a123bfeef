"""The result of a tool, shortened: its beginning and its end, and between them a mark that says how much is missing."""

from streaming.engine.tokens import of_text

SHORTEST = 400  # characters that are kept of it in any case: a line or two of each end, enough to know what it was
HEAD = 3  # of this many quarters: what was looked for mostly stands further up


def shortened(text: str, *, keep: int) -> str:
    """``keep`` characters of ``text``, or all of it where the mark would take as much as it saves."""
    head = keep * HEAD // 4
    mark = f"\n[… {len(text) - keep:,} characters are left out here …]\n"
    if keep + len(mark) >= len(text):
        return text
    return f"{text[:head]}{mark}{text[len(text) - (keep - head) :]}"


def shortened_to(text: str, *, tokens: int) -> str:
    """As much of ``text`` as takes at most so many tokens; the shortest there is where even that takes more.

    What is kept is doubled as long as it fits: a result that is told again with a little less room is mostly the same.
    """
    if of_text(text) <= tokens:
        return text
    keep = SHORTEST
    short = shortened(text, keep=keep)
    while keep < len(text) and of_text(longer := shortened(text, keep=2 * keep)) <= tokens:
        keep, short = 2 * keep, longer
    return short

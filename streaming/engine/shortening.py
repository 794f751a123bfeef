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
    """As much of ``text`` as takes at most so many tokens; the shortest there is where even that takes more."""
    whole = of_text(text)
    if whole <= tokens:
        return text
    keep = max(SHORTEST, len(text) * tokens // whole)
    while of_text(short := shortened(text, keep=keep)) > tokens and keep > SHORTEST:
        keep = max(SHORTEST, keep * 7 // 8)  # what was kept is denser than the rest, or it is the mark
    return short

"""The piece of a message that shows why it was found."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conversations.search.wanted import Wanted
from conversations.search.words import Token, tokens

LENGTH = 200  # characters
_BEFORE = 60  # of them before the first hit
_NEAR = 20  # so far an edge may move, to where a word begins or ends
_LOOKED_AT = 200  # places that look like a hit, before every word is looked at
_WALKED = 50_000  # characters of which every word is looked at; with it a page costs milliseconds at most
_SPACE = re.compile(r"\s")
_CUT = "…"


@dataclass(frozen=True, kw_only=True)
class Excerpt:
    """Plain text on one line. ``hits`` are the characters of it, from and to before, that were looked for."""

    text: str
    hits: list[tuple[int, int]]


def excerpt(content: str, sought: Sequence[Wanted]) -> Excerpt:
    """Around the first hit; the beginning, without hits, where none is found soon."""
    first = _first_hit(content, sought)
    start, end = _edges(content, 0 if first is None else first)
    lead, trail = _CUT if start > 0 else "", _CUT if end < len(content) else ""
    hits = [(start + hit.start, start + hit.end) for hit in _hits(content[start:end], sought)]
    shift = len(lead) - start
    piece = _SPACE.sub(" ", content[start:end])  # a character for a character
    return Excerpt(text=lead + piece + trail, hits=[(a + shift, b + shift) for a, b in _joined(hits)])


def _hits(text: str, sought: Sequence[Wanted]) -> Iterator[Token]:
    for token in tokens(text):
        if any(each.fits(token.term) for each in sought):
            # A pair that was found by its first character is that character.
            alone = token.paired and not any(each.fits(token.term) and not each.begins for each in sought)
            yield token._replace(end=token.start + 1) if alone else token


def _first_hit(content: str, sought: Sequence[Wanted]) -> int | None:
    """To walk all words of a long answer takes 50 ms; most hits are found by their letters."""
    looks_like = re.compile("|".join(re.escape(each.term) for each in sought), re.IGNORECASE)
    for _, found in zip(range(_LOOKED_AT), looks_like.finditer(content), strict=False):
        begin = max(0, found.start() - LENGTH)
        for hit in _hits(content[begin : found.end() + LENGTH], sought):
            if begin + hit.start == found.start():
                return found.start()
    return next((hit.start for hit in _hits(content[:_WALKED], sought)), None)


def _edges(content: str, first: int) -> tuple[int, int]:
    start = max(0, first - _BEFORE)
    if start > 0 and (space := _SPACE.search(content, start, min(start + _NEAR, first))):
        start = space.end()
    end = min(len(content), start + LENGTH)
    if end < len(content):
        spaces = [space.start() for space in _SPACE.finditer(content, max(end - _NEAR, first + 1), end)]
        end = spaces[-1] if spaces else end
    return start, end


def _joined(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those that overlap, as pairs of characters do, are one."""
    joined: list[tuple[int, int]] = []
    for start, end in ranges:
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined

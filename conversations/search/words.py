"""Texts as terms: what the index keeps of a message, and what is looked for in it.

Both databases are given the same terms and are asked for whole terms or beginnings of terms only, so that a search
finds the same on both, whatever their own notions of words, letters and languages are.

A word is a run of letters and digits; whatever else there is stands between words. Case and diacritics do not count.
Scripts without spaces (Chinese, Japanese, Thai …) have no words that could be told apart without a dictionary: there
the terms are pairs of neighbouring characters, and the last one of a run.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

LONGEST = 40  # characters of a term; of longer words, the beginning
# UTF-8 of a message's terms together. PostgreSQL takes a mebibyte; the longest answer of a person's language has less.
MOST_BYTES = 600_000

_SPACED, _UNSPACED, _BETWEEN = "w", "c", " "
_RUN = re.compile(f"{_SPACED}+|{_UNSPACED}+")
_ASCII_WORD = re.compile("[a-z0-9]+")
# Thai and Lao; Myanmar; Khmer; kana; CJK with its extensions; halfwidth kana.
_WITHOUT_SPACES = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3005, 0x3007),
    (0x3040, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),
    (0x20000, 0x3FFFF),
)
# Marks below this are diacritics; further up they are vowels, without which a word would be another one.
_FIRST_VOWEL_SIGN = 0x0900
_FURTHER_DIACRITICS = ((0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE00, 0xFE0F), (0xFE20, 0xFE2F))


class Token(NamedTuple):
    """A term and where it stands: the characters from ``start`` to before ``end``. ``paired``: of a script without
    spaces.
    """

    start: int
    end: int
    term: str
    paired: bool = False


def tokens(text: str) -> Iterator[Token]:
    """In order; those of scripts without spaces overlap."""
    shape = text.translate(_SHAPES)
    for found in _RUN.finditer(shape):
        start, end = found.span()
        if shape[start] == _UNSPACED:
            for at in range(start, end):
                if term := fold(text[at : min(at + 2, end)]):
                    yield Token(at, min(at + 2, end), term, paired=True)
        elif term := fold(text[start:end]):
            yield Token(start, end, term)


def terms(text: str) -> list[str]:
    """Each term of a text once: the earlier ones where they are more than an index takes."""
    if len(text) * 4 <= MOST_BYTES:
        return list(_all_terms(text))
    found = dict.fromkeys(token.term for token in tokens(text))
    size, kept = 0, []
    for term in found:
        size += len(term.encode()) + 1
        if size > MOST_BYTES:
            break
        kept.append(term)
    return kept


def _all_terms(text: str) -> dict[str, None]:
    """No term goes beyond a space. Most of what stands between spaces is ASCII, and so read at once."""
    plain, others = text, []
    if not text.isascii():
        pieces = dict.fromkeys(text.split())
        plain = " ".join(filter(str.isascii, pieces))
        others = [piece for piece in pieces if not piece.isascii()]
    found = dict.fromkeys(word[:LONGEST] for word in _ASCII_WORD.findall(plain.lower()))
    for piece in others:
        found.update(dict.fromkeys(token.term for token in tokens(piece)))
    return found


def fold(word: str) -> str:
    """The term of a word: without case, diacritics, and what is no letter and no digit. Empty where nothing is left."""
    if word.isascii():
        return word.lower()[:LONGEST]
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", word).casefold())
    kept = "".join(char for char in apart if _SHAPES[ord(char)] != _BETWEEN and not _dropped(char))
    return unicodedata.normalize("NFC", kept)[:LONGEST]


def _dropped(char: str) -> bool:
    kind, code = unicodedata.category(char), ord(char)
    if kind == "Cf":  # joiners, soft hyphens
        return True
    return kind[0] == "M" and (code < _FIRST_VOWEL_SIGN or _within(code, _FURTHER_DIACRITICS))


def _within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code <= last for first, last in ranges)


class _Shapes(dict[int, str]):
    """What kind of character a code point is, found out once each."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        kind = unicodedata.category(char)
        if not (char.isalnum() or kind[0] == "M" or kind == "Cf"):
            shape = _BETWEEN
        elif _within(code, _WITHOUT_SPACES):
            shape = _UNSPACED
        else:
            shape = _SPACED
        self[code] = shape
        return shape


_SHAPES = _Shapes()

"""The texts in the page's modules: each literal, where it stands, and which call it is given to. No parser of
JavaScript, but enough for how these are written: comments, strings, templates in templates, and regular expressions.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

GAP = "\0"  # stands where a template has a value
_WORD = re.compile(r"[\w.$]*$")
_TOKEN = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|[`/(){}\[\],]", re.DOTALL)
_REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*")
_BEFORE_REGEX = re.compile(r"(?:^|[(,=:\[!&|?{};+\-*%<>]|\b(?:return|typeof|case))\s*$")
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|(.))", re.DOTALL)


@dataclass(frozen=True)
class Literal:
    line: int
    text: str  # of a template with ``GAP`` for each value, and the line breaks of what that took
    tag: str | None  # of a template, "" where it has none; None for a string in quotes
    call: str  # the function it is handed to, itself and not within something else; else ""
    place: int  # among the arguments


@dataclass(frozen=True)
class Call:
    line: int
    name: str
    plain: bool  # whether it begins with a string in quotes


def literals(source: str) -> list[Literal]:
    reader = _Reader(source)
    reader.code(0)
    return reader.literals


def calls(source: str) -> list[Call]:
    reader = _Reader(source)
    reader.code(0)
    return reader.calls


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.literals: list[Literal] = []
        self.calls: list[Call] = []

    def code(self, at: int) -> int:
        """From ``at`` to the brace that closes what was open there, or to the end; where that is."""
        frames: list[list[str | int]] = []
        while found := _TOKEN.search(self.source, at):
            token, begins, at = found[0], found.start(), found.end()
            call, place = frames[-1] if frames else ("", 0)
            match token[0]:
                case "/" if token[1:2] in ("/", "*"):
                    continue
                case "/":
                    if _BEFORE_REGEX.search(self.source, max(0, begins - 40), begins):
                        regex = _REGEX.match(self.source, begins)
                        at = regex.end() if regex else at
                case '"' | "'":
                    self._found(begins, _unescaped(token[1:-1]), None, call, place)
                case "`":
                    text, at = self._template(at)
                    self._found(begins, text, self._word_before(begins), call, place)
                case "(":
                    name = self._word_before(begins)
                    plain = bool(re.compile(r'\s*"').match(self.source, at))
                    self.calls.append(Call(self._line(begins), name, plain))
                    frames.append([name, 0])
                case "{" | "[":
                    frames.append(["", 0])
                case ",":
                    if frames:
                        frames[-1][1] = int(place) + 1
                case _:
                    if not frames:
                        return at
                    frames.pop()
        return len(self.source)

    def _template(self, at: int) -> tuple[str, int]:
        text = ""
        while self.source[at] != "`":
            if self.source.startswith("${", at):
                ends = self.code(at + 2)
                text += GAP + "\n" * self.source.count("\n", at, ends)
                at = ends
            else:
                size = 2 if self.source[at] == "\\" else 1
                text += _unescaped(self.source[at : at + size])
                at += size
        return text, at + 1

    def _found(self, at: int, text: str, tag: str | None, call: str | int, place: str | int) -> None:
        self.literals.append(Literal(self._line(at), text, tag, str(call).rpartition(".")[2], int(place)))

    def _word_before(self, at: int) -> str:
        found = _WORD.search(self.source, max(0, at - 60), at)
        return found[0] if found else ""

    def _line(self, at: int) -> int:
        return self.source.count("\n", 0, at) + 1


def _unescaped(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        number = found[1] or found[2]
        return chr(int(number, 16)) if number else {"n": "\n", "t": "\t"}.get(found[3], found[3])

    return _ESCAPE.sub(one, text)


def messages(source: str) -> Iterator[tuple[str, ...]]:
    """What is given to ``gettext``, and the two forms that are given to ``ngettext``."""
    said = [one for one in literals(source) if one.tag is None]
    for one in said:
        if one.call == "gettext" and one.place == 0:
            yield (one.text,)
    for one, other in pairwise(said):
        if (one.call, one.place, other.call, other.place) == ("ngettext", 0, "ngettext", 1):
            yield one.text, other.text

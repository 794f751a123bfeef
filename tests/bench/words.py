"""The answers of the stand-in model: known to the last letter, and the first word tells when it was sent."""

import re
from dataclasses import dataclass

# Of the kinds that tokenizers make: whole words, halves, marks, line ends, and letters of more than one byte.
PIECES = (
    *(
        "The",
        " answer",
        " is",
        " a",
        " stream",
        " of",
        " small",
        " pieces",
        ",",
        " each",
        " with",
        " its",
        " own",
        " place",
    ),
    *(".", "\n\n", "# ", "Why", " so", " small", "?", "\n", "- ", "they", " come", " as", " they", " are", " made"),
    *("\n", "- ", "über", "all", " –", " naïve", " 数", "字", " 🙂", " `", "x", " =", " ", "42", "`", ";", " and"),
    *("\n```", "python", "\n", "def", " f", "(", "n", "):", "\n    ", "return", " n", " **", " ", "2", "\n```", "\n\n"),
    *(" <b>", "not", " bold", "</b>", " &", ' "quoted"', " C:\\path", " done", "!"),
)
_NAME = re.compile(r"(page-)?(\d+)@(max|\d+(?:\.\d+)?)(?:-after-(\d+))?")
_MARK = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True)
class Paced:
    """``200@50``: 200 tokens at 50 a second. ``60@0.1``: one in ten seconds. ``20000@max``: as fast as they are taken.
    ``20@50-after-300``: 300 ms later. ``page-20000@200``: Markdown of every kind, as a page must render it.
    """

    tokens: int
    rate: float  # tokens a second; 0: as fast as they are taken
    after: float = 0.0  # seconds before the first
    rich: bool = False

    @classmethod
    def named(cls, name: str) -> "Paced | None":
        found = _NAME.fullmatch(name.partition(":")[0])
        if found is None:
            return None
        rate = 0.0 if found[3] == "max" else float(found[3])
        return cls(int(found[2]), rate, int(found[4] or 0) / 1000, bool(found[1]))


def mark(nanoseconds: int) -> str:
    """The first token: when it was sent, by the monotonic clock that all processes of a machine share."""
    return f"[{nanoseconds}]"


def piece(number: int) -> str:
    """Token ``number``, from 1 on."""
    return PIECES[number % len(PIECES)]


def sent_at(answer: str, *, tokens: int) -> float | None:
    """Seconds of the monotonic clock when the answer's first token was sent; None where the answer is not whole."""
    found = _MARK.match(answer)
    if found is None or answer[found.end() :] != "".join(piece(number) for number in range(1, tokens)):
        return None
    return int(found[1]) / 1e9


class Hearing:
    """Follows an answer that goes on: ``tokens`` have come of it, the first was sent at ``began`` (seconds of the
    monotonic clock; None until it has come).
    """

    def __init__(self) -> None:
        self.began: float | None = None
        self.tokens = 0
        self._rest = ""

    def take(self, text: str) -> None:
        """What comes next. Raises ValueError where it is no part of such an answer."""
        self._rest += text
        if self.began is None:
            found = _MARK.match(self._rest)
            if found is None:
                raise ValueError(f"another text: {self._rest[:60]!r}")
            self.began, self.tokens, self._rest = int(found[1]) / 1e9, 1, self._rest[found.end() :]
        while self._rest.startswith(piece(self.tokens)):
            self._rest, self.tokens = self._rest[len(piece(self.tokens)) :], self.tokens + 1
        if not piece(self.tokens).startswith(self._rest):
            raise ValueError(f"another text: {self._rest[:60]!r} instead of {piece(self.tokens)!r}")

"""Whether a model goes on with an answer that was cut short: judged by the first words that it says. Pure.

It is asked with the text so far as the beginning of its own turn, without the white space at its end, which some
servers take ill. Some models go on from there; some say the last words again first; some begin the answer again. So
what comes first is held back: 200 characters at most where it is new, and mostly a word or two, until it can be neither
the beginning of the answer nor a piece of it.
"""

from collections.abc import Sequence

import msgspec

from streaming.protocol.errors import UpstreamError, UpstreamRefused
from streaming.providers.base import Chunk, Text, Thinking

HELD_BACK = 200
WINDOW = 8_000  # characters from the end in which a repeated tail is looked for; a longer one was never seen
# From so many characters on, the same words are no chance: at the answer's end, and at its beginning.
SURELY_AGAIN = 16
SURELY_BEGUN_AGAIN = 24
# Fewer count where they are whole words and come without the space with which a model that goes on would begin.
PERHAPS_AGAIN = 5
LEAST_VARIETY = 4  # different characters: "0, 0, 0, " after "0, 0, 0, " is how some answers go on


class CannotContinue(Exception):
    """The model does not go on with the answer. What it has said instead is for nobody."""


class Continued(msgspec.Struct, frozen=True):
    """The model goes on with ``text``: what it said, without what stands already."""

    text: str


class Continuation:
    """The chunks of a turn that goes on with ``so_far``, as they are to be told: whatever the cuts, the same text."""

    def __init__(self, so_far: str) -> None:
        self._so_far = so_far
        self._held = ""
        self._judged = False
        self._added = False

    def take(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        """What of them may be told now, in order. Raises CannotContinue."""
        told: list[Chunk] = []
        for chunk in chunks:
            if self._judged:
                told.append(chunk)
            elif isinstance(chunk, Text):
                self._held += chunk.text
                told += self._judge(over=False)
            else:
                if self._held or not isinstance(chunk, Thinking):  # a model may think first, though it was asked not to
                    told += self._judge(over=True)
                told.append(chunk)
        return told

    @property
    def went_on(self) -> bool | None:
        """Whether the model does; None where what it has said, or was to go on with, is too little to tell."""
        return True if self._added and len(self._so_far.strip()) >= SURELY_BEGUN_AGAIN else None

    def rest(self) -> list[Chunk]:
        """What is still held back where the turn broke off. Raises CannotContinue."""
        return [] if self._judged else self._judge(over=True)

    def _judge(self, *, over: bool) -> list[Chunk]:
        continued = judge(self._so_far, self._held, over=over)
        if continued is None:
            return []
        self._judged = True
        self._added = bool(continued.text)
        return [Text(continued.text)] if continued.text else []


def refuses_to_continue(fault: UpstreamError) -> bool:
    """Whether this is how a model server turns down a turn that was begun for it, before it has said a word."""
    return isinstance(fault, UpstreamRefused) and (fault.details or {}).get("status") in (None, 400, 422)


def judge(so_far: str, said: str, *, over: bool) -> Continued | None:
    """What ``said`` adds to ``so_far``; None where it is too early to tell. Never None when the turn is ``over``.

    Raises CannotContinue where the model has begun again, or goes on from somewhere in the middle.
    """
    told = so_far.rstrip()
    space = so_far[len(told) :]
    text = said.lstrip()
    if not text and not over and len(said) < HELD_BACK:
        return None
    if not told or not text:
        return Continued(_without(space, said))
    beginning, tail = told.lstrip(), told[-WINDOW:]
    first = beginning[:HELD_BACK]
    if text.startswith(first) or (over and len(text) >= PERHAPS_AGAIN and first.startswith(text)):
        raise CannotContinue()
    if not over and first.startswith(text):
        return None
    if len(text) >= HELD_BACK and not _varied(text[:HELD_BACK]):
        return Continued(_without(space, said))
    if not over and text in tail:
        return None
    if again := _said_again(tail, text, whole_words=text == said):
        return Continued(_without(space, text[again:]))
    if _alike(beginning, text) >= SURELY_BEGUN_AGAIN or (len(text) >= HELD_BACK and text[:HELD_BACK] in tail):
        raise CannotContinue()
    return Continued(_without(space, said))


def _said_again(tail: str, text: str, *, whole_words: bool) -> int:
    """How many characters at the start of ``text`` are the end of ``tail`` once more."""
    for length in range(min(len(tail), len(text)), PERHAPS_AGAIN - 1, -1):
        start = len(tail) - length
        if not tail.startswith(text[:PERHAPS_AGAIN], start) or tail[start:] != text[:length]:
            continue
        words = text[:length].split()
        if not _varied(text[:length]) or (len(words) > 1 and len(set(words)) == 1):
            continue
        at_a_word = start == 0 or tail[start - 1].isspace()
        if length >= SURELY_AGAIN or (whole_words and at_a_word and len(words) > 1):
            return length
    return 0


def _varied(text: str) -> bool:
    return len(set(text)) >= LEAST_VARIETY


def _alike(one: str, other: str) -> int:
    """How many characters at their starts are the same; none of them count where they are of one kind."""
    length = 0
    for mine, yours in zip(one, other, strict=False):
        if mine != yours:
            break
        length += 1
    return length if _varied(one[:length]) else 0


def _without(space: str, text: str) -> str:
    """``text`` without what of ``space`` it repeats: that stands at the end of the answer already."""
    length = 0
    while length < min(len(space), len(text)) and space[length] == text[length]:
        length += 1
    return text[length:]

"""What a person typed into a search, as terms. There is no query language: whatever it holds, it is words."""

from dataclasses import dataclass

from conversations.search.words import Token, tokens

MOST_WORDS = 8
MOST_TERMS = 40  # a run of a script without spaces is many terms
LEAST_BEGINNING = 2  # of fewer letters too many words begin


class NotWanted(ValueError):
    """Nothing can be looked for; the text is a sentence to show."""


@dataclass(frozen=True)
class Wanted:
    """A term, or with ``begins`` every term that begins so."""

    term: str
    begins: bool = False

    def fits(self, term: str) -> bool:
        return term.startswith(self.term) if self.begins else term == self.term


def wanted(text: str) -> tuple[Wanted, ...]:
    """All of them must be in a message. The last word may be the beginning of one, unless something follows it.

    Raises NotWanted.
    """
    found = list(tokens(text))
    if not found:
        raise NotWanted("There is no word to look for.")
    if len(text.split()) > MOST_WORDS or len(found) > MOST_TERMS:
        raise NotWanted(f"At most {MOST_WORDS} words can be looked for at once.")
    terms = (_wanted(token, before, text) for token, before in zip(found, [None, *found], strict=False))
    return tuple(dict.fromkeys(each for each in terms if each is not None))


def _wanted(token: Token, before: Token | None, text: str) -> Wanted | None:
    if not token.paired:
        return Wanted(token.term, begins=token.end == len(text) and len(token.term) >= LEAST_BEGINNING)
    if token.end - token.start > 1:
        return Wanted(token.term)
    if before is not None and before.paired and before.end == token.end:
        return None  # the last one of a run: its pair with the one before says more
    return Wanted(token.term, begins=True)

"""The one normaliser for text that enters the server, from people and from models alike."""

import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# PostgreSQL's text cannot hold NUL; lone surrogates cannot be encoded as UTF-8, so neither database can hold them.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean(text: str) -> str:
    """Return ``text`` with NUL and lone surrogates replaced, everything else untouched. Length is kept."""
    if text.isascii() and "\x00" not in text:  # the usual token, at the cost of one scan
        return text
    return _UNSTORABLE.sub(REPLACEMENT, text)

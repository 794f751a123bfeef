"""Random texts for links and tokens, and the digests under which they are kept. Pure but for the random source."""

import hashlib
import secrets
from typing import NamedTuple

_MARK = "chat"
_LONGEST = 200


class TokenParts(NamedTuple):
    prefix: str
    text: str


def new_code() -> str:
    """256 random bits that fit into a URL."""
    return secrets.token_urlsafe(32)


def new_token() -> TokenParts:
    """``chat_<prefix>_<secret>``: by the mark scanners know a leaked secret, by the prefix it is looked up."""
    prefix = secrets.token_hex(6)
    return TokenParts(prefix, f"{_MARK}_{prefix}_{new_code()}")


def parse_token(text: str) -> TokenParts | None:
    """The parts of what a client sent, or None for what cannot be a token."""
    if len(text) > _LONGEST or not text.isascii():
        return None
    mark, _, rest = text.partition("_")
    prefix, _, secret = rest.partition("_")
    if mark != _MARK or not prefix.isalnum() or not secret:
        return None
    return TokenParts(prefix, text)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def matches(text: str, expected: str) -> bool:
    """Whether ``text`` has the digest ``expected``, in a time that does not depend on where they differ."""
    return secrets.compare_digest(digest(text), expected)

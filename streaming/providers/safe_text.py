"""What a model server says about its failures, shown only where that is safe.

Such text was written for somebody else: it may be a page of HTML, or carry a key or an address with a password.
"""

import re

MAX_SHOWN = 300
# So much of a key is not shown either; servers that show a piece of one leave the last four characters.
_PIECE = 6

_UNSAFE = re.compile(
    r"<\s*[/!a-z?]"  # HTML and XML
    r"|://[^/\s]*@"  # an address with credentials
    r"|\b(?:sk|pk|rk|gsk|hf|xai|ghp)[-_][\w*-]{4,}"  # keys as the large vendors write them
    r"|\b(?:bearer|basic)\s+\S{6,}"
    r"|\b(?:api[-_ ]?key|key|token|secret|password|passwd|authorization|credentials?)\b\s*[:=]\s*\S"
    r"|[?&][\w.-]*(?:key|token|secret|sig|password)[\w.-]*="
    r"|[A-Za-z0-9+/_-]{40,}",  # long and opaque: a token, a hash, a piece of a file
    re.IGNORECASE,
)


def safe_text(text: object) -> str | None:
    """``text`` where it is a short printable line without anything that looks like a secret or a page; else None."""
    if not isinstance(text, str):
        return None
    text = text.strip()
    if not text or len(text) > MAX_SHOWN or not text.isprintable() or _UNSAFE.search(text):
        return None
    return text


def without(secret: str, text: object) -> str | None:
    """``text`` where it may be shown: without the key, and without a piece of it, for some servers repeat it in part.

    What the text means is read before: a key may be a word of any sentence.
    """
    shown = safe_text(text)
    if not secret or shown is None:
        return shown
    pieces = (secret[at : at + _PIECE] for at in range(max(1, len(secret) - _PIECE + 1)))
    return None if any(piece in shown for piece in pieces) else shown


def explained(sentence: str, text: object) -> str:
    """``sentence``, and what the server said where it may be shown."""
    shown = safe_text(text)
    return sentence if shown is None else f"{sentence.rstrip('.')}: {shown}"

"""What model servers of every kind say where they refuse: an HTTP answer, and the words in it.

Statuses count for more than words: the words change with every version. Where they must be read (is it the context? is
it the stream that is refused?), a miss ends in the general error.
"""

import json
import re
from typing import Any, NamedTuple

from streaming.protocol.errors import ContextExceeded

# Each begins with where it may begin: tried at every place of a long text (some servers repeat the whole question in
# what they say) either would take the square of its length, and the event loop with it.
_CONTEXT = re.compile(
    r"^(?=.*\bcontext (?:length|size|window)\b)(?=.*\b(?:exceed\w*|longer|larger|maximum|too long)\b)", re.I | re.M
)
# "maximum context length is 8192 tokens", "available context size (8192 tokens)"
_SIZE = re.compile(r"\bcontext (?:length|size|window)[^\d.]{0,20}(\d{3,8})\b(?! ?%)", re.I)
MOST_VALUES = 200_000  # a thousand models with two hundred each
MOST_READ = 4096  # characters of a sentence in which a number is looked for
_NO_STREAM = re.compile(
    r"\A(?=.*\bstream(?:ing|ed|s)?\b)"
    r"(?=.*(?:\bnot\b|n't\b|\bunsupported\b|\bdisabled\b|\bmust\b|\bonly\b|\bcannot\b|\bwithout\b|\bunavailable\b|\bno\b|\brefuse))",
    re.I | re.S,
)
_STREAM_REFUSALS = frozenset({400, 405, 415, 422, 501})


class HttpAnswer(NamedTuple):
    """An HTTP answer that is not the one hoped for. ``body`` is at most its first 64 KiB."""

    status: int
    content_type: str
    body: bytes
    retry_after: str | None = None
    retry_after_ms: str | None = None


class Said(NamedTuple):
    """What an error says: a sentence, its type, its code as a text, and the sizes of the context."""

    text: str | None = None
    kind: str | None = None
    code: str | None = None
    numbers: dict[str, int] = {}


def unwrapped(error: Any) -> Said:
    """What ``error`` says. It may be a text, an object with a message, or either of them as JSON inside the text."""
    text: str | None = None
    kind: str | None = None
    code: str | None = None
    numbers: dict[str, int] = {}
    for _ in range(4):  # deeper than any server packs it
        if isinstance(error, dict):
            kind = error["type"] if isinstance(error.get("type"), str) else kind
            code = str(error["code"]) if isinstance(error.get("code"), str | int) else code
            numbers |= {name: error[name] for name in ("n_prompt_tokens", "n_ctx") if type(error.get(name)) is int}
            error = error.get("message", error.get("error"))
            continue
        text = error if isinstance(error, str) else None
        inner = parsed(error) if text is not None and text.lstrip().startswith("{") else None
        if not isinstance(inner, dict):
            break
        error = inner.get("error", inner)
    return Said(text, kind, code, numbers)


def is_context(said: Said) -> bool:
    """Whether it was too long for the model."""
    if said.kind == "exceed_context_size_error" or said.code == "context_length_exceeded" or "n_ctx" in said.numbers:
        return True
    return said.text is not None and _CONTEXT.search(said.text) is not None


def context_exceeded(said: Said, details: dict[str, Any]) -> ContextExceeded:
    """With the sizes, where they are said, as ``n_ctx`` and ``n_prompt_tokens``."""
    found = _SIZE.search(said.text[:MOST_READ]) if said.text is not None and "n_ctx" not in said.numbers else None
    numbers = said.numbers if found is None else {**said.numbers, "n_ctx": int(found[1])}
    return ContextExceeded(details={**details, **numbers} or None)


def refuses_streaming(answer: HttpAnswer, said: Said) -> bool:
    """Whether the answer to a request for a stream says that there are none."""
    return answer.status in _STREAM_REFUSALS and _NO_STREAM.search(said.text or _plain_text(answer)) is not None


def parsed(text: str | bytes) -> Any:
    """``text`` as JSON, None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def listing(text: bytes) -> Any:
    """What a server says of its models, as JSON; None where it is none, or has so many values in it that reading it
    would hold the event loop.
    """
    many = text.count(b",") + text.count(b"[") + text.count(b"{") > MOST_VALUES
    return None if many else parsed(text)


def _plain_text(answer: HttpAnswer) -> str:
    if not answer.content_type.lower().startswith("text/plain"):
        return ""
    return answer.body[:1024].decode(errors="replace")

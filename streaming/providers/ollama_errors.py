"""Ollama's ways to say no, as our error tree.

Statuses count for more than words: the words change with the version of Go and of its libraries. Where they must be
read (is it the context? is it a fault of the request that Ollama calls a 500?), a miss ends in the general error.
"""

import json
import re
from typing import Any, NamedTuple

from streaming.protocol.errors import (
    ContextExceeded,
    ModelMissing,
    StreamingRefused,
    UpstreamBusy,
    UpstreamError,
    UpstreamFailed,
    UpstreamKey,
    UpstreamProtocol,
    UpstreamRefused,
    UpstreamTimeout,
)
from streaming.providers.retry_after import retry_after_ms
from streaming.providers.safe_text import explained

NOT_OLLAMA = "That address does not answer like an Ollama server. An administrator has to check it."
REDIRECTED = "The model server sends us to another address. An administrator has to enter the final one."
HOST_REFUSED = (
    "The model server refuses requests from here. An administrator has to check OLLAMA_HOST and OLLAMA_ORIGINS."
)

_CONTEXT = re.compile(
    r"(?=.*\bcontext (?:length|size|window)\b)(?=.*\b(?:exceed\w*|longer|larger|maximum|too long)\b)", re.I
)
_NO_STREAM = re.compile(
    r"(?=.*\bstream(?:ing|ed|s)?\b)"
    r"(?=.*(?:\bnot\b|n't\b|\bunsupported\b|\bdisabled\b|\bmust\b|\bonly\b|\bcannot\b|\bwithout\b|\bunavailable\b|\bno\b|\brefuse))",
    re.I | re.S,
)
_STREAM_REFUSALS = frozenset({400, 405, 415, 422, 501})
# Ollama answers 500 to wrong options and formats, and to a model that does not fit: asking again changes nothing.
_LASTING = re.compile(
    r'^option "|must be of type|^invalid (?:format|option)'
    r"|process has terminated|out of memory|requires more system memory|(?:unable|failed) to load",
    re.I,
)


class HttpAnswer(NamedTuple):
    """An HTTP answer that is not the one hoped for. ``body`` is at most its first 64 KiB."""

    status: int
    content_type: str
    body: bytes
    retry_after: str | None = None


class _Said(NamedTuple):
    text: str | None = None
    kind: str | None = None
    numbers: dict[str, int] = {}


def http_failure(answer: HttpAnswer, *, streaming: bool, now: float) -> UpstreamError:
    """The error that ``answer`` stands for. ``streaming``: a stream was asked for; ``now`` is in seconds since 1970."""
    error = _error_of(answer)
    said = _unwrapped(error)
    details = {"status": answer.status}
    if streaming and answer.status in _STREAM_REFUSALS and _NO_STREAM.search(said.text or _plain_text(answer)):
        return StreamingRefused(explained(StreamingRefused.sentence, said.text), details=details)
    wait = retry_after_ms(answer.retry_after, now=now)
    match answer.status:
        case 401:
            return UpstreamKey(details=details)  # its words may repeat the key
        case 404 if error is not None:
            return ModelMissing(details=details)
        case 404 | 405:
            return UpstreamProtocol(NOT_OLLAMA, details=details)
        case 403 if error is None:
            return UpstreamRefused(HOST_REFUSED, details=details)
        case 408 | 504:
            return UpstreamTimeout(details=details)
        case 429 | 503:
            return UpstreamBusy(details=details, retry_after_ms=wait)
        case 499:
            return UpstreamFailed(details=details)
        case status if status >= 500:
            return _server_failure(said, details, wait)
        case status if status >= 400:
            return _refusal(said, details)
        case status if status >= 300:
            return UpstreamProtocol(REDIRECTED, details=details)
    return UpstreamProtocol(details=details)


def named_failure(error: Any) -> UpstreamError:
    """The error that an ``error`` value in a 200 body stands for: ContextExceeded, or a plain UpstreamError."""
    said = _unwrapped(error)
    if _is_context(said):
        return _context_exceeded(said, {})
    return UpstreamError(explained(UpstreamError.sentence, said.text))


def _server_failure(said: _Said, details: dict[str, Any], wait: int | None) -> UpstreamError:
    if _is_context(said):
        return _context_exceeded(said, details)
    if details["status"] == 501:
        return UpstreamRefused(explained(UpstreamRefused.sentence, said.text), details=details)
    if said.text is not None and _LASTING.search(said.text):
        return UpstreamError(explained(UpstreamError.sentence, said.text), details=details)
    return UpstreamFailed(explained(UpstreamFailed.sentence, said.text), details=details, retry_after_ms=wait)


def _refusal(said: _Said, details: dict[str, Any]) -> UpstreamError:
    if _is_context(said):
        return _context_exceeded(said, details)
    return UpstreamRefused(explained(UpstreamRefused.sentence, said.text), details=details)


def _context_exceeded(said: _Said, details: dict[str, Any]) -> ContextExceeded:
    return ContextExceeded(details={**details, **said.numbers} or None)


def _is_context(said: _Said) -> bool:
    if said.kind == "exceed_context_size_error" or "n_ctx" in said.numbers:
        return True
    return said.text is not None and _CONTEXT.search(said.text) is not None


def _error_of(answer: HttpAnswer) -> Any:
    """The ``error`` of a JSON body, or None where there is none; a page of HTML never has one."""
    if "json" not in answer.content_type.lower():
        return None
    body = _json(answer.body)
    return body.get("error") if isinstance(body, dict) else None


def _plain_text(answer: HttpAnswer) -> str:
    if not answer.content_type.lower().startswith("text/plain"):
        return ""
    return answer.body[:1024].decode(errors="replace")


def _unwrapped(error: Any) -> _Said:
    """What ``error`` says. It may be a text, an object with a message, or either of them as JSON inside the text."""
    text: str | None = None
    kind: str | None = None
    numbers: dict[str, int] = {}
    for _ in range(4):  # deeper than any server packs it
        if isinstance(error, dict):
            kind = error["type"] if isinstance(error.get("type"), str) else kind
            numbers |= {name: error[name] for name in ("n_prompt_tokens", "n_ctx") if type(error.get(name)) is int}
            error = error.get("message", error.get("error"))
            continue
        text = error if isinstance(error, str) else None
        inner = _json(error) if text is not None and text.lstrip().startswith("{") else None
        if not isinstance(inner, dict):
            break
        error = inner.get("error", inner)
    return _Said(text, kind, numbers)


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

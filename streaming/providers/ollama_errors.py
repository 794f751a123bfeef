"""Ollama's ways to say no, as our error tree.

Statuses count for more than words: the words change with the version of Go and of its libraries. Where they must be
read (is it the context? is it a fault of the request that Ollama calls a 500?), a miss ends in the general error.
"""

import re
from typing import Any

from streaming.protocol.errors import (
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
from streaming.providers.http_answer import (
    HttpAnswer,
    Said,
    context_exceeded,
    is_context,
    parsed,
    refuses_streaming,
    unwrapped,
)
from streaming.providers.retry_after import retry_after_ms
from streaming.providers.safe_text import explained, without

NOT_OLLAMA = "That address does not answer like an Ollama server. An administrator has to check it."
REDIRECTED = "The model server sends us to another address. An administrator has to enter the final one."
HOST_REFUSED = (
    "The model server refuses requests from here. An administrator has to check OLLAMA_HOST and OLLAMA_ORIGINS."
)

# Ollama answers 500 to wrong options and formats, and to a model that does not fit: asking again changes nothing.
_LASTING = re.compile(
    r'^option "|must be of type|^invalid (?:format|option)'
    r"|process has terminated|out of memory|requires more system memory|(?:unable|failed) to load",
    re.I,
)


_FORMAT = re.compile(r"\bformat\b|\bjson schema\b|\bgrammar\b", re.I)


def http_failure(answer: HttpAnswer, *, streaming: bool, now: float, secret: str = "") -> UpstreamError:
    """The error that ``answer`` stands for. ``streaming``: a stream was asked for; ``now`` is in seconds since 1970.

    Words that have ``secret`` in them are not shown: a gateway in front has a key.
    """
    error = _error_of(answer)
    said = unwrapped(error)
    shown = without(secret, said.text)
    details = {"status": answer.status}
    if streaming and refuses_streaming(answer, said):
        return StreamingRefused(explained(StreamingRefused.sentence, shown), details=details)
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
            return _server_failure(said, shown, details, wait)
        case status if status >= 400:
            return _refusal(said, shown, details)
        case status if status >= 300:
            return UpstreamProtocol(REDIRECTED, details=details)
    return UpstreamProtocol(details=details)


def refuses_format(answer: HttpAnswer) -> bool:
    """Whether the server says that it can make nothing of the form that the answer is to have: a 400 or a 500."""
    text = unwrapped(_error_of(answer)).text
    return answer.status in (400, 500) and text is not None and _FORMAT.search(text) is not None


def named_failure(error: Any, *, secret: str = "") -> UpstreamError:
    """The error that an ``error`` value in a 200 body stands for: ContextExceeded, or a plain UpstreamError."""
    said = unwrapped(error)
    if is_context(said):
        return context_exceeded(said, {})
    return UpstreamError(explained(UpstreamError.sentence, without(secret, said.text)))


def _server_failure(said: Said, shown: str | None, details: dict[str, Any], wait: int | None) -> UpstreamError:
    if is_context(said):
        return context_exceeded(said, details)
    if details["status"] == 501:
        return UpstreamRefused(explained(UpstreamRefused.sentence, shown), details=details)
    if said.text is not None and _LASTING.search(said.text):
        return UpstreamError(explained(UpstreamError.sentence, shown), details=details)
    return UpstreamFailed(explained(UpstreamFailed.sentence, shown), details=details, retry_after_ms=wait)


def _refusal(said: Said, shown: str | None, details: dict[str, Any]) -> UpstreamError:
    if is_context(said):
        return context_exceeded(said, details)
    return UpstreamRefused(explained(UpstreamRefused.sentence, shown), details=details)


def _error_of(answer: HttpAnswer) -> Any:
    """The ``error`` of a JSON body, or None where there is none; a page of HTML never has one."""
    if "json" not in answer.content_type.lower():
        return None
    body = parsed(answer.body)
    return body.get("error") if isinstance(body, dict) else None

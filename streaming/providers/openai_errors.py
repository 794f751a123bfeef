"""The ways of OpenAI-compatible servers to say no, as our error tree. What looks like the key is never repeated."""

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
from streaming.providers.retry_after import MAX_MS, retry_after_ms
from streaming.providers.safe_text import explained, without

NOT_OPENAI = (
    "That address does not answer like an OpenAI-compatible server. An administrator has to check OPENAI_BASE_URL; "
    "most end in /v1."
)
REDIRECTED = "The model server sends us to another address. An administrator has to enter the final one."
NO_CREDIT = "The account at the model server has no credit left. An administrator has to look after it."
LOADING = "The model server is still loading the model. Try again in a moment."

_NO_PATH = re.compile(
    r"invalid url|file not found|unknown (?:request )?(?:url|path|route|endpoint)|^not found\.?$", re.I
)
_NO_MODEL = re.compile(r"^(?:model_not_found|invalid_model)$|model not exist|model .{0,200}does not exist", re.I)
_NO_CREDIT = re.compile(r"insufficient[_ ](?:quota|balance|credits?|funds)|billing", re.I)
_LOADING = re.compile(r"^loading model|model is (?:still )?loading", re.I)
# How servers say that they do not take something; a fault in what was sent is said otherwise.
_DENIED = re.compile(
    r"\bnot support|n't support|\bunsupported\b|\bfound that support\b|\brequires?\b|\bnot (?:permitted|allowed|enabled"
    r"|available|implemented)\b|\bextra_forbidden\b|\bunrecognized\b|\bunknown (?:parameter|field|argument|name)\b"
    r"|\bdisabled\b|\btype is unavailable\b|\bcannot be combined\b|\bresponse_format.{0,10} must be\b",
    re.I,
)
# What a request can do without, with the words that name it.
_OPTIONAL = {
    # Before the tools, with which some servers do not take it.
    "response_format": re.compile(
        r"response[_ ]format|\bjson[_ ](?:mode|schema|object)\b|\bstructured[_ ]output", re.I
    ),
    "reasoning_content": re.compile(r"reasoning_content"),
    "reasoning_effort": re.compile(r"reasoning_effort"),
    "top_k": re.compile(r"\btop_k\b"),
    "max_tokens": re.compile(r"\bmax_tokens\b.*\bmax_completion_tokens\b", re.S),
    "stream_options": re.compile(r"stream_options|include_usage", re.I),
    "images": re.compile(r"\bimages?\b|\bimage_url\b|\bmulti-?modal\b|\bvision\b", re.I),
    "tools": re.compile(r"\btools?\b|\btool[-_ ]|\bfunction[-_ ]?call", re.I),
}
# This is no part that the server does not take, but a schema that it does not: its words are for whoever wrote it.
_BAD_SCHEMA = re.compile(r"\binvalid (?:json )?schema\b", re.I)
# How servers say in other words that they are shown pictures in vain.
_NO_IMAGES = re.compile(
    r"image_url is only supported|unknown variant `?image_url|not a multi-?modal model|at most 0 image"
    r"|content[^.]{0,80}(?:must be|should be|expected)[^.]{0,20} (?:a )?(?:valid )?string",
    re.I,
)
_REFUSALS = frozenset({400, 404, 405, 415, 422, 500, 501})


def http_failure(answer: HttpAnswer, *, streaming: bool, now: float, secret: str = "") -> UpstreamError:
    """The error that ``answer`` stands for. ``streaming``: a stream was asked for; ``now`` is in seconds since 1970.

    Words that have ``secret`` in them are not shown.
    """
    said = _said(answer)
    shown = without(secret, said.text)
    details = {"status": answer.status}
    if streaming and refuses_streaming(answer, said):
        return StreamingRefused(explained(StreamingRefused.sentence, shown), details=details)
    wait = _wait(answer, now)
    match answer.status:
        case 401:
            return UpstreamKey(details=details)  # its words may repeat the key
        case 404:
            missing = said.text is not None and not _NO_PATH.search(said.text)
            return ModelMissing(details=details) if missing else UpstreamProtocol(NOT_OPENAI, details=details)
        case 405:
            return UpstreamProtocol(NOT_OPENAI, details=details)
        case 408 | 504:
            return UpstreamTimeout(details=details)
        case 402 | 429 if answer.status == 402 or _is_about(_NO_CREDIT, said):
            return UpstreamRefused(NO_CREDIT, details=details)
        case 503 if _is_about(_LOADING, said):
            return UpstreamBusy(LOADING, details=details, retry_after_ms=wait)
        case 429 | 503 | 529:
            return UpstreamBusy(details=details, retry_after_ms=wait)
        case 409 | 499:
            return UpstreamFailed(details=details, retry_after_ms=wait)
        case status if status >= 400:
            return _failure(said, shown, details, wait)
        case status if status >= 300:
            return UpstreamProtocol(REDIRECTED, details=details)
    return UpstreamProtocol(details=details)


def reported(error: Any, *, secret: str = "") -> UpstreamError:
    """The error that one inside a 200 body stands for: ContextExceeded, or a plain UpstreamError."""
    said = unwrapped(error)
    if is_context(said):
        return context_exceeded(said, {})
    return UpstreamError(explained(UpstreamError.sentence, without(secret, said.text)))


def refused_parts(answer: HttpAnswer) -> frozenset[str]:
    """What the server says that it does not take, of what a request can do without (``_OPTIONAL``); at most one of
    them.
    """
    words = answer.body[:4096].decode(errors="replace")
    if answer.status not in _REFUSALS:
        return frozenset()
    if _NO_IMAGES.search(words):
        return frozenset({"images"})
    if not _DENIED.search(words) or _BAD_SCHEMA.search(words):
        return frozenset()
    error = _error_of(answer)
    named = error.get("param") if isinstance(error, dict) else None
    if isinstance(named, str) and named in _OPTIONAL:
        return frozenset({named})
    return frozenset(next(([part] for part, naming in _OPTIONAL.items() if naming.search(words)), ()))


def _failure(said: Said, shown: str | None, details: dict[str, Any], wait: int | None) -> UpstreamError:
    if is_context(said):
        return context_exceeded(said, details)
    if _is_about(_NO_MODEL, said):
        return ModelMissing(details=details)
    if details["status"] < 500 or details["status"] == 501:
        return UpstreamRefused(explained(UpstreamRefused.sentence, shown), details=details)
    return UpstreamFailed(explained(UpstreamFailed.sentence, shown), details=details, retry_after_ms=wait)


def _said(answer: HttpAnswer) -> Said:
    error = _error_of(answer)
    return Said() if error is None else unwrapped(error)


def _error_of(answer: HttpAnswer) -> Any:
    """What a JSON body says of the failure, in the shapes that are met; None for every other body."""
    if answer.body.lstrip()[:1] not in (b"{", b"["):
        return None
    body = parsed(answer.body)
    if isinstance(body, list):  # Google's
        body = body[0] if body else None
    if not isinstance(body, dict):
        return None
    if body.get("error"):
        return body["error"]
    if isinstance(body.get("message"), str):  # older vLLM
        return body
    return body["detail"] if isinstance(body.get("detail"), str | dict) else None


def _wait(answer: HttpAnswer, now: float) -> int | None:
    exact = answer.retry_after_ms or ""
    if exact.isascii() and exact.isdigit():
        return min(int(exact[:12]), MAX_MS)
    return retry_after_ms(answer.retry_after, now=now)


def _is_about(words: re.Pattern[str], said: Said) -> bool:
    return any(words.search(part) for part in (said.text, said.kind, said.code) if part)

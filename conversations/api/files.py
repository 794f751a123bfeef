"""A file as an answer: what may be shown and what is saved, with what keeps it from doing anything."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import TypeVar

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from conversations.models import Attachment

Answer = TypeVar("Answer", bound=HttpResponseBase)
# Whatever a file may be taken for, it runs nothing, loads nothing and is nobody's page.
_INERT = "sandbox; default-src 'none'; frame-ancestors 'none'"


def as_file(attachment: Attachment, data: bytes) -> HttpResponse:
    """Pictures were drawn anew here, and may be shown; everything else is saved, and text is nothing but text."""
    return _inert(HttpResponse(data), attachment)


class FileStream(StreamingHttpResponse):
    """The same piece by piece: whoever takes nothing holds a piece of it in memory, and not all of it."""

    def __init__(self, attachment: Attachment, body: AsyncGenerator[bytes, None], close: Callable[[], None]) -> None:
        super().__init__(body)
        # The connection may be gone before the body is ever asked for.
        self._resource_closers.append(close)  # type: ignore[attr-defined]
        _inert(self, attachment)["Content-Length"] = str(attachment.size)

    def __aiter__(self) -> AsyncIterator[bytes]:
        body: AsyncIterator[bytes] = self._iterator  # type: ignore[attr-defined]
        return body


def _inert(answer: Answer, attachment: Attachment) -> Answer:
    picture = attachment.kind == Attachment.Kind.IMAGE
    text = attachment.kind == Attachment.Kind.TEXT
    answer["Content-Type"] = "text/plain; charset=utf-8" if text else attachment.type
    answer["Content-Disposition"] = content_disposition_header(not picture, attachment.name) or "attachment"
    answer["Content-Security-Policy"] = _INERT
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    answer["Cache-Control"] = "private, no-store"
    return answer

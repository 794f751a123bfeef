"""A file as an answer: what may be shown and what is saved, with what keeps it from doing anything."""

from django.http import HttpResponse
from django.utils.http import content_disposition_header

from conversations.models import Attachment

# Whatever a file may be taken for, it runs nothing, loads nothing and is nobody's page.
_INERT = "sandbox; default-src 'none'; frame-ancestors 'none'"


def as_file(attachment: Attachment, data: bytes) -> HttpResponse:
    """Pictures were drawn anew here, and may be shown; everything else is saved, and text is nothing but text."""
    picture = attachment.kind == Attachment.Kind.IMAGE
    served_as = "text/plain; charset=utf-8" if attachment.kind == Attachment.Kind.TEXT else attachment.type
    answer = HttpResponse(data, content_type=served_as)
    answer["Content-Disposition"] = content_disposition_header(not picture, attachment.name) or "attachment"
    answer["Content-Security-Policy"] = _INERT
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    answer["Cache-Control"] = "private, no-store"
    return answer

"""Which web pages may use a visitor's cookies here. Full origins, never host patterns: another port is another site."""

from collections.abc import Collection

from django.conf import settings


def allowed(origin: str | None, host: str, scheme: str) -> bool:
    """Whether a page at ``origin`` may act for the signed-in visitor of this server.

    ``host`` is the request's own, with its port; ``scheme`` is ``http`` or ``https`` (for a WebSocket too: its page's).
    A missing origin and ``null`` are never allowed, so callers that accept programs must look at their token first.
    """
    return is_allowed(origin, host=host, scheme=scheme, configured=settings.ALLOWED_ORIGINS)


def is_allowed(origin: str | None, *, host: str, scheme: str, configured: Collection[str]) -> bool:
    if not origin or origin == "null":
        return False
    # Browsers send scheme and host in lower case and leave out the usual port, so equality of texts is exact.
    return origin in (configured or {f"{scheme}://{host}"})

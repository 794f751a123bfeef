"""The one way in which times are written on the wire: RFC 3339 in UTC, to the millisecond."""

from datetime import UTC, datetime


def rfc3339(at: float) -> str:
    """``at`` is in seconds since 1970; the result ends in ``Z``."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds(text: str | None) -> float | None:
    """The other way; None for None. Raises ValueError for text that is not a time."""
    return None if text is None else datetime.fromisoformat(text).timestamp()

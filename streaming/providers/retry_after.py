"""The Retry-After header: seconds, or an HTTP date."""

from email.utils import parsedate_to_datetime

# A server that asks for more than this is not waited for; the number only tells a person when to come back.
MAX_MS = 3_600_000


def retry_after_ms(header: str | None, *, now: float) -> int | None:
    """Milliseconds from ``now`` (seconds since 1970), between 0 and an hour; None where the header says nothing."""
    if not header:
        return None
    header = header.strip()
    if header.isascii() and header.isdigit():
        return min(int(header[:9]) * 1000, MAX_MS)
    try:
        until = parsedate_to_datetime(header).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(int((until - now) * 1000), 0), MAX_MS)

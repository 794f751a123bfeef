"""The clock tool: models do not know what day it is."""

from datetime import UTC, datetime, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streaming.tools.base import ToolFailed, tool

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@tool(title="Clock", deadline=5.0)
def clock(timezone: Annotated[str | None, "An IANA time zone such as Europe/Berlin; UTC if left out"] = None) -> str:
    """Tell the current date, time and weekday, in UTC or in a time zone."""
    return tell_time(datetime.now(UTC), timezone)


def tell_time(now: datetime, timezone: str | None) -> str:
    """``now`` is aware. Raises ToolFailed for a time zone that does not exist."""
    local = now.astimezone(_zone(timezone))
    return f"{local.isoformat(timespec='seconds')} ({_WEEKDAYS[local.weekday()]}, {timezone or 'UTC'})"


def _zone(name: str | None) -> tzinfo:
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as fault:  # the latter two for names that are no key at all
        raise ToolFailed(f"There is no time zone named {name!r}. Use an IANA name such as Europe/Berlin.") from fault

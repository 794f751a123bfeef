from datetime import UTC, datetime

import pytest

from streaming.tools.base import ToolFailed
from streaming.tools.clock import clock, tell_time

NOW = datetime(2026, 7, 1, 23, 30, 15, 999, tzinfo=UTC)


def test_the_time_is_told_in_utc_with_its_weekday() -> None:
    assert tell_time(NOW, None) == "2026-07-01T23:30:15+00:00 (Wednesday, UTC)"


def test_the_time_is_told_in_a_time_zone_where_it_may_be_another_day() -> None:
    assert tell_time(NOW, "Asia/Tokyo") == "2026-07-02T08:30:15+09:00 (Thursday, Asia/Tokyo)"


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Europe", "a\x00b", "x" * 5000])
def test_a_time_zone_that_does_not_exist_is_said_clearly(name: str) -> None:
    with pytest.raises(ToolFailed, match="no time zone named"):
        tell_time(NOW, name)


def test_the_tool_needs_no_arguments() -> None:
    assert clock.parameters.check({}) == {"timezone": None}
    assert clock.function().endswith("UTC)")

from streaming.protocol.times import rfc3339, seconds


def test_times_are_written_in_utc_to_the_millisecond() -> None:
    assert rfc3339(1_767_225_600.25) == "2026-01-01T00:00:00.250Z"
    assert rfc3339(1_767_225_600.0) == "2026-01-01T00:00:00.000Z"


def test_times_are_read_whatever_their_offset() -> None:
    assert seconds("2026-01-01T00:00:00.250Z") == 1_767_225_600.25
    assert seconds("2026-01-01T01:00:00+01:00") == 1_767_225_600.0
    assert seconds(None) is None

"""What of a text fits an event."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.engine.room import size, what_fits


@given(st.text(), st.integers(0, 60))
def test_the_longest_beginning_that_fits_is_kept(text: str, room: int) -> None:
    kept = what_fits(text, room)
    assert text.startswith(kept)
    assert size(kept) <= room
    assert kept == text or size(text[: len(kept) + 1]) > room


@pytest.mark.parametrize(
    ("text", "room", "kept"),
    [
        ("abc", 2, "ab"),
        ("語語", 11, "語"),
        ("語語", 12, "語語"),
        ("😀", 11, ""),
        ('a"b', 3, 'a"'),
        ("x", -1, ""),
        ("", 5, ""),
    ],
)
def test_a_character_takes_what_it_takes_as_ascii(text: str, room: int, kept: str) -> None:
    assert what_fits(text, room) == kept

import math

import pytest

from tests.bench.table import Figure, Limit, markdown, number


def figure(value: float, *, at_most: float | None = 10.0, beside: float = 1.0, **more: float) -> Figure:
    limit = Limit(unit="ms", at_most=at_most, beside="relay" if beside != 1.0 else "", **more)
    return Figure(system="SQLite", name="CPU", limit=limit, value=value, beside=beside)


@pytest.mark.parametrize(("value", "missed"), [(9.0, False), (12.5, False), (12.6, True)])
def test_a_limit_is_missed_by_more_than_noise(value: float, missed: bool) -> None:
    assert figure(value).missed is missed
    assert figure(value).worse is missed


def test_what_was_not_measured_keeps_no_limit() -> None:
    assert figure(math.nan).missed
    assert figure(math.nan, for_now=20.0).worse


def test_not_one_answer_may_be_lost() -> None:
    assert not figure(0.0, at_most=0.0, noise=1.0).missed
    assert figure(1.0, at_most=0.0, noise=1.0).missed


def test_a_limit_may_be_so_many_times_what_a_yardstick_took() -> None:
    assert not figure(30.0, at_most=1.5, beside=20.0).missed
    assert figure(38.0, at_most=1.5, beside=20.0).missed


@pytest.mark.parametrize(("value", "worse"), [(12.0, False), (25.0, False), (25.1, True)])
def test_what_is_missed_today_must_not_get_worse(value: float, worse: bool) -> None:
    assert figure(value, for_now=20.0).worse is worse


def test_for_now_takes_nothing_away_from_a_limit_that_is_kept() -> None:
    assert not figure(12.0, for_now=5.0).worse


def test_the_table_says_what_was_missed() -> None:
    beside_relay = [figure(value, at_most=1.5, beside=20.0, for_now=3.0) for value in (40.0, 80.0)]
    told = markdown([figure(20.0), figure(1.0), figure(5.0, at_most=None), *beside_relay]).splitlines()
    assert told[2:] == [
        "| SQLite | CPU | 20.0 ms | 10.0 ms |  | **missed** |",
        "| SQLite | CPU | 1.00 ms | 10.0 ms |  | kept |",
        "| SQLite | CPU | 5.00 ms |  |  |  |",
        "| SQLite | CPU | 40.0 ms | 30.0 ms (1.50 × relay) | 60.0 ms | **missed** |",
        "| SQLite | CPU | 80.0 ms | 30.0 ms (1.50 × relay) | 60.0 ms | **missed, and worse** |",
    ]


@pytest.mark.parametrize(("value", "text"), [(1234.5, "1,234"), (12.34, "12.3"), (1.234, "1.23"), (math.nan, "–")])
def test_numbers_have_the_digits_that_say_something(value: float, text: str) -> None:
    assert number(value) == text

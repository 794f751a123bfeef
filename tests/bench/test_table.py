import math

import pytest

from tests.bench.table import Figure, markdown, number


def figure(*rounds: float, at_most: float | None = 10.0, noise: float = 1.25) -> Figure:
    return Figure(system="SQLite", name="CPU", unit="ms", rounds=rounds, at_most=at_most, noise=noise)


@pytest.mark.parametrize(
    ("rounds", "missed"),
    [((9.0,), False), ((12.5,), False), ((12.6,), True), ((9.0, 99.0, 9.0), False), ((9.0, 99.0, 99.0), True)],
)
def test_a_limit_is_missed_by_more_than_noise(rounds: tuple[float, ...], missed: bool) -> None:
    assert figure(*rounds).missed is missed


@pytest.mark.parametrize("rounds", [(), (math.nan,), (1.0, math.nan, 1.0)])
def test_what_was_not_measured_keeps_no_limit(rounds: tuple[float, ...]) -> None:
    assert figure(*rounds).missed


def test_not_one_answer_may_be_lost() -> None:
    assert not figure(0.0, at_most=0.0, noise=1.0).missed
    assert figure(1.0, at_most=0.0, noise=1.0).missed


def test_the_table_says_what_was_missed() -> None:
    told = markdown([figure(20.0), figure(1.0), figure(5.0, at_most=None)]).splitlines()
    assert told[2:] == [
        "| SQLite | CPU | 20.0 ms | 10.0 ms | **missed** |",
        "| SQLite | CPU | 1.00 ms | 10.0 ms | kept |",
        "| SQLite | CPU | 5.00 ms |  |  |",
    ]


@pytest.mark.parametrize(("value", "text"), [(1234.5, "1,234"), (12.34, "12.3"), (1.234, "1.23"), (math.nan, "–")])
def test_numbers_have_the_digits_that_say_something(value: float, text: str) -> None:
    assert number(value) == text

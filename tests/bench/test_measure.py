"""What a token costs with and without the questions, and which answers are lost."""

import math

import pytest

from tests.bench.measure import Came, Load, percentile


def came(load: Load, *, cpu: float, whole: int, followed: int = 0) -> Came:
    return Came(load, cpu=cpu, first=[0.01] * whole, followed=followed)


def test_the_cost_of_a_token_is_told_with_the_questions_and_without() -> None:
    questions = came(Load("1@max", 100), cpu=2.0, whole=100)  # 20 ms each, one token in it
    fifty = came(Load("200@50", 50), cpu=3.0, whole=50)
    assert fifty.cpu_a_token == pytest.approx(3.0 / 10_000)
    assert fifty.net_a_token(questions) == pytest.approx((3.0 - 50 * 0.02) / (10_000 - 50))


def test_of_no_answer_nothing_is_told() -> None:
    nothing = came(Load("200@50", 50), cpu=3.0, whole=0)
    assert math.isnan(nothing.cpu_a_token)
    assert math.isnan(nothing.net_a_token(nothing))


def test_an_answer_is_lost_where_any_of_its_readers_misses_it() -> None:
    load = Load("200@50", 50, readers=4)
    assert came(load, cpu=1.0, whole=50, followed=150).lost == 0
    assert came(load, cpu=1.0, whole=49, followed=150).lost == 1
    assert came(load, cpu=1.0, whole=50, followed=148).lost == 2


@pytest.mark.parametrize(("share", "value"), [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.001, 1.0)])
def test_a_percentile_is_a_value_that_was_measured(share: float, value: float) -> None:
    assert percentile([float(number) for number in range(1, 101)], share) == value
    assert math.isnan(percentile([], share))


@pytest.mark.parametrize(
    ("spans", "most"), [([], 0), ([(0, 1), (1, 2)], 1), ([(0, 3), (1, 2), (2, 4)], 2), ([(0, 3), (1, 3), (2, 3)], 3)]
)
def test_how_many_were_under_way_at_once(spans: list[tuple[float, float]], most: int) -> None:
    assert Came(Load("200@50", 3), spans=spans).at_once == most

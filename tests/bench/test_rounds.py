import math

import pytest

from tests.bench.rounds import Choice, Rounds, best, middle, worst
from tests.bench.table import Figure, Limit


@pytest.mark.parametrize(
    ("choice", "values", "chosen"),
    [
        (middle, [3.0, 1.0, 2.0], 2.0),
        (middle, [3.0, math.nan, 2.0], math.nan),
        (best, [3.0, 1.0, 2.0], 1.0),
        (best, [3.0, math.nan, 2.0], 2.0),
        (best, [math.nan], math.nan),
        (worst, [3.0, 1.0, 2.0], 3.0),
        (worst, [3.0, math.nan], math.nan),
    ],
)
def test_what_counts_of_several_rounds(choice: Choice, values: list[float], chosen: float) -> None:
    assert choice(values) == pytest.approx(chosen, nan_ok=True)


def rounds(limit: Limit, *measured: tuple[float, float]) -> Rounds:
    all_of = Rounds()
    for value, beside in measured:
        all_of.add([Figure(system="SQLite", name="CPU", limit=limit, value=value, beside=beside)])
    return all_of


def test_the_server_is_taken_at_its_best_and_the_yardstick_in_the_middle() -> None:
    measured = [(30.0, 20.0), (50.0, 10.0), (40.0, 30.0)]
    (figure,) = rounds(Limit(unit="ms", at_most=1.5, beside="relay"), *measured).figures(best)
    assert (figure.value, figure.at_most) == (30.0, 30.0)


def test_what_is_lost_once_is_lost() -> None:
    (figure,) = rounds(Limit(unit="", at_most=0, each_round=True), (0.0, 1.0), (2.0, 1.0), (0.0, 1.0)).figures(best)
    assert figure.value == 2.0

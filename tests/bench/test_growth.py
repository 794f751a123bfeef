import pytest

from tests.bench.growth import GROWTH, LENGTHS, further_token, of_growth
from tests.bench.measure import Came


def loads(*, late: float = 1.0) -> dict[str, Came]:
    """A question takes 20 ms, a token 50 µs, and one beyond the ten thousandth ``late`` times that."""
    found = {}
    for name, load in GROWTH.items():
        tokens = load.paced.tokens
        cpu = load.streams * (0.02 + 50e-6 * (min(tokens, 10_000) + late * max(0, tokens - 10_000)))
        span = [(0.0, 1.0)] * load.streams
        found[name] = Came(load, cpu=cpu, first=[0.1] * load.streams, gaps=[0.04], spans=span)
    return found


def missed(found: dict[str, Came]) -> list[str]:
    return [figure.name for figure in of_growth("SQLite", found) if figure.missed]


def test_a_token_that_costs_the_same_everywhere_keeps_the_limits() -> None:
    assert missed(loads()) == []
    assert further_token(loads(), 100, 2_000) == pytest.approx(50e-6)


def test_a_token_that_costs_more_late_in_an_answer_is_seen() -> None:
    assert missed(loads(late=1.5)) == ["CPU of a late token beside an early one"]


def test_a_token_that_costs_more_among_many_streams_is_seen() -> None:
    found = loads()
    found["c500"].cpu *= 1.5
    assert missed(found) == ["c500: CPU of a further token beside c50's"]


def test_an_answer_that_is_lost_is_seen() -> None:
    found = loads()
    found["c1000"].first.pop()
    assert missed(found) == ["c1000: answers lost"]


def test_the_lengths_are_answered_at_one_pace() -> None:
    assert {(load.paced.rate, load.at_once) for load in LENGTHS.values()} == {(500.0, 5)}

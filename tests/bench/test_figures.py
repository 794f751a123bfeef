"""Every figure has its limit in the one table, and is told in the unit of it."""

from collections.abc import Mapping

import pytest

from tests.bench.figures import LIMITS, LOADS, Yardsticks, figure, of_chat, of_processes, of_yardstick, seen
from tests.bench.measure import Came, Load
from tests.bench.table import Figure


def came(load: Load, *, a_question: float, a_token: float) -> Came:
    """As if every question and every token beyond its first had taken so many seconds."""
    further = load.paced.tokens - 1
    cpu = load.streams * (a_question + further * a_token * (1 + 0.1 * (load.readers - 1)))
    whole, others = load.streams, load.streams * (load.readers - 1)
    first, gaps = [0.02] * whole, [0.04] * further
    return Came(load, cpu=cpu, first=first, gaps=gaps, followed=others, bytes_read=80 * whole * load.paced.tokens)


def loads(*, a_question: float, a_token: float) -> dict[str, Came]:
    return {name: came(load, a_question=a_question, a_token=a_token) for name, load in LOADS.items()}


def told(server: Mapping[str, Came]) -> dict[str, Figure]:
    relay = loads(a_question=0.001, a_token=0.000_1)
    found = of_chat("SQLite", server, Yardsticks(direct=relay, relay=relay), base=50 * 2**20)
    return {each.name: each for each in found}


def test_a_server_that_is_as_cheap_as_the_relay_keeps_every_limit() -> None:
    figures = told(loads(a_question=0.001, a_token=0.000_1))
    assert [each.name for each in figures.values() if each.missed] == []
    assert figures["c50: CPU a token, net"].value == pytest.approx(100)
    assert figures["c50: CPU a token, net"].beside == pytest.approx(100)
    assert figures["CPU a question"].value == pytest.approx(1.0)


def test_tokens_and_questions_are_told_apart() -> None:
    figures = told(loads(a_question=0.05, a_token=0.000_1))
    assert [each.name for each in figures.values() if each.missed] == ["CPU a question", "c50: CPU a token, gross"]


def test_a_reader_more_is_told_as_a_share_of_the_run() -> None:
    figures = told(loads(a_question=0.0, a_token=0.000_1))
    assert figures["c50: one more reader"].value == pytest.approx(10, rel=0.01)


def test_an_answer_that_one_reader_has_not_is_lost() -> None:
    server = loads(a_question=0.001, a_token=0.000_1)
    server["c50, 4 readers"].followed -= 1
    assert [each.name for each in told(server).values() if each.missed] == ["answers lost"]


def test_what_the_first_token_takes_is_told_beyond_the_direct_path() -> None:
    server = loads(a_question=0.001, a_token=0.000_1)
    server["c200"].first = [0.02] * 100 + [0.5] * 100
    figures = told(server)
    assert figures["c200: first token, p50"].value == pytest.approx(0)
    assert figures["c200: first token, p99"].value == pytest.approx(480)


@pytest.mark.parametrize(("dearer", "missed"), [(1.0, False), (1.2, False), (1.25, True)])
def test_two_processes_may_cost_a_tenth_more_a_token_each_with_its_own_load(dearer: float, missed: bool) -> None:
    one, two = (loads(a_question=0.0, a_token=0.000_1 * each) for each in (1.0, dearer))
    first, _ = of_processes("two processes", one, two)
    assert (first.value, first.missed) == (pytest.approx(dearer), missed)


def test_what_the_database_takes_counts_with_the_processes() -> None:
    one, two = (loads(a_question=0.0, a_token=0.000_1) for _ in range(2))
    two["c200"].cpu_beside = {"PostgreSQL": two["c200"].cpu}
    first, _ = of_processes("two processes", one, two)
    assert first.value == pytest.approx(2.0)


def test_yardsticks_have_no_limits() -> None:
    assert not any(each.missed for each in of_yardstick("bare relay", loads(a_question=9.0, a_token=9.0)))
    assert seen("bare relay", "CPU a question", 1.0).limit.unit == "ms"


def test_a_figure_that_stands_in_no_table_is_an_error() -> None:
    with pytest.raises(KeyError):
        figure("SQLite", "c50: taste", 1.0)


def test_what_holds_for_now_is_looser_than_the_limit() -> None:
    for name, limit in LIMITS.items():
        assert limit.for_now is None or (limit.at_most is not None and limit.for_now > limit.at_most), name

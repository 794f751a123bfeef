"""Whether a token costs the same where there are many streams, and where answers are long.

It is told without the questions, by answers of another length to questions that were asked in the very same way: one
among five hundred costs less than one among four.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tests.bench.figures import LOADS, Loads, figure
from tests.bench.measure import Load, percentile
from tests.bench.table import Figure

MANY: Mapping[str, Load] = {
    "c500": Load("200@50", 500, over=5.0),
    # At this pace, and for so long, a thousand are under way at once before the first of them ends.
    "c1000": Load("300@5", 1000, over=40.0),
}
LENGTHS: Mapping[int, Load] = {
    100: Load("100@500", 100, at_once=5),
    2_000: Load("2000@500", 15, at_once=5),
    10_000: Load("10000@500", 5, at_once=5),
    20_000: Load("20000@500", 5, at_once=5),
}
GROWTH: Mapping[str, Load] = {
    "c50": LOADS["c50"],
    **MANY,
    **{
        f"{name}, one token": replace(load, model="1@max")
        for name, load in (("c50", LOADS["c50"]), ("c500", MANY["c500"]))
    },
    **{f"{tokens} tokens": load for tokens, load in LENGTHS.items()},
}


def of_growth(system: str, loads: Loads) -> Iterator[Figure]:
    """``loads`` are those of ``GROWTH``."""
    yield figure(system, "of any length: answers lost", sum(loads[f"{tokens} tokens"].lost for tokens in LENGTHS))
    for name in MANY:
        came = loads[name]
        yield figure(system, f"{name}: answers lost", came.lost)
        yield figure(system, f"{name}: answers at once", came.at_once)
        yield figure(system, f"{name}: first token, p50", percentile(came.first, 0.5) * 1e3)
        yield figure(system, f"{name}: first token, p99", percentile(came.first, 0.99) * 1e3)
        yield figure(system, f"{name}: gap, p99", percentile(came.gaps, 0.99) * 1e3)
        yield figure(system, f"{name}: memory in all", came.memory_in_all / 2**20)
    few, many = (loads[name].net_a_token(loads[f"{name}, one token"]) for name in ("c50", "c500"))
    yield figure(system, "c500: CPU of a further token beside c50's", many / few)
    early, late = (further_token(loads, first, last) for first, last in ((100, 2_000), (10_000, 20_000)))
    yield figure(system, "CPU of a late token beside an early one", late / early)


def further_token(loads: Loads, first: int, last: int) -> float:
    """Seconds of CPU for one token more, between answers of these lengths: the question and the end are in neither."""
    shorter, longer = loads[f"{first} tokens"], loads[f"{last} tokens"]
    return (longer.cpu_a_question - shorter.cpu_a_question) / (last - first)

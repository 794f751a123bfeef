"""The figures with their limits, and the verdict. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Times drift by a quarter from round to round on a machine that others use as well.
NOISE = 1.25


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What was measured, in ``unit``, once a round. ``at_most`` None: there is no limit, it is there to be seen."""

    system: str
    name: str
    unit: str
    rounds: Sequence[float]
    at_most: float | None = None
    noise: float = NOISE

    @property
    def value(self) -> float:
        """The median of the rounds; nan where a round has none."""
        if not self.rounds or any(math.isnan(value) for value in self.rounds):
            return math.nan
        return sorted(self.rounds)[len(self.rounds) // 2]

    @property
    def missed(self) -> bool:
        """By more than noise, or not measured at all."""
        return self.at_most is not None and not self.value <= self.at_most * self.noise


def markdown(figures: Iterable[Figure]) -> str:
    lines = ["| system | figure | measured | at most | |", "|---|---|--:|--:|---|"]
    for figure in figures:
        limit = "" if figure.at_most is None else f"{number(figure.at_most)} {figure.unit}"
        verdict = "" if figure.at_most is None else "**missed**" if figure.missed else "kept"
        lines.append(
            f"| {figure.system} | {figure.name} | {number(figure.value)} {figure.unit} | {limit} | {verdict} |"
        )
    return "\n".join(lines)


def number(value: float) -> str:
    """With as many digits as say something."""
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"

"""The figures with their limits, and the verdict. Pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

# Times drift by a quarter from round to round on a machine that others use as well.
NOISE = 1.25


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What a figure may be at most, and in which unit it is told.

    ``at_most`` is the design's; None: the figure is there to be seen. With ``beside`` it is so many times what a
    yardstick took in the same round, and the figure brings that along. ``for_now``, in the same terms, is what a figure
    that misses its limit must not exceed until it keeps it: the short form holds every change to that. ``each_round``:
    it must be kept in every round, not in the middle one or the best.
    """

    unit: str
    at_most: float | None = None
    beside: str = ""
    for_now: float | None = None
    noise: float = NOISE
    each_round: bool = False


@dataclass(frozen=True, kw_only=True)
class Figure:
    """``value`` is nan where it could not be measured. ``beside`` is what the yardstick took."""

    system: str
    name: str
    limit: Limit
    value: float
    beside: float = 1.0

    @property
    def at_most(self) -> float | None:
        return None if self.limit.at_most is None else self.limit.at_most * self.beside

    @property
    def for_now(self) -> float | None:
        return None if self.limit.for_now is None else self.limit.for_now * self.beside

    @property
    def missed(self) -> bool:
        """By more than noise, or not measured at all."""
        return self._beyond(self.at_most)

    @property
    def worse(self) -> bool:
        """Missed, and beyond what is allowed for now as well."""
        return self.missed and self._beyond(self.at_most if self.for_now is None else self.for_now)

    def _beyond(self, limit: float | None) -> bool:
        return limit is not None and not self.value <= limit * self.limit.noise


def markdown(figures: Iterable[Figure]) -> str:
    lines = ["| system | figure | measured | at most | for now | |", "|---|---|--:|--:|--:|---|"]
    for figure in figures:
        unit = figure.limit.unit
        told = " | ".join((_told(figure.value, unit), _limit(figure), _for_now(figure), _verdict(figure)))
        lines.append(f"| {figure.system} | {figure.name} | {told} |")
    return "\n".join(lines)


def number(value: float) -> str:
    """With as many digits as say something."""
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _told(value: float, unit: str) -> str:
    return f"{number(value)} {unit}".strip()


def _limit(figure: Figure) -> str:
    if figure.at_most is None:
        return ""
    times = f" ({number(figure.limit.at_most or 0)} × {figure.limit.beside})" if figure.limit.beside else ""
    return _told(figure.at_most, figure.limit.unit) + times


def _for_now(figure: Figure) -> str:
    return "" if figure.for_now is None or not figure.missed else _told(figure.for_now, figure.limit.unit)


def _verdict(figure: Figure) -> str:
    if figure.at_most is None:
        return ""
    return "**missed, and worse**" if figure.worse and figure.for_now else "**missed**" if figure.missed else "kept"

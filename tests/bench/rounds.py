"""What was measured in several rounds, and what of that counts. Pure."""

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.bench.table import Figure

Choice = Callable[[Sequence[float]], float]


def middle(values: Sequence[float]) -> float:
    """The median; nan where a round has none."""
    return math.nan if any(math.isnan(value) for value in values) else statistics.median(values)


def best(values: Sequence[float]) -> float:
    """The smallest: whoever else uses the machine can only add to what something costs. nan where no round has any."""
    return min((value for value in values if not math.isnan(value)), default=math.nan)


def worst(values: Sequence[float]) -> float:
    return math.nan if any(math.isnan(value) for value in values) else max(values)


@dataclass
class Rounds:
    """Figures by system and name, each as often as there were rounds."""

    found: dict[tuple[str, str], list[Figure]] = field(default_factory=dict)

    def add(self, figures: Iterable[Figure]) -> None:
        for figure in figures:
            self.found.setdefault((figure.system, figure.name), []).append(figure)

    def figures(self, choice: Choice) -> Iterator[Figure]:
        """One of each, as ``choice`` has it; of what may not happen in any round the worst. A yardstick is taken in the
        middle: it gets cheaper, too, where a busy machine makes it read more at once.
        """
        for (system, name), rounds in self.found.items():
            limit = rounds[0].limit
            value = (worst if limit.each_round else choice)([figure.value for figure in rounds])
            beside = middle([figure.beside for figure in rounds])
            yield Figure(system=system, name=name, limit=limit, value=value, beside=beside)

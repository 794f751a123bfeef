"""``make bench``: every figure beside its limit. Exits with 1 where one is missed by more than noise.

``--short`` takes about two minutes, looks at what can be told beside the relay, and exits with 1 where a figure is
missed and worse than it may be for now; ``--shape`` (several times) picks what the server stands on, ``--rounds`` says
how often everything is measured.
"""

import argparse
import sys

from tests.bench.long_form import long_form
from tests.bench.short_form import short_form
from tests.bench.systems import SHAPES
from tests.bench.table import markdown


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shape", action="append", choices=[shape.name for shape in SHAPES])
    chosen = parser.parse_args()
    if chosen.short:
        figures = short_form(rounds=chosen.rounds)
        print(markdown(figures))
        return int(any(figure.worse for figure in figures))
    wanted = chosen.shape or [shape.name for shape in SHAPES]
    figures = long_form([shape for shape in SHAPES if shape.name in wanted], rounds=chosen.rounds)
    print(markdown(figures))
    return int(any(figure.missed for figure in figures))


if __name__ == "__main__":
    sys.exit(main())

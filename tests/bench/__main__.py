"""``make bench``: every figure beside its limit. Exits with 1 where one is missed by more than noise.

``--short`` takes about two minutes, looks at what can be told beside the relay, and exits with 1 where a figure is
missed and worse than it may be for now. The long form has four parts, and ``--only`` picks one: ``rounds``, what a
question, a token and a reader cost, ``--rounds`` times; ``growth``, many streams and long answers; ``many``, a crowd
that stays for ``--held-for`` seconds, and readers beside somebody who asks much; ``long``, threads, lists and searches
of ``--messages``. ``--shape`` (several times) picks what the server stands on.
"""

import argparse
import sys

from tests.bench.long import MESSAGES, long_figures
from tests.bench.long_form import long_form
from tests.bench.many import HELD_FOR
from tests.bench.notes import end_in_order
from tests.bench.page import PAGE, written_into
from tests.bench.short_form import short_form
from tests.bench.systems import SHAPES
from tests.bench.table import markdown


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", choices=["rounds", "growth", "many", "long"])
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md, kept or missed")
    parser.add_argument("--held-for", type=float, default=HELD_FOR, help="seconds for which the crowd stays")
    parser.add_argument("--messages", type=int, default=MESSAGES, help="how many there are in the long part")
    parser.add_argument("--rounds", type=int, help="three; in the short form two")
    parser.add_argument("--shape", action="append", choices=[shape.name for shape in SHAPES])
    chosen = parser.parse_args()
    rounds = chosen.rounds or (2 if chosen.short else 3)
    end_in_order()
    if chosen.short:
        figures = short_form(rounds=rounds)
        print(markdown(figures))
        return int(any(figure.worse for figure in figures))
    wanted = chosen.shape or [shape.name for shape in SHAPES]
    shapes = [shape for shape in SHAPES if shape.name in wanted]
    parts = [chosen.only] if chosen.only else ["rounds", "growth", "many", "long"]
    figures = long_form(shapes, parts=parts, rounds=rounds, held_for=chosen.held_for)
    if "long" in parts:
        figures += long_figures(shapes, messages=chosen.messages)
    print(markdown(figures))
    if chosen.write:
        PAGE.write_text(written_into(PAGE.read_text(), markdown(figures)))
    return int(any(figure.missed for figure in figures))


if __name__ == "__main__":
    sys.exit(main())

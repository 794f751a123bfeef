"""``make bench``: every figure beside its limit. Exits with 1 where one is missed by more than noise.

``--short`` takes about two minutes and looks at what can be told by ratios; ``--shape`` (several times) picks what the
server stands on, ``--rounds`` says how often everything is measured.
"""

import argparse
import sys

import uvloop

from tests.bench import usage
from tests.bench.figures import ALONE, FIFTY, QUESTIONS, TWO_HUNDRED, Rounds, Yardsticks, all_of, of_chat, of_yardsticks
from tests.bench.measure import Load
from tests.bench.systems import SHAPES, SQLITE, Shape, bare_relay, chat_server, model_server
from tests.bench.table import markdown

SHORT: dict[str, Load] = {"questions": QUESTIONS, "c50": FIFTY}
LONG: dict[str, Load] = {"questions": QUESTIONS, "alone": ALONE, "c50": FIFTY, "c200": TWO_HUNDRED}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--shape", action="append", choices=[shape.name for shape in SHAPES])
    chosen = parser.parse_args()
    wanted = chosen.shape or ([SQLITE.name] if chosen.short else [shape.name for shape in SHAPES])
    rounds = Rounds()
    for number in range(chosen.rounds or (1 if chosen.short else 3)):
        print(f"round {number + 1}", file=sys.stderr)
        one_round(rounds, SHORT if chosen.short else LONG, [shape for shape in SHAPES if shape.name in wanted])
    figures = list(rounds.figures.values())
    print(markdown(figures))
    return int(any(figure.missed for figure in figures))


def one_round(rounds: Rounds, loads: dict[str, Load], shapes: list[Shape]) -> None:
    with model_server() as upstream, bare_relay(upstream) as relay:
        sticks = Yardsticks(
            direct=uvloop.run(all_of(upstream, upstream.ways["HTTP"], loads)),
            relay=uvloop.run(all_of(relay, relay.ways["SSE"], loads)),
        )
        rounds.add(of_yardsticks(sticks))
        for shape in shapes:
            with chat_server(shape, upstream) as chat:
                base = usage.memory(chat.pid)
                for name, way in chat.ways.items():
                    print(f"  {shape.name}, {name}", file=sys.stderr)
                    came = uvloop.run(all_of(chat, way, loads))
                    for each in came.values():
                        for fault in sorted(set(each.faults))[:3]:
                            print(f"    {fault}", file=sys.stderr)
                    rounds.add(of_chat(f"{shape.name}, {name}", came, sticks, base=base))


if __name__ == "__main__":
    sys.exit(main())

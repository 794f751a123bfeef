"""What every change is held to: about two minutes, on SQLite, ratios only, also on a machine that others keep busy.

The relay and the server are measured in turn. The server is taken at its best, because whoever else uses the machine
can only add to what something costs, and a figure that is worse than it may be is measured again before it is believed.
"""

from dataclasses import replace

import uvloop

from tests.bench import usage
from tests.bench.figures import LOADS, Yardsticks, all_of, of_chat, of_yardstick, warm_up
from tests.bench.notes import faults, note
from tests.bench.rounds import Rounds, best
from tests.bench.systems import SQLITE, System, bare_relay, chat_server, model_server
from tests.bench.table import Figure

SHORT = {
    "questions": replace(LOADS["questions"], streams=60),
    "c50": LOADS["c50"],
    "c50, 4 readers": LOADS["c50, 4 readers"],
}
AGAIN = 3  # rounds more, where something is worse


def short_form(*, rounds: int) -> list[Figure]:
    found = Rounds()
    with model_server() as upstream, bare_relay(upstream) as relay, chat_server(SQLITE, upstream) as chat:
        base = usage.memory(chat.pid)
        for system in (relay, chat):
            for way in system.ways.values():
                uvloop.run(warm_up(system, way))
        for number in range(rounds + AGAIN):
            figures = list(found.figures(best))
            if number >= rounds and not any(figure.worse for figure in figures):
                break
            note(f"round {number + 1}")
            _one_round(found, relay, chat, base=base)
    return list(found.figures(best))


def _one_round(found: Rounds, relay: System, chat: System, *, base: int) -> None:
    alone = {name: load for name, load in SHORT.items() if load.readers == 1}
    sticks = Yardsticks(direct={}, relay=uvloop.run(all_of(relay, relay.ways["SSE"], alone)))
    found.add(of_yardstick("bare relay", sticks.relay))
    for name, way in chat.ways.items():
        came = uvloop.run(all_of(chat, way, SHORT))
        faults(came)
        found.add(of_chat(f"{SQLITE.name}, {name}", came, sticks, base=base))

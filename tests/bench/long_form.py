"""Every shape, afresh in every round, beside the yardsticks of that round; the middle of the rounds counts. What grows,
and what many do to a server is measured once.
"""

from collections.abc import Collection, Sequence

import uvloop

from tests.bench import usage
from tests.bench.figures import (
    LOADS,
    Loads,
    Yardsticks,
    all_of,
    figure,
    is_of_one_process,
    of_chat,
    of_processes,
    of_yardstick,
    unjudged,
    warm_up,
)
from tests.bench.growth import GROWTH, of_growth
from tests.bench.idle import IDLE, idle_sockets
from tests.bench.many import the_many
from tests.bench.measure import measure
from tests.bench.notes import faults, note
from tests.bench.rounds import Rounds, middle
from tests.bench.systems import (
    POSTGRES,
    POSTGRES_REDIS,
    SQLITE,
    TWO,
    Shape,
    System,
    bare_relay,
    chat_server,
    model_server,
)
from tests.bench.table import Figure


def long_form(shapes: Sequence[Shape], *, parts: Collection[str], rounds: int, held_for: float) -> list[Figure]:
    found = Rounds()
    for number in range(rounds if "rounds" in parts else 0):
        note(f"round {number + 1} of {rounds}")
        _one_round(found, shapes)
    for shape in (each for each in shapes if each in (SQLITE, POSTGRES)):
        if "growth" in parts:
            _memory(found, shape)
            _growth(found, shape)
        if "many" in parts:
            the_many(found, shape, held_for=held_for)
    return list(found.figures(middle))


def _one_round(found: Rounds, shapes: Sequence[Shape]) -> None:
    with model_server() as upstream:
        sticks = _yardsticks(found, upstream)
        loads = {shape: _one_shape(found, shape, upstream, sticks) for shape in shapes}
    if POSTGRES_REDIS in loads and TWO in loads:
        for way, came in loads[TWO].items():
            found.add(of_processes(f"{TWO.name}, {way}", loads[POSTGRES_REDIS][way], came))


def _yardsticks(found: Rounds, upstream: System) -> Yardsticks:
    loads = {name: load for name, load in LOADS.items() if load.readers == 1}
    with bare_relay(upstream) as relay:
        uvloop.run(warm_up(relay, relay.ways["SSE"]))
        sticks = Yardsticks(
            direct=uvloop.run(all_of(upstream, upstream.ways["HTTP"], loads)),
            relay=uvloop.run(all_of(relay, relay.ways["SSE"], loads)),
        )
    found.add(of_yardstick("direct", sticks.direct))
    found.add(of_yardstick("bare relay", sticks.relay))
    return sticks


def _one_shape(found: Rounds, shape: Shape, upstream: System, sticks: Yardsticks) -> dict[str, Loads]:
    """What came of each way in."""
    measured = {}
    with chat_server(shape, upstream) as chat:
        base = usage.memory(chat.pid)
        for name, way in chat.ways.items():
            note(f"  {shape.name}, {name}")
            uvloop.run(warm_up(chat, way))
            came = measured[name] = uvloop.run(all_of(chat, way, LOADS))
            faults(came)
            figures = of_chat(f"{shape.name}, {name}", came, sticks, base=base)
            if shape.processes > 1:
                figures = (unjudged(each) if is_of_one_process(each.name) else each for each in figures)
            found.add(figures)
    return measured


def _memory(found: Rounds, shape: Shape) -> None:
    """Of servers that have not done anything else yet: what earlier loads have left would be used again, unseen."""
    with model_server() as upstream:
        for name in ("SSE", "WebSocket"):
            with chat_server(shape, upstream) as chat:
                note(f"memory: {shape.name}, {name}")
                uvloop.run(warm_up(chat, chat.ways[name]))
                came = uvloop.run(measure(chat.ways[name](), LOADS["c200"], pid=chat.pid))
                value = came.memory / came.load.streams / 1024
                found.add([figure(f"{shape.name}, {name}", "c200: memory a stream", value)])
        with chat_server(shape, upstream) as chat:
            found.add([figure(shape.name, "memory of an idle WebSocket", uvloop.run(idle_sockets(chat, IDLE)) / 1024)])


def _growth(found: Rounds, shape: Shape) -> None:
    with model_server() as upstream, chat_server(shape, upstream) as chat:
        for name, way in chat.ways.items():
            note(f"growth: {shape.name}, {name}")
            uvloop.run(warm_up(chat, way))
            came = uvloop.run(all_of(chat, way, GROWTH))
            faults(came)
            found.add(of_growth(f"{shape.name}, {name}", came))

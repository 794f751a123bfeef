"""Every shape, afresh in every round, beside the yardsticks of that round. The middle of the rounds counts."""

from collections.abc import Sequence

import uvloop

from tests.bench import usage
from tests.bench.figures import LOADS, Yardsticks, all_of, figure, of_chat, of_yardstick, warm_up
from tests.bench.idle import IDLE, idle_sockets
from tests.bench.notes import faults, note
from tests.bench.rounds import Rounds, middle
from tests.bench.systems import Shape, System, bare_relay, chat_server, model_server
from tests.bench.table import Figure


def long_form(shapes: Sequence[Shape], *, rounds: int) -> list[Figure]:
    found = Rounds()
    for number in range(rounds):
        note(f"round {number + 1} of {rounds}")
        with model_server() as upstream:
            sticks = _yardsticks(found, upstream)
            for shape in shapes:
                _one_shape(found, shape, upstream, sticks)
    return list(found.figures(middle))


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


def _one_shape(found: Rounds, shape: Shape, upstream: System, sticks: Yardsticks) -> None:
    with chat_server(shape, upstream) as chat:
        base = usage.memory(chat.pid)
        for name, way in chat.ways.items():
            note(f"  {shape.name}, {name}")
            uvloop.run(warm_up(chat, way))
            came = uvloop.run(all_of(chat, way, LOADS))
            faults(came)
            found.add(of_chat(f"{shape.name}, {name}", came, sticks, base=base))
        if shape.processes == 1:
            found.add([figure(shape.name, "memory of an idle WebSocket", uvloop.run(idle_sockets(chat, IDLE)) / 1024)])

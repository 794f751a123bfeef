"""``make bench-plots``: how costs grow, as charts in docs/plots. Takes about eight minutes; nothing is judged."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import uvloop

from tests.bench.dialects import STREAMS_A_PERSON
from tests.bench.figures import LOADS, Loads, all_of, warm_up
from tests.bench.measure import Load
from tests.bench.notes import end_in_order, faults, note
from tests.bench.svg import Chart, Points
from tests.bench.systems import (
    POSTGRES_REDIS,
    SQLITE,
    TWO,
    Shape,
    System,
    bare_relay,
    chat_server,
    model_server,
)

TARGET = Path(__file__).resolve().parent.parent.parent / "docs" / "plots"
STREAMS = (10, 50, 100, 200, 500)
READERS = (1, 2, 4, 8)
LENGTHS = {100: 60, 1_000: 20, 5_000: 5, 20_000: 5}  # tokens, and how many such answers
QUESTIONS = LOADS["questions"]


def main() -> int:
    end_in_order()
    TARGET.mkdir(exist_ok=True)
    for name, chart in charts():
        (TARGET / f"{name}.svg").write_text(chart.svg(), encoding="utf-8")
        note(f"docs/plots/{name}.svg")
    return 0


def charts() -> Iterator[tuple[str, Chart]]:
    with model_server() as upstream:
        streams = _by_streams(upstream)
        yield "streams", _cost_by_streams(streams)
        yield "memory", _memory_by_streams(streams)
        with chat_server(SQLITE, upstream) as chat:
            yield "readers", _by_readers(chat)
            yield "lengths", _by_length(upstream, chat)
        yield "processes", _by_processes({shape.processes: _fifty(shape, upstream) for shape in (POSTGRES_REDIS, TWO)})


def _measured(system: System, way: str, loads: Mapping[str, Load]) -> Loads:
    note(f"{system.name}, {way}: {', '.join(loads)}")
    uvloop.run(warm_up(system, system.ways[way]))
    came = uvloop.run(all_of(system, system.ways[way], loads))
    faults(came)
    return came


def _by_streams(upstream: System) -> dict[str, Loads]:
    """Each way on a server of its own, from few to many, so that memory is what these streams need."""
    loads = {}
    for streams in STREAMS:
        loads[str(streams)] = load = Load("200@50", streams, over=1.5)
        loads[f"{streams}, one token"] = replace(load, model="1@max")
    found = {}
    for way in ("SSE", "WebSocket"):
        with chat_server(SQLITE, upstream) as chat:
            found[way] = _measured(chat, way, loads)
    with bare_relay(upstream) as relay:
        found["bare relay"] = _measured(relay, "SSE", loads)
    return found


def _cost_by_streams(found: Mapping[str, Loads]) -> Chart:
    lines: dict[str, Points] = {}
    for name, loads in found.items():
        lines[f"{name}, net"] = [(n, loads[str(n)].net_a_token(loads[f"{n}, one token"]) * 1e6) for n in STREAMS]
    lines["SSE, gross"] = [(n, found["SSE"][str(n)].cpu_a_token * 1e6) for n in STREAMS]
    title = "CPU of a token against the streams that run at once"
    return Chart(title=title, x="streams of 200 tokens, 50 a second each", y="µs a token", lines=lines)


def _memory_by_streams(found: Mapping[str, Loads]) -> Chart:
    lines = {name: [(n, loads[str(n)].memory_in_all / 2**20) for n in STREAMS] for name, loads in found.items()}
    return Chart(title="Memory of the process against the streams that run at once", x="streams", y="MiB", lines=lines)


def _by_readers(chat: System) -> Chart:
    loads = {str(n): replace(LOADS["c50"], readers=n) for n in READERS}
    assert max(READERS) <= STREAMS_A_PERSON
    lines = {}
    for way in chat.ways:
        came = _measured(chat, way, loads)
        lines[way] = [(n, came[str(n)].cpu_a_question * 1e3) for n in READERS]
    return Chart(title="CPU of an answer of 200 tokens against its readers", x="readers", y="ms an answer", lines=lines)


def _by_length(upstream: System, chat: System) -> Chart:
    loads = {str(tokens): Load(f"{tokens}@500", answers, at_once=5) for tokens, answers in LENGTHS.items()}
    loads = {"questions": QUESTIONS, **loads}
    with bare_relay(upstream) as relay:
        found = {"SSE": _measured(chat, "SSE", loads), "bare relay": _measured(relay, "SSE", loads)}
    lines = {}
    for name, came in found.items():
        lines[f"{name}, gross"] = [(n, came[str(n)].cpu_a_token * 1e6) for n in LENGTHS]
        lines[f"{name}, net"] = [(n, came[str(n)].net_a_token(came["questions"]) * 1e6) for n in LENGTHS]
    title = "CPU of a token against the length of its answer"
    return Chart(title=title, x="tokens an answer, 500 a second, five at once", y="µs a token", lines=lines)


def _fifty(shape: Shape, upstream: System) -> Loads:
    with chat_server(shape, upstream) as chat:
        return _measured(chat, "SSE", {"c50": LOADS["c50"]})


def _by_processes(found: Mapping[int, Loads]) -> Chart:
    """Gross, and what the database and Redis take beside the server's own processes."""
    each = {number: loads["c50"] for number, loads in found.items()}
    lines = {"server": [(n, came.cpu_a_token * 1e6) for n, came in each.items()]}
    for name in ("PostgreSQL", "Redis"):
        lines[name] = [(n, came.cpu_beside[name] / came.tokens * 1e6) for n, came in each.items()]
    title = "CPU of a token against the processes of the server"
    return Chart(title=title, x="processes, the same 50 streams", y="µs a token, gross", lines=lines)


if __name__ == "__main__":
    sys.exit(main())

"""The many: thousands who are only there, and ordinary readers beside somebody who asks much."""

import resource

import uvloop

from tests.bench.crowd import A_PERSON, hold, of_crowd
from tests.bench.disturbed import PEOPLE, disturbed, of_disturbed
from tests.bench.figures import warm_up
from tests.bench.notes import note
from tests.bench.rounds import Rounds
from tests.bench.systems import Shape, chat_server, model_server

SUBSCRIBERS = 5_000
HELD_FOR = 600.0  # seconds
ROUNDS = 3
_OTHER_FILES = 500  # beside the connections


def the_many(found: Rounds, shape: Shape, *, held_for: float) -> None:
    _make_room(SUBSCRIBERS + _OTHER_FILES)
    with model_server() as upstream:
        with chat_server(shape, upstream, people=SUBSCRIBERS // A_PERSON) as chat:
            note(f"a crowd: {shape.name}")
            for way in chat.ways.values():
                uvloop.run(warm_up(chat, way))
            crowd = uvloop.run(hold(chat, people=SUBSCRIBERS // A_PERSON, seconds=held_for))
            for fault in sorted(set(crowd.faults))[:5]:
                note(f"    {fault}")
            found.add(of_crowd(shape.name, crowd))
        for number in range(ROUNDS):
            with chat_server(shape, upstream, people=PEOPLE) as chat:
                for name, way in chat.ways.items():
                    note(f"side by side, {number + 1} of {ROUNDS}: {shape.name}, {name}")
                    uvloop.run(warm_up(chat, way))
                    found.add(of_disturbed(f"{shape.name}, {name}", uvloop.run(disturbed(chat, way))))


def _make_room(files: int) -> None:
    """Every connection is an open file, here and in the server, which inherits what is allowed here. Raises OSError
    where the machine does not allow so many.
    """
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < files:
        raise OSError(f"{files} open files are needed, and {most} are allowed (ulimit -Hn)")
    if allowed != resource.RLIM_INFINITY and allowed < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))

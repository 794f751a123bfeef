from uuid import UUID

import pytest

from chatserver.accounts.principal import Principal
from streaming.protocol.errors import Draining, TooManyStreams
from streaming.transports.live import LiveConnections


def person(number: int) -> Principal:
    return Principal(UUID(int=number), f"user{number}", False, frozenset({"read"}), "session", session_key="s")


def test_a_user_has_so_many_streams_and_no_more():
    connections = LiveConnections(max_streams=2)
    first = connections.admit(person(1))
    connections.admit(person(1))
    with pytest.raises(TooManyStreams):
        connections.admit(person(1))
    connections.admit(person(2))
    connections.leave(first)
    connections.admit(person(1))
    assert len(connections) == 3


def test_leaving_twice_counts_once():
    connections = LiveConnections(max_streams=1)
    live = connections.admit(person(1))
    connections.leave(live)
    connections.leave(live)
    connections.admit(person(1))
    with pytest.raises(TooManyStreams):
        connections.admit(person(1))


def test_a_draining_process_admits_nobody():
    connections = LiveConnections(max_streams=1)
    connections.draining = True
    with pytest.raises(Draining):
        connections.admit(person(1))


def test_everybody_is_woken_and_told_why_once():
    connections = LiveConnections(max_streams=1)
    live = connections.admit(person(1))
    woken: list[str] = []
    with live.waking(lambda: woken.append("one")), live.waking(lambda: woken.append("two")):
        connections.end_all("restart")
        live.end("too_slow")
    assert (live.ending, woken) == ("restart", ["one", "two"])

"""A small crowd, for some seconds, against a real server: who stays is counted, and so is who does not."""

import json
from collections.abc import Iterator

import pytest

from tests.bench.crowd import A_PERSON, Crowd, Follower, hold, of_crowd
from tests.bench.systems import SQLITE, System, chat_server, model_server
from tests.bench.wires import HttpWire
from tests.bench.words import mark, piece

PEOPLE = 4


@pytest.fixture(scope="module")
def chat() -> Iterator[System]:
    with model_server() as upstream, chat_server(SQLITE, upstream, people=PEOPLE) as system:
        yield system


def figures(crowd: Crowd) -> dict[str, float]:
    return {figure.name: figure.value for figure in of_crowd("SQLite", crowd)}


@pytest.mark.process
async def test_whoever_is_let_in_stays(chat: System) -> None:
    crowd = await hold(chat, people=PEOPLE, seconds=3)
    assert (crowd.faults, crowd.lost, len(crowd.silences)) == ([], 0, PEOPLE * A_PERSON)
    talking = [follower for follower in crowd.followers if follower.rate == 1.0]
    assert len(talking) == PEOPLE // 2 * 6
    assert all(follower.hearing.tokens >= 3 for follower in talking)
    assert figures(crowd)["crowd: refused or dropped"] == 0


@pytest.mark.process
async def test_whoever_is_refused_is_counted(chat: System) -> None:
    """One person twice: twenty connections, where twelve may be open."""
    twice = System(chat.name, chat.pid, chat.port, chat.ways, [chat.tokens[0]] * 2)
    crowd = await hold(twice, people=2, seconds=3)
    assert crowd.lost == 20 - 12
    assert crowd.faults


@pytest.mark.process
async def test_streams_that_the_server_rotates_go_on_without_a_hole() -> None:
    with model_server() as upstream, chat_server(SQLITE, upstream, people=2, STREAM_ROTATION=1) as system:
        crowd = await hold(system, people=2, seconds=4)
    assert (crowd.faults, crowd.lost) == ([], 0)
    assert crowd.rotated >= 3  # those of the one who talks; a silent stream is looked at with its heartbeats


def streamed(*events: tuple[int, str]) -> HttpWire:
    told = b"".join(
        b"data: %s\n\n"
        % json.dumps({"event": "thread.message.delta", "id": number, "data": {"content": text}}).encode()
        for number, text in events
    )
    wire = HttpWire()
    wire.came = [(100.0, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(told), told))]
    return wire


async def test_a_follower_hears_across_its_wires_and_knows_what_is_late() -> None:
    follower = Follower("/", "", 1.0, [])
    assert follower.waits_for(100.0)
    follower.take(streamed((1, mark(90_000_000_000))))
    follower.take(streamed((2, piece(1)), (3, piece(2))))
    assert (follower.last, follower.hearing.tokens) == (3, 3)
    assert [late for _, late in follower.delays] == pytest.approx([10.0, 9.0, 8.0])
    assert not follower.waits_for(90.0 + 3 + 4)  # token 4 is due at 93
    assert follower.waits_for(90.0 + 3 + 6)


async def test_a_hole_is_seen() -> None:
    with pytest.raises(ValueError, match="event 3 after event 1"):
        Follower("/", "", 1.0, []).take(streamed((1, mark(1)), (3, piece(1))))

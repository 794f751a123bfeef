"""The disturbances do what they say, and what they do to others is told beside how it is without them."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.bench.disturbances import Storm
from tests.bench.disturbed import Disturbed, disturbed, of_disturbed
from tests.bench.measure import Came, Load
from tests.bench.systems import SQLITE, System, chat_server, model_server

SMALL = Load("10@50", 20, at_once=10)


@pytest.fixture(scope="module")
def chat() -> Iterator[System]:
    with model_server() as upstream, chat_server(SQLITE, upstream, people=20) as system:
        yield system


@pytest.mark.process
async def test_whoever_asks_much_is_there_while_others_read(chat: System) -> None:
    storm = Storm(a_second=20, lasts=1.0)
    async with asyncio.timeout(60):
        found = await disturbed(chat, chat.ways["SSE"], load=SMALL, storm=storm)
    assert found.calm.lost == 0
    assert {name: came.lost for name, came in found.beside.items()} == {
        "slow readers": 0,
        "huge answers": 0,
        "storm": 0,
    }
    assert found.beside["huge answers"].cpu > found.calm.cpu


@pytest.mark.process
async def test_a_storm_that_a_server_can_take_is_served(chat: System) -> None:
    storm = Storm(a_second=20, lasts=1.0)
    await storm.prepare(chat, chat.tokens[:5])
    await storm.rage(chat, chat.tokens[:5])
    assert (len(storm.served), storm.faults.total()) == (20, 0)


@pytest.mark.process
async def test_a_storm_that_is_refused_is_counted(chat: System) -> None:
    storm = Storm(a_second=20, lasts=1.0)
    await storm.prepare(chat, chat.tokens[:2])
    await storm.rage(chat, ["nobody's", chat.tokens[1]])
    assert len(storm.served) == 10
    assert storm.faults.total() == 10


def came(*, first: float, gap: float) -> Came:
    return Came(SMALL, first=[first] * SMALL.streams, gaps=[gap] * 100)


def figures(*, first: float, gap: float) -> tuple[list[str], dict[str, float]]:
    beside = {name: came(first=0.1, gap=0.04) for name in ("slow readers", "huge answers")}
    storm = Storm(served=[0.1] * 10)
    found = Disturbed(came(first=0.1, gap=0.04), {**beside, "storm": came(first=first, gap=gap)}, storm)
    told = list(of_disturbed("SQLite", found))
    return [figure.name for figure in told if figure.missed], {figure.name: figure.value for figure in told}


def test_what_others_do_not_notice_is_kept() -> None:
    missed, values = figures(first=0.12, gap=0.05)
    assert missed == []
    assert values["storm: first token later, p50"] == pytest.approx(20)
    assert values["storm: gap longer, p99"] == pytest.approx(10)
    assert values["calm: first token, p50"] == pytest.approx(100)


def test_what_others_notice_is_missed() -> None:
    missed, _ = figures(first=0.5, gap=0.2)
    assert missed == [
        f"storm: {what}" for what in ("first token later, p50", "first token later, p99", "gap longer, p99")
    ]

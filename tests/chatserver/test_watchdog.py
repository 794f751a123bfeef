"""Whoever holds the loop up is named, once, and nobody else is."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from chatserver.watchdog import LOOKS_EVERY, Watchdog


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    watchdog = Watchdog(after=0.3)
    yield watchdog
    watchdog.stop()


async def holds_the_loop_up(seconds: float) -> None:
    await asyncio.sleep(2 * LOOKS_EVERY)
    time.sleep(seconds)  # noqa: ASYNC251  that is the point
    await asyncio.sleep(2 * LOOKS_EVERY)


def errors(logs: list[Any]) -> list[Any]:
    return [line for line in logs if line["log_level"] == "error"]


async def test_a_loop_that_is_held_up_is_told_once_with_what_holds_it(watchdog: Watchdog) -> None:
    with capture_logs() as logs:
        watchdog.start()
        await holds_the_loop_up(2.5)
    (line,) = errors(logs)
    assert line["event"] == "the event loop does not answer"
    assert "holds_the_loop_up" in line["stack"][-1]
    again = [line for line in logs if line["event"] == "the event loop answers again"]
    assert len(again) == 1
    assert again[0]["seconds"] >= 0.5


async def test_each_time_is_told(watchdog: Watchdog) -> None:
    with capture_logs() as logs:
        watchdog.start()
        for _ in range(2):
            await holds_the_loop_up(1.5)
    assert len(errors(logs)) == 2


async def test_a_loop_that_answers_is_left_alone(watchdog: Watchdog) -> None:
    with capture_logs() as logs:
        watchdog.start()
        for _ in range(150):
            await asyncio.sleep(0.01)
    assert logs == []


async def test_it_ends_when_it_is_told_to(watchdog: Watchdog) -> None:
    with capture_logs() as logs:
        watchdog.start()
        watchdog.stop()
        await holds_the_loop_up(1.0)
    assert logs == []

"""Signals: the first one drains, and whatever becomes of that, the server hears of it; the second one is in a hurry."""

import signal
from collections.abc import Iterator
from types import SimpleNamespace
from unittest import mock

import pytest
import uvicorn

from chatserver import lifetime
from chatserver.lifetime import Lifetime
from chatserver.management.server import Server
from streaming.transports.live import connections, forget_connections


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    forget_connections()
    yield
    forget_connections()


def server() -> Server:
    return Server(uvicorn.Config("chatserver.asgi:application"))


async def test_a_drain_that_goes_wrong_does_not_swallow_the_signal() -> None:
    heard: list[int] = []
    life = Lifetime(mock.AsyncMock())
    life._previous[signal.SIGTERM] = lambda number, frame: heard.append(number)
    broken = SimpleNamespace(running=1, drain=mock.AsyncMock(side_effect=RuntimeError("no")))
    with (
        mock.patch.object(lifetime, "engine", return_value=SimpleNamespace(supervisor=broken)),
        pytest.raises(RuntimeError),
    ):
        await life._drain(signal.SIGTERM)
    assert heard == [signal.SIGTERM]


def test_the_end_of_a_drain_ends_the_server_gently() -> None:
    connections().draining = True
    ending = server()
    ending.handle_exit(signal.SIGINT, None)
    assert (ending.should_exit, ending.force_exit) == (True, False)


def test_a_signal_in_the_middle_of_a_drain_ends_the_server_at_once() -> None:
    connections().draining = True
    ending = server()
    ending.handle_exit(signal.SIGINT, mock.Mock())
    assert (ending.should_exit, ending.force_exit) == (True, True)


def test_a_first_signal_before_there_is_anything_to_drain_is_gentle() -> None:
    ending = server()
    ending.handle_exit(signal.SIGINT, mock.Mock())
    assert (ending.should_exit, ending.force_exit) == (True, False)

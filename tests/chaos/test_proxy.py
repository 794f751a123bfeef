"""The spoilt wire spoils as it says, and nothing else."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.chaos.proxy import FAIR, FaultProxy, Weather, Wires


class Echo:
    """A server that sends back what it gets, and knows how its connections end."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.ends: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65_536):
                    connection.sendall(data)
                self.ends.append("FIN")
            except OSError:
                self.ends.append("RST")


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(Echo()) as echo:
        yield echo


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    with Wires() as wires:
        yield wires.to(echo.port)


def join(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def said(client: socket.socket, text: bytes) -> float:
    """Seconds until all of it has come back."""
    begun = time.monotonic()
    client.sendall(text)
    got = b""
    while len(got) < len(text):
        piece = client.recv(65_536)
        assert piece, "the connection has ended"
        got += piece
    assert got == text
    return time.monotonic() - begun


def test_in_fair_weather_everything_passes(proxy: FaultProxy) -> None:
    with join(proxy) as client:
        said(client, b"hello")
        said(client, bytes(range(256)) * 1000)
        assert (proxy.open, proxy.accepted) == (1, 1)


def test_a_slow_wire_delays_both_ways_and_can_be_healed(proxy: FaultProxy) -> None:
    with join(proxy) as client:
        proxy.weather = Weather(latency=0.1)
        assert said(client, b"hello") >= 0.2
        proxy.weather = FAIR
        assert said(client, b"hello") < 0.2


def test_a_thin_wire_takes_its_time(proxy: FaultProxy) -> None:
    proxy.weather = Weather(bandwidth=100_000)
    with join(proxy) as client:
        assert said(client, b"x" * 20_000) >= 0.2


def test_a_stalled_wire_takes_connections_and_forwards_nothing_until_it_is_healed(proxy: FaultProxy) -> None:
    proxy.weather = Weather(stalled=True)
    with join(proxy) as client:
        client.sendall(b"hello")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(5)
        proxy.heal()
        client.settimeout(5)
        assert client.recv(5) == b"hello"


def test_a_cut_is_an_end_for_both(proxy: FaultProxy, echo: Echo) -> None:
    with join(proxy) as client:
        said(client, b"hello")
        proxy.cut()
        assert client.recv(5) == b""
    wait_for(lambda: echo.ends == ["FIN"])
    with join(proxy) as again:
        said(again, b"hello")


def test_a_reset_is_an_error_for_both(proxy: FaultProxy, echo: Echo) -> None:
    with join(proxy) as client:
        said(client, b"hello")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            client.recv(5)
    wait_for(lambda: echo.ends == ["RST"])


def test_while_it_refuses_what_stands_goes_on(proxy: FaultProxy) -> None:
    with join(proxy) as client:
        said(client, b"hello")
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            join(proxy)
        said(client, b"hello")
    proxy.accept()
    with join(proxy) as again:
        said(again, b"hello")


def test_of_a_forgotten_connection_neither_end_hears_again(proxy: FaultProxy, echo: Echo) -> None:
    with join(proxy) as client:
        said(client, b"hello")
        proxy.forget()
        client.sendall(b"anybody?")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(5)
    time.sleep(0.2)
    assert echo.ends == []
    with join(proxy) as again:
        said(again, b"hello")


def test_it_leads_where_it_is_told_to(proxy: FaultProxy) -> None:
    with closing(Echo()) as other:
        proxy.target = other.port
        with join(proxy) as client:
            said(client, b"hello")
        wait_for(lambda: other.ends == ["FIN"])


def test_where_nobody_listens_the_connection_ends(proxy: FaultProxy) -> None:
    proxy.target = 9
    with pytest.raises(ConnectionResetError), join(proxy) as client:
        client.recv(5)


def wait_for(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)

"""Readers who keep to the protocol's rules for clients, come back after every break, and write down all that came."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.chaos.checker import TERMINAL
from tests.chaos.history import Arrival, Connection, Reading, Refusal
from tests.support.sse import Parser

SILENCE = 3.0  # several heartbeats of the tests' servers: whoever is silent for longer is given up
PAUSE = (0.05, 0.4)  # before coming back; people's clients wait longer
LATER = {"draining", "storage_busy", "unavailable"}  # said with "try again", and meant so
ENDED = {name.rpartition(".")[2] for name in TERMINAL}


class Broken(Exception):
    """The connection is of no use any more."""


@dataclass(frozen=True)
class Way:
    """A node, and the address at which clients find it."""

    node: str
    url: str


class State:
    """What a client has applied: where it stands, and whether it is at the end."""

    def __init__(self) -> None:
        self.last = 0
        self.ended = False

    def take(self, text: str) -> None:
        """Raises Broken at a gap, after which a client asks for a snapshot."""
        envelope = json.loads(text)
        number, name, data = envelope.get("id"), envelope["event"], envelope["data"]
        if name == "thread.run.snapshot":
            self.last, self.ended = data["as_of"], data["run"]["status"] in ENDED
        elif number is None or number <= self.last:
            return  # a hint, or a repeat
        elif number == self.last + 1:
            self.last, self.ended = number, name in TERMINAL
        else:
            raise Broken("a gap")


class Readers:
    """``readings`` are those of all who have followed a run; ``refusals`` are answers that were not 200."""

    def __init__(self, *, ways: Sequence[Way], token: str, http: httpx.AsyncClient, chance: Random) -> None:
        self._ways = ways
        self._token = token
        self._http = http
        self._chance = chance
        self.readings: list[Reading] = []
        self.refusals: list[Refusal] = []

    async def follow(self, run_id: str, *, transport: str) -> None:
        """Until the run has ended: over this transport, on any node, changing both at a break now and then."""
        reading = Reading(f"{len(self.readings)} ({transport})", run_id)
        self.readings.append(reading)
        state, snapshot = State(), False
        while not state.ended:
            way = self._chance.choice(self._ways)
            if self._chance.random() < 0.2:
                transport = self._chance.choice(["sse", "socket"])
            connection = Connection(transport, way.node, state.last, time.monotonic())
            reading.connections.append(connection)
            read = self._over_sse if transport == "sse" else self._over_socket
            try:
                await read(way, run_id, state, connection, snapshot)
                snapshot = False
            except Broken as broken:
                snapshot = str(broken) == "a gap"
            except (OSError, httpx.HTTPError, WebSocketException, TimeoutError):
                pass
            if not state.ended:
                await asyncio.sleep(self._chance.uniform(*PAUSE))
        reading.finished = True

    def everything(self) -> list[Arrival]:
        return [arrival for reading in self.readings for each in reading.connections for arrival in each.arrivals]

    async def _over_sse(self, way: Way, run_id: str, state: State, connection: Connection, snapshot: bool) -> None:
        query = f"after={state.last}" + ("&snapshot=1" if snapshot else "")
        url = f"{way.url}/api/v1/runs/{run_id}/events?{query}"
        headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {self._token}"}
        async with self._http.stream("GET", url, headers=headers, timeout=SILENCE) as response:
            if response.status_code == 204:
                self._refused(way, 204, "the run has ended", run_id)
                return
            if response.status_code != 200:
                await response.aread()
                if response.status_code != 503:
                    self._refused(way, response.status_code, _code(response), run_id)
                return
            parser = Parser()
            async for chunk in response.aiter_bytes():
                for message in parser.feed(chunk):
                    self._take(message.data, state, connection)
                    if state.ended:
                        return

    async def _over_socket(self, way: Way, run_id: str, state: State, connection: Connection, snapshot: bool) -> None:
        async with open_socket(way, self._token) as socket:
            wanted = {"run_id": run_id, "after": state.last, **({"snapshot": True} if snapshot else {})}
            await socket.send(json.dumps({"event": "subscribe", "req": 2, "data": wanted}))
            while not state.ended:
                try:
                    async with asyncio.timeout(SILENCE / 2):
                        text = await socket.recv()
                except TimeoutError:
                    # Silence may be all there is to say; who does not answer a ping is gone.
                    await socket.send(json.dumps({"event": "ping", "req": 3, "data": {}}))
                    async with asyncio.timeout(SILENCE / 2):
                        text = await socket.recv()
                frame = json.loads(text)
                if frame.get("req") == 2 and frame["event"] == "error":
                    if frame["data"]["code"] not in LATER:
                        self._refused(way, 0, frame["data"]["code"], run_id)
                    return
                if "req" not in frame and frame["event"] != "session.ready":
                    assert isinstance(text, str)
                    self._take(text, state, connection)

    def _take(self, text: str, state: State, connection: Connection) -> None:
        connection.arrivals.append(Arrival(time.monotonic(), text))
        state.take(text)

    def _refused(self, way: Way, status: int, code: str, run_id: str) -> None:
        self.refusals.append(Refusal(time.monotonic(), way.node, status, code, f"reading {run_id}"))


class open_socket:
    """``async with open_socket(way, token) as socket``: connected and signed in, or Broken is raised."""

    def __init__(self, way: Way, token: str) -> None:
        self._url = way.url.replace("http", "ws", 1) + "/ws/v1"
        self._token = token

    async def __aenter__(self) -> ClientConnection:
        async with asyncio.timeout(SILENCE):
            self._socket = await connect(
                self._url, subprotocols=["chat.v1"], proxy=None, compression=None, close_timeout=0.5, max_size=2**24
            )
            try:
                await self._socket.send(json.dumps({"event": "auth", "req": 1, "data": {"token": self._token}}))
                reply = json.loads(await self._socket.recv())
            except BaseException:
                self._socket.transport.abort()
                raise
        if reply["event"] != "ack":
            self._socket.transport.abort()
            raise Broken(f"not let in: {reply}")
        return self._socket

    async def __aexit__(self, *_: Any) -> None:
        # At once: a wire that has been spoilt does not answer a farewell.
        self._socket.transport.abort()
        await asyncio.sleep(0)


def _code(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return response.text[:80]

"""People who ask: each question under a key of its own, posted until it is answered, on any node and by either way."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import httpx
from websockets.exceptions import WebSocketException

from tests.chaos.history import Refusal, Send
from tests.chaos.readers import LATER, PAUSE, SILENCE, Broken, Way, open_socket


@dataclass(frozen=True)
class Model:
    """A model of the stand-in. ``says``: its whole answer; None where it depends on how the run went. ``goes_on``:
    whether it surely continues what was cut off.
    """

    name: str
    says: str | None
    goes_on: bool
    weight: int = 1


def counted(number: int) -> str:
    return " ".join(f"t{each}" for each in range(number))


MODELS = [
    Model("goes-on-40@40", counted(40), True, 4),
    Model("goes-on-15@10", counted(15), True, 2),
    Model("goes-on-200@150", counted(200), True, 2),
    Model("begins-again-40@40", counted(40), False, 1),
    Model("refuses-30@40", counted(30), False, 1),
    Model("think-20@60", counted(20), True, 1),
    Model("slow-3@max", counted(3), True, 1),
    Model("parallel-tools", None, True, 1),
]


class Senders:
    """``sends`` are all questions; ``refusals`` are answers that were neither a run nor "later"."""

    def __init__(self, *, ways: Sequence[Way], token: str, http: httpx.AsyncClient, chance: Random) -> None:
        self._ways = ways
        self._token = token
        self._http = http
        self._chance = chance
        self.sends: list[Send] = []
        self.refusals: list[Refusal] = []

    async def ask(self, thread: str, model: Model, *, waits: bool = False, patience: float = 60.0) -> str | None:
        """The run that answers. Now and then it is asked once more under the same key though there was an answer.

        ``waits``: where the thread is busy, behind what is being answered.
        """
        number = len(self.sends)
        key = f"key-{number}-{self._chance.getrandbits(48):x}"
        send = Send(key, f"Question {number}", model.says, began=time.monotonic(), model=model.name, waits=waits)
        self.sends.append(send)
        deadline = time.monotonic() + patience
        again = self._chance.random() < 0.15
        while time.monotonic() < deadline:
            way, post = self._chance.choice(self._ways), self._chance.choice([self._by_post, self._by_socket])
            send.posts += 1
            try:
                run_id = await post(way, thread, send)
            except (OSError, httpx.HTTPError, WebSocketException, TimeoutError, Broken):
                run_id = None
            if run_id is not None:
                send.runs.append(run_id)
                if not again:
                    return run_id
                again = False
            await asyncio.sleep(self._chance.uniform(*PAUSE))
        return None

    async def cancel(self, run_id: str, *, patience: float = 30.0) -> None:
        """Until it is heard."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            way = self._chance.choice(self._ways)
            try:
                answer = await self._http.post(
                    f"{way.url}/api/v1/runs/{run_id}/cancel", headers=self._headers(), timeout=SILENCE
                )
            except (OSError, httpx.HTTPError):
                pass
            else:
                if answer.status_code in (200, 202):
                    return
                self._note(way, answer.status_code, answer.json()["error"]["code"], f"cancelling {run_id}")
            await asyncio.sleep(self._chance.uniform(*PAUSE))

    async def new_thread(self) -> str:
        answer = await self._http.post(f"{self._ways[0].url}/api/v1/threads", json={}, headers=self._headers())
        assert answer.status_code == 201, answer.text
        identifier: str = answer.json()["id"]
        return identifier

    async def _by_post(self, way: Way, thread: str, send: Send) -> str | None:
        answer = await self._http.post(
            f"{way.url}/api/v1/threads/{thread}/runs",
            json=_body(send),
            headers={**self._headers(), "Idempotency-Key": send.key},
            timeout=SILENCE,
        )
        if answer.status_code == 202:
            run_id: str = answer.json()["run"]["id"]
            return run_id
        self._note(way, answer.status_code, answer.json()["error"]["code"], f"sending {send.key}")
        return None

    async def _by_socket(self, way: Way, thread: str, send: Send) -> str | None:
        async with open_socket(way, self._token) as socket, asyncio.timeout(SILENCE):
            data = {**_body(send), "thread_id": thread, "idempotency_key": send.key, "subscribe": False}
            await socket.send(json.dumps({"event": "message.send", "req": 2, "data": data}))
            while True:
                frame = json.loads(await socket.recv())
                if frame.get("req") != 2:
                    continue
                if frame["event"] == "ack":
                    run_id: str = frame["data"]["run_id"]
                    return run_id
                self._note(way, 0, frame["data"]["code"], f"sending {send.key}")
                return None

    def _note(self, way: Way, status: int, code: str, what: str) -> None:
        if code not in LATER:
            self.refusals.append(Refusal(time.monotonic(), way.node, status, code, what))

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}


def _body(send: Send) -> dict[str, str]:
    body = {"content": send.content, "model": f"ollama/{send.model}"}
    return {**body, "if_busy": "enqueue"} if send.waits else body

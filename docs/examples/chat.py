"""Asking and following, over as many connections as it takes. Needs httpx; CHAT_URL and TOKEN in the environment."""

import json
import os
import random
import time
import uuid
from collections.abc import Iterator

import httpx

URL = os.environ.get("CHAT_URL", "http://127.0.0.1:8000")
MODEL = os.environ.get("MODEL", "demo/demo")
ENDS = {f"thread.run.{how}" for how in ("completed", "incomplete", "failed", "cancelled", "expired")}
PASSING = (429, 502, 503, 504)  # what a busy server says, or the proxy of one that is just starting again


def connect() -> httpx.Client:
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
    return httpx.Client(base_url=URL, headers=headers, timeout=httpx.Timeout(10, read=35))  # heartbeats come every 15 s


def insist(client: httpx.Client, method: str, path: str, **options) -> dict:
    """Ask until there is an answer. What is sent must do no harm when it is sent again: that is what a key is for."""
    wait = 0.5
    while True:
        try:
            answer = client.request(method, path, **options)
            if answer.status_code not in PASSING:
                return answer.raise_for_status().json()
        except httpx.TransportError:
            pass
        wait = pause(wait)


def pause(wait: float) -> float:
    """Wait at most so long, at random; the next wait."""
    time.sleep(random.uniform(0, wait))
    return min(2 * wait, 30)


def new_thread(client: httpx.Client) -> str:
    return insist(client, "POST", "/api/v1/threads", json={"idempotency_key": str(uuid.uuid4())})["id"]


def ask(client: httpx.Client, question: str) -> str:
    """Start a run in a new thread; its id. If the answer to a POST is lost, the same key leads to the same run."""
    body = {"content": question, "model": MODEL, "idempotency_key": str(uuid.uuid4())}
    return insist(client, "POST", f"/api/v1/threads/{new_thread(client)}/runs", json=body)["run"]["id"]


def follow(client: httpx.Client, run: str) -> Iterator[dict]:
    """The numbered events of a run, each once and in order, up to its end, over as many connections as it takes."""
    last, wait = 0, 0.5
    while True:
        try:
            with client.stream("GET", f"/api/v1/runs/{run}/events", params={"after": last}) as response:
                if response.status_code not in PASSING:
                    response.raise_for_status()
                for line in response.iter_lines():
                    event = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                    if event.get("id", 0) > last or event.get("event") == "thread.run.snapshot":
                        last, wait = event["id"], 0.5
                        yield event
                        if event["event"] in ENDS:
                            return
        except httpx.TransportError:
            pass
        wait = pause(wait)


def text_after(text: str, event: dict) -> str:
    """The answer as it reads after ``event``."""
    if event["event"] == "thread.message.delta":
        return text + event["data"]["content"]
    return text_of(event["data"], text)  # a snapshot has messages, instead of all that was missed


def text_of(state: dict, text: str = "") -> str:
    return next((each["content"] for each in state.get("messages", ()) if each["role"] == "assistant"), text)

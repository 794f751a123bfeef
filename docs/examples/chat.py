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


def connect() -> httpx.Client:
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
    return httpx.Client(base_url=URL, headers=headers, timeout=httpx.Timeout(10, read=35))  # heartbeats come every 15 s


def ask(client: httpx.Client, question: str) -> str:
    """Start a run in a new thread; its id. If the answer to the POST is lost, the same key leads to the same run."""
    thread = client.post("/api/v1/threads", json={}).raise_for_status().json()
    body = {"content": question, "model": MODEL, "idempotency_key": str(uuid.uuid4())}
    while True:
        try:
            answer = client.post(f"/api/v1/threads/{thread['id']}/runs", json=body)
            return str(answer.raise_for_status().json()["run"]["id"])
        except httpx.TransportError:
            time.sleep(1)


def follow(client: httpx.Client, run: str) -> Iterator[dict]:
    """The numbered events of a run, each once and in order, up to its end, over as many connections as it takes."""
    last, wait = 0, 0.5
    while True:
        try:
            with client.stream("GET", f"/api/v1/runs/{run}/events", params={"after": last}) as response:
                if response.status_code not in (429, 503):  # those pass
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
        time.sleep(random.uniform(0, wait))
        wait = min(2 * wait, 30)


def text_after(text: str, event: dict) -> str:
    """The answer as it reads after ``event``."""
    if event["event"] == "thread.message.delta":
        return text + event["data"]["content"]
    messages = event["data"].get("messages", [])  # a snapshot has them, instead of all that was missed
    return next((each["content"] for each in messages if each["role"] == "assistant"), text)

"""Planted secrets: whatever fails, none of them leaves the server, and none stands in its log."""

import asyncio
import contextlib
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.client import Client
from tests.support.environment import ROOT, product_environment
from tests.support.people import People
from tests.support.processes import MakeServer

pytestmark = pytest.mark.process

KEY = "canary-secret-key-0123456789-0123456789"
UPSTREAM = "canary-upstream-password"
IN_BODIES = "sk-canary0123456789abcdef"
TYPED = "canary-typed-password"
MAIL = "canary-of-nobody@example.org"

HOSTILE = {
    "key": (401, {"error": f"invalid api key {IN_BODIES}"}),
    "url": (500, {"error": f"dial http://admin:{IN_BODIES}@10.0.0.1/internal failed"}),
    "trace": (500, {"error": f'Traceback (most recent call last): File "/srv/x.py" token={IN_BODIES}'}),
    "page": (502, f"<html><body>{IN_BODIES}</body></html>"),
    "late": (200, {"error": f"Authorization: Bearer {IN_BODIES}"}),
    "broken": (200, f'{{"message": "{IN_BODIES}'),
}


async def hostile_model_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Lists a model for each way to fail, and fails in that way."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        body = await reader.readexactly(int(length[1])) if length else b""
        status, said = 404, {"error": f"nothing here {IN_BODIES}"}
        if b"/api/tags" in head:
            models: Any = [{"name": f"{name}:latest", "model": f"{name}:latest"} for name in HOSTILE]
            status, said = 200, {"models": models}
        for name, (failing, text) in HOSTILE.items():
            if b"/api/chat" in head and f'"{name}'.encode() in body:
                status, said = failing, text
        raw = (said if isinstance(said, str) else json.dumps(said)).encode()
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Type: application/x-ndjson\r\nContent-Length: {len(raw)}\r\n"
            f"X-Api-Key: {IN_BODIES}\r\nConnection: close\r\n\r\n".encode()
            + raw
        )
        await writer.drain()
    writer.close()


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[str]:
    server = await asyncio.start_server(hostile_model_server, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"http://canary-user:{UPSTREAM}@127.0.0.1:{port}"


async def test_no_planted_secret_leaves_the_server(make_server: MakeServer, people: People, upstream: str) -> None:
    """A84: neither in answers, events and replies, nor in the log, through every failure that can be had."""
    server = make_server(OLLAMA_BASE_URL=upstream, SECRET_KEY=KEY, RETRY_ATTEMPTS=1, LOG_LEVEL="debug").start()
    ada, told = people["ada"], []
    async with Client(server.url, ada.token) as client, client.socket() as socket:
        told.append((await client.get("/api/v1/models")).text)
        failures = set()
        for name in HOSTILE:
            run = await client.start(f"ask {name}", model=f"ollama/{name}:latest")
            await socket.subscribe(run["id"])
            state = await client.ended(run["id"])
            failures.add(state["run"]["error"]["code"])
            told += [str(state), str((await client.replay(run["id"])).texts)]
            whole = {"message": "again", "model": f"ollama/{name}:latest"}
            told.append((await client.post("/api/chat", whole)).text)
        assert len(failures) >= 3, failures
        told.append((await client.get(f"/api/v1/threads/{run['thread_id']}/messages")).text)
        # People who type, and programs that send, what they should not.
        await client.http.get("/accounts/login/")
        form = {"login": MAIL, "password": TYPED, "csrfmiddlewaretoken": client.http.cookies["csrf"]}
        anonymous = {"Authorization": ""}
        told.append((await client.http.post("/accounts/login/", data=form, headers=anonymous)).text.replace(MAIL, ""))
        for bad in (f"chat_0123456789ab_{TYPED}{TYPED}", TYPED):
            told.append((await client.get("/api/v1/me", headers={"Authorization": f"Bearer {bad}"})).text)
        told.append((await client.get(f"/api/v1/me?token={ada.token}&session={ada.session}")).text)
        # A database that fails in the middle of everything, in words of its own.
        server.spoil("ALTER TABLE conversations_thread RENAME COLUMN title TO canary_column")
        for method, path in (("GET", "/api/v1/threads"), ("POST", "/api/v1/threads"), ("POST", "/api/chat")):
            failed = await client.http.request(method, path, json={"message": "x"} if "chat" in path else None)
            assert failed.status_code in (500, 503)
            told.append(failed.text)
        cookie = {"Cookie": f"session={ada.session}", "Authorization": ""}
        told.append((await client.get("/admin/conversations/thread/", headers=cookie)).text)
        told.append(str(socket.frames))
    secrets = [KEY, UPSTREAM, IN_BODIES, TYPED, ada.token, ada.session, ada.token.split("_", 2)[2], "canary_column"]
    for secret in secrets:
        assert not [text for text in told if secret in text], secret
    for secret in (*secrets[:-1], MAIL):  # the log may name a column: it is how the fault is found
        assert secret not in server.log, secret
    assert "Traceback" not in "".join(told).replace("ask trace", "")
    assert "Traceback" in server.log  # and there it stands, for whoever runs the server


def test_a_database_that_cannot_be_reached_does_not_tell_its_password(tmp_path: Path) -> None:
    """A84"""
    environment = product_environment(
        tmp_path,
        DATABASE_URL="postgres://canary-user:canary-database-password@127.0.0.1:9/x?connect_timeout=2",
        SECRET_KEY=KEY,
    )
    done = subprocess.run(
        [sys.executable, "manage.py", "serve", "--port", "1"],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "canary-database-password" not in done.stdout + done.stderr
    assert KEY not in done.stdout + done.stderr

"""Ollama's wire for the pictures, spoken by an aiohttp server: a few models that say what ``said.py`` has for them."""

import asyncio
import json
import re
from typing import Any

from aiohttp import web

from tests.pictures.said import turn

MODELS = {"qwen3:8b": ("qwen3", "8.2B"), "gemma3:12b": ("gemma3", "12.2B"), "llama3.2:3b": ("llama", "3.2B")}
PACE = 0.012  # seconds a word


def _details(model: str) -> dict[str, Any]:
    family, size = MODELS[model]
    return {
        "format": "gguf",
        "family": family,
        "families": [family],
        "parameter_size": size,
        "quantization_level": "Q4_K_M",
    }


def _listed(model: str) -> dict[str, Any]:
    at = "2026-01-01T00:00:00Z"
    return {"name": model, "model": model, "modified_at": at, "size": 5_200_000_000, "digest": "0" * 64} | {
        "details": _details(model)
    }


async def _version(_: web.Request) -> web.Response:
    return web.json_response({"version": "0.12.0"})


async def _tags(_: web.Request) -> web.Response:
    return web.json_response({"models": [_listed(model) for model in MODELS]})


async def _ps(_: web.Request) -> web.Response:
    there = _listed("qwen3:8b") | {
        "expires_at": "2036-01-01T00:00:00Z",
        "size_vram": 5_200_000_000,
        "context_length": 8192,
    }
    return web.json_response({"models": [there]})


async def _show(request: web.Request) -> web.Response:
    model = (await request.json())["model"]
    able = ["completion", "tools", *(["thinking"] if model.startswith("qwen") else ["vision"])]
    family = MODELS[model][0]
    return web.json_response(
        {"details": _details(model), "capabilities": able, "model_info": {f"{family}.context_length": 40_960}}
    )


async def _chat(request: web.Request) -> web.StreamResponse:
    asked = await request.json()
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    messages = asked["messages"]
    last = max(index for index, message in enumerate(messages) if message["role"] == "user")
    results = [message["content"] for message in messages[last:] if message["role"] == "tool"]
    said = turn(asked["model"], messages[last]["content"], results)

    async def line(message: dict[str, Any], **more: Any) -> None:
        told = {
            "model": asked["model"],
            "created_at": "2026-01-01T00:00:00Z",
            "message": {"role": "assistant"} | message,
        }
        await response.write(json.dumps(told | {"done": False} | more).encode() + b"\n")

    words = 0
    for kind, text in (("thinking", said.thinking), ("content", said.answer)):
        for word in re.findall(r"\s*\S+|\s+$", text):
            words += 1
            await line({"content": "", kind: word})
            await asyncio.sleep(PACE)
    if said.call:
        await line({"content": "", "tool_calls": [{"function": said.call}]})
    took = int(words * PACE * 1e9) or 1
    counts = {"prompt_eval_count": 412, "prompt_eval_duration": 90_000_000, "eval_count": words, "eval_duration": took}
    await line({"content": ""}, done=True, done_reason="stop", total_duration=took, load_duration=1, **counts)
    return response


async def serve() -> tuple[web.AppRunner, str]:
    """The server, until its runner is cleaned up, and its address."""
    app = web.Application()
    app.add_routes([web.get("/api/version", _version), web.get("/api/tags", _tags), web.get("/api/ps", _ps)])
    app.add_routes([web.post("/api/show", _show), web.post("/api/chat", _chat)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"

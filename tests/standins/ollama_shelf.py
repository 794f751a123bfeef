"""The models that a stand-in Ollama has: which are pulled, loaded, unloaded and deleted. No sockets here.

What can be pulled, beside what is listed already, and what ollama_pulls.py has:

smollm2:135m         at once
pull-N@R             in N pieces, R of them a second (R may be "max")
gated-pull           half of it, then silence until POST /_standin/release, then the rest
error-pull, end-early-pull, cut-pull, hang-pull
                     half of it, then an error line; a clean end without success; the connection is cut; silence
"""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import ollama_answers as answers
from ollama_behaviours import Act, Record, Refusal
from ollama_pulls import Pulls

LIBRARY = re.compile(r"smollm2:135m|pull-\d+@(?:max|[\d.]+)|(?:gated|error|end-early|cut|hang)-pull")
PACED = re.compile(r"pull-(\d+)@(max|[\d.]+)")
KEPT = 300.0  # seconds after the last request, where it does not say otherwise
FOR_EVER = (2**63 - 1) / 1e9  # Go's longest duration
UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION = re.compile(r"[-+]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+)")
LAYERS = (270_886_336, 1_429)  # bytes of the weights and of the template


class Shelf:
    def __init__(self) -> None:
        self._first = [*answers.LISTED]
        self._loaded: dict[str, tuple[float, int]] = {}  # until when, and with which context
        self.restore()

    def restore(self) -> None:
        """As it was in the beginning."""
        answers.LISTED[:] = self._first
        self._pulls = Pulls()
        until = datetime(2036, 8, 21, tzinfo=UTC).timestamp()
        self._loaded = {model["name"]: (until, 8192) for model in answers.LISTED[:1]}

    def in_memory(self) -> list[Record]:
        """The entries of GET /api/ps, the one that stays longest first."""
        now = time.time()
        self._loaded = {name: kept for name, kept in self._loaded.items() if kept[0] > now}
        entries = []
        for name, (until, context) in sorted(self._loaded.items(), key=lambda kept: -kept[1][0]):
            if model := answers.listed(name):
                entries.append(answers.loaded(model, until=until, context=context))
        return entries

    def use(self, asked: Record, *, answering: bool = False) -> str:
        """The request loads its model and keeps it, while it is being answered in any case, or sends it away; the word
        for it. Raises Refusal.
        """
        kept = seconds(asked.get("keep_alive", KEPT))
        name = answers.full_name(asked["model"])
        if kept == 0 and not answering:
            self._loaded.pop(name, None)
            return "unload"
        options = asked.get("options") or {}
        self._loaded[name] = (time.time() + (FOR_EVER if answering else kept), options.get("num_ctx") or 8192)
        return "load"

    def delete(self, name: str) -> None:
        """Raises Refusal where there is none. What is loaded stays in memory."""
        model = answers.listed(name)
        if model is None:
            raise Refusal(404, {"error": f"model '{name}' not found"})
        answers.LISTED.remove(model)
        self._pulls.forget(name)

    async def pull(self, name: str, gate: asyncio.Event) -> AsyncIterator[Record | Act]:
        """The lines of POST /api/pull; at "success" the model is listed, as the newest."""
        yield {"status": "pulling manifest"}
        known = answers.listed(name)
        bare = name.removesuffix(":latest")
        if known is None and not LIBRARY.fullmatch(bare):
            async for line in self._pulls.lines(name, gate):
                yield line
            return
        kind = "" if known or PACED.fullmatch(bare) or not bare.endswith("-pull") else bare.removesuffix("-pull")
        paced = PACED.fullmatch(bare)
        pieces, rate = (int(paced[1]), paced[2]) if paced else (4, "max")
        weights, template = LAYERS
        yield layer(name, weights)
        if known is None:
            for number in range(1, pieces + 1):
                if rate != "max":
                    await asyncio.sleep(1 / float(rate))
                yield layer(name, weights, weights * number // pieces)
                if kind and number == pieces // 2:
                    if kind == "gated":
                        await gate.wait()
                        continue
                    if kind == "error":
                        yield {"error": "max retries exceeded: unexpected EOF"}
                    yield {"cut": Act.CUT, "hang": Act.HANG}.get(kind, Act.END)
                    return
        else:  # all is here
            yield layer(name, weights, weights)
        yield layer(f"{name} template", template, template)
        yield {"status": "verifying sha256 digest"}
        yield {"status": "writing manifest"}
        if known is None:
            full = answers.full_name(name)
            answers.LISTED.insert(0, {**answers.capable(full), "modified_at": answers.now(), "size": sum(LAYERS)})
        yield {"status": "success"}


def layer(content: str, total: int, completed: int = 0) -> Record:
    digest = hashlib.sha256(content.encode()).hexdigest()
    line = {"status": f"pulling {digest[:12]}", "digest": f"sha256:{digest}", "total": total}
    return {**line, "completed": completed} if completed else line


def seconds(keep_alive: Any) -> float:
    """A number of seconds, or a duration as Go writes them; what is negative is for ever. Raises Refusal."""
    if isinstance(keep_alive, str):
        if not DURATION.fullmatch(keep_alive):
            raise Refusal(400, {"error": f'time: invalid duration "{keep_alive}"'})
        if keep_alive.startswith("-"):
            return FOR_EVER
        parts = re.findall(r"([\d.]+)(ns|us|µs|ms|s|m|h)", keep_alive)
        return sum(float(number) * UNITS[unit] for number, unit in parts)
    return FOR_EVER if keep_alive < 0 else float(keep_alive)

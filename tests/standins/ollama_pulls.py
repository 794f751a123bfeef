"""Pulls at the stand-in that go on where they were, by the name of the model, without its tag:

paced-N-R        N megabytes in as many lines, R a second (0: at once); what has come is kept, so that a pull goes on
gated-pull       half of it, then silence until POST /_standin/release, then the rest
lost-registry-N  N times the registry is lost after a megabyte, then the rest
cut-N            N times the connection is cut after a megabyte, then the rest
missing          what the registry does not know
full-disk        the disk is full in the middle
no-end           a clean end without a success
slow-load        pulled at once; loads for two seconds, in silence
any other        pulled at once
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator

import ollama_answers as answers
from ollama_behaviours import Act, Record

MEGABYTE = 1_000_000
_REGISTRY_LOST = "max retries exceeded: Get: dial tcp: lookup registry.ollama.ai: no such host"


class Pulls:
    def __init__(self) -> None:
        self.there: Counter[str] = Counter()  # megabytes that are on the disk
        self.failed: Counter[str] = Counter()

    def forget(self, name: str) -> None:
        self.there.pop(name, None)

    async def lines(self, name: str, gate: asyncio.Event) -> AsyncIterator[Record | Act]:
        """What follows "pulling manifest", and what else happens."""
        kind, _, rest = answers.full_name(name).rpartition("/")[2].partition(":")[0].partition("-")
        if kind == "missing":
            yield {"error": "pull model manifest: file does not exist"}
            return
        numbers = [int(word) for word in rest.split("-") if word.isdigit()]
        size = numbers[0] if kind == "paced" else 8
        digest = hashlib.sha256(name.encode()).hexdigest()
        layer = {"status": f"pulling {digest[:12]}", "digest": f"sha256:{digest}", "total": size * MEGABYTE}
        yield layer
        while self.there[name] < size:
            if kind == "paced" and numbers[1:] != [0]:
                await asyncio.sleep(1 / numbers[1])
            self.there[name] += 1
            yield {**layer, "completed": self.there[name] * MEGABYTE}
            if kind == "gated" and self.there[name] == size // 2:
                await gate.wait()
            if kind == "full":
                yield {"error": f"write /models/blobs/sha256-{digest}-partial-0: no space left on device"}
                return
            if kind == "no":
                return
            if kind in ("lost", "cut") and self.failed[name] < numbers[0]:
                self.failed[name] += 1
                yield {"error": _REGISTRY_LOST} if kind == "lost" else Act.CUT
                return
        yield {"status": "verifying sha256 digest"}
        yield {"status": "writing manifest"}
        if answers.listed(name) is None:
            answers.LISTED.insert(0, {**answers.capable(answers.full_name(name)), "modified_at": answers.now()})
        yield {"status": "success"}

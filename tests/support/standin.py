"""Runs the stand-in model servers, and a real one, of ``tests/standins`` in a process of their own."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PROGRAMS = Path(__file__).resolve().parent.parent / "standins"


class StandIn:
    """A stand-in Ollama: listening from ``start`` to ``stop``, always at the same address, also when started again.

    ``with StandIn() as standin: standin.base_url``. ``options`` are further command line options of the program.
    """

    program = "ollama.py"
    path = ""

    def __init__(self, *options: str, port: int = 0) -> None:
        self.port = port
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def start(self) -> Self:
        """Returns when it listens. Raises RuntimeError where it does not."""
        program = str(PROGRAMS / self.program)
        command = [sys.executable, program, "--port", str(self.port), "--parent", str(os.getpid()), *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.stop()
            raise RuntimeError(f"the stand-in model server did not start on port {self.port}")
        self.port = json.loads(line)["port"]
        return self

    def stop(self) -> None:
        """Ends the process at once; open connections are cut."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def stats(self) -> dict[str, Any]:
        """What it counted: see ``Stats`` in the program."""
        answer: dict[str, Any] = self._call("GET", "stats")
        return answer

    def reset(self) -> None:
        """Forget all counts, and let everything go that is held at a gate."""
        self._call("POST", "reset")

    def release(self) -> None:
        """Let the ``gated-…`` models go on that wait now."""
        self._call("POST", "release")

    def wait_for(self, condition: Callable[[dict[str, Any]], bool], *, timeout: float = 1.0) -> dict[str, Any]:
        """The first stats that meet ``condition``; AssertionError with the last ones after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            stats = self.stats()
            if condition(stats):
                return stats
            assert time.monotonic() < deadline, stats
            time.sleep(0.01)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _call(self, method: str, name: str) -> Any:
        return self._ask(method, f"_standin/{name}")

    def _ask(self, method: str, path: str) -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{path}", method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=5) as answer:
            return json.load(answer)


class OpenAIStandIn(StandIn):
    """A stand-in OpenAI-compatible server, used the same way."""

    program = "openai_compatible.py"
    path = "/v1"


class LlamaCpp(StandIn):
    """A real llama.cpp server of a tiny model, started and stopped the same way; it has no stats, but says what its one
    slot does.
    """

    program = "llama_cpp.py"
    path = "/v1"

    @property
    def busy(self) -> bool:
        (slot,) = self._ask("GET", "slots")
        return bool(slot["is_processing"])

    def wait_until_free(self, *, within: float = 1.0) -> None:
        deadline = time.monotonic() + within
        while self.busy:
            assert time.monotonic() < deadline, "the slot is still taken"
            time.sleep(0.01)

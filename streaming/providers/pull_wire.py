"""What Ollama says while it pulls a model: the lines of POST /api/pull, folded into how far it is. Pure.

A line is ``{"status", "digest"?, "total"?, "completed"?}``: one layer of the model at a time, its bytes as a whole and
those that are there. Zeros are left out. Only ``"status":"success"`` is the end; an ``error`` may come in any line,
after a status of 200, and so may a clean end of the body without either.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from streaming.protocol.errors import PullUnknown, UpstreamDiskFull, UpstreamError, UpstreamFailed, UpstreamProtocol
from streaming.providers.http_answer import unwrapped
from streaming.providers.ollama_errors import NOT_OLLAMA
from streaming.providers.safe_text import explained, without

SUCCESS = "success"
# More layers than any model has; each costs a line of ours.
MAX_LAYERS = 1000
_MAX_STATUS = 200
_MAX_BYTES = 2**53  # a page's numbers end here

_UNKNOWN = re.compile(r"file does not exist|manifest unknown|does not exist|not found|\b404\b", re.I)
_DISK = re.compile(
    r"no space left|not enough (?:disk )?space|disk (?:is )?full|insufficient (?:disk )?space|quota", re.I
)
# The way to the registry, which may be better in a moment; and a layer that came broken, which Ollama throws away.
_PASSING = re.compile(
    r"dial tcp|no such host|timed? ?out|deadline exceeded|connection (?:reset|refused)|broken pipe|\beof\b"
    r"|tls handshake|network is unreachable|max retries exceeded|digest mismatch|\b(?:429|50[0234])\b|stalled",
    re.I,
)
_NOT_PULLED = "The model server could not pull the model."
_NOT_REACHED = "The model server could not fetch the model from its registry."


class PullProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a pull is, in bytes of the layers that are known by now: the largest comes first, small ones follow."""

    status: str = ""
    completed: int = 0
    total: int = 0


class Pull:
    """One pull. ``done`` after the line that says so; ``failure`` is what an error line says. After either, nothing
    that follows counts. Words that have ``secret`` in them are not shown.
    """

    def __init__(self, *, secret: str = "") -> None:
        self._secret = secret
        self.done = False
        self.failure: UpstreamError | None = None
        self._status = ""
        self._layers: dict[str, tuple[int, int]] = {}  # by digest: completed, total

    def feed(self, lines: Iterable[bytes]) -> None:
        """Take whole lines, without their ends."""
        for line in lines:
            if self.done or self.failure is not None:
                return
            self._take(line)

    @property
    def progress(self) -> PullProgress:
        layers = self._layers.values()
        return PullProgress(
            status=self._status,
            completed=sum(completed for completed, _ in layers),
            total=sum(total for _, total in layers),
        )

    def _take(self, line: bytes) -> None:
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            self.failure = UpstreamProtocol(NOT_OLLAMA)
            return
        if said.get("error"):
            self.failure = pull_failure(said["error"], secret=self._secret)
            return
        status = said.get("status")
        if isinstance(status, str):
            self._status = (without(self._secret, status) or "")[:_MAX_STATUS]
            self.done = status == SUCCESS
        self._take_layer(said)

    def _take_layer(self, said: dict[str, Any]) -> None:
        digest, total = said.get("digest"), _bytes(said.get("total"))
        if not isinstance(digest, str) or not total:
            return
        if digest not in self._layers and len(self._layers) >= MAX_LAYERS:
            return
        self._layers[digest] = min(_bytes(said.get("completed")), total), total


def pull_failure(error: Any, *, secret: str = "") -> UpstreamError:
    """The error that an ``error`` value in a pull stands for. Words must do here, for the status is 200: a miss ends in
    the general error, which is not tried again.
    """
    text = unwrapped(error).text
    shown = without(secret, text)
    if text is not None and _DISK.search(text):
        return UpstreamDiskFull()
    if text is not None and _PASSING.search(text):
        return UpstreamFailed(explained(_NOT_REACHED, shown))
    if text is not None and _UNKNOWN.search(text):
        return PullUnknown()
    return UpstreamError(explained(_NOT_PULLED, shown))


def _bytes(value: Any) -> int:
    return value if type(value) is int and 0 <= value <= _MAX_BYTES else 0

"""What a run took: times since it was created, tokens as the model server gave them. What is missing stays missing."""

import msgspec

from streaming.protocol.objects import Run, Timing, Usage
from streaming.protocol.times import rfc3339, seconds

# A count beyond this is a fault of the model server, and would not fit the column it is stored in.
ABSURD = 100_000_000


class SoFar(msgspec.Struct, frozen=True, kw_only=True):
    """What a run took until it was parked. ``generating`` are seconds."""

    usage: Usage | None
    timing: Timing
    first_token_at: str | None
    generating: float


class Measure:
    """Times are unix seconds. A run that another process began keeps what its run object says."""

    def __init__(self, run: Run, *, streamed_before: bool, asked_at: str | None = None) -> None:
        """``streamed_before``: tokens came before this process held the run, so that the next is not the first.
        ``asked_at``: when the question was put, where that was not when the run was made: a send may have waited.
        """
        self._created = seconds(asked_at or run.created_at)
        self._started = seconds(run.started_at)
        self.first_token = seconds(run.first_token_at)
        self._streamed_before = streamed_before
        self._chunks = 0
        self._turn_began: float | None = None
        self._generating = 0.0  # seconds, of the turns whose tokens were counted
        self._prompt_tokens: int | None = None
        self._completion_tokens: int | None = None

    def began(self, at: float) -> None:
        if self._started is None:
            self._started = at

    def received(self, chunks: int, *, at: float) -> None:
        if not chunks:
            return
        self._chunks += chunks
        if self._turn_began is None:
            self._turn_began = at
        if self.first_token is None and not self._streamed_before:
            self.first_token = at

    def turn_ended(self, usage: Usage, *, at: float) -> None:
        prompt, completion = _counted(usage.prompt_tokens), _counted(usage.completion_tokens)
        if prompt is not None:
            self._prompt_tokens = (self._prompt_tokens or 0) + prompt
        if completion is not None:
            self._completion_tokens = (self._completion_tokens or 0) + completion
            if self._turn_began is not None:
                self._generating += at - self._turn_began
        self._turn_began = None

    def so_far(self, *, at: float) -> SoFar:
        first = None if self.first_token is None else rfc3339(self.first_token)
        timing = self.timing(at=at)
        return SoFar(usage=self.usage(), timing=timing, first_token_at=first, generating=self._generating)

    def go_on_from(self, before: SoFar) -> None:
        """Go on counting where the run was parked."""
        self.first_token = seconds(before.first_token_at)
        self._streamed_before = before.timing.chunks is None
        self._chunks = before.timing.chunks or 0
        self._generating = before.generating
        if before.usage is not None:
            self._prompt_tokens = before.usage.prompt_tokens
            self._completion_tokens = before.usage.completion_tokens

    def usage(self) -> Usage | None:
        """The sum over the turns; None where the model server never said anything, or not to this process alone."""
        if self._streamed_before or (self._prompt_tokens is None and self._completion_tokens is None):
            return None
        return Usage(prompt_tokens=self._prompt_tokens, completion_tokens=self._completion_tokens)

    def timing(self, *, at: float) -> Timing:
        """As of ``at``. Tokens a second are counted from each turn's first token to its end: tools take no part."""
        speed = None
        if self._completion_tokens and self._generating > 0:
            speed = round(self._completion_tokens / self._generating, 2)
        return Timing(
            queue_ms=milliseconds(self._created, self._started),
            first_token_ms=milliseconds(self._created, self.first_token),
            duration_ms=milliseconds(self._created, at),
            tokens_per_second=speed,
            chunks=None if self._streamed_before else self._chunks,
        )


def milliseconds(start: float | None, end: float | None) -> int | None:
    """Never negative: two processes' clocks may differ a little."""
    return None if start is None or end is None else max(0, round((end - start) * 1000))


def _counted(tokens: int | None) -> int | None:
    return tokens if tokens is not None and 0 <= tokens <= ABSURD else None

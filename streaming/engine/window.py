"""How much a model reads at once, and what of a run's messages fits into it: one for each run. Pure."""

from collections.abc import Sequence

import msgspec

from streaming.engine import tokens
from streaming.engine.fitting import Fitted, fit
from streaming.protocol.errors import ContextExceeded
from streaming.protocol.notices import Notice, context_dropped, tool_results_shortened
from streaming.protocol.objects import Usage
from streaming.providers.base import PromptMessage, ToolSpec

# Where nobody knows the window: what one message may have, in English. A server that finds it too long says so.
UNKNOWN = 100_000
# What is kept for the answer: its longest where that was said, else a quarter of the window, at most so much. In any
# case half of the window is for the prompt.
MOST_FOR_THE_ANSWER = 16_384
# A server that says no more than that it was too much is asked with a quarter less.
LESS = 4
MOST_SCALE = 4.0  # a count beyond this is about something else


class Window:
    """``size`` is in tokens, None where it is not known. ``older``: there is more of the thread than is looked at.

    What was left out once stays left out for the run. ``notices`` say what that is by now.
    """

    def __init__(
        self,
        *,
        size: int | None = None,
        max_tokens: int | None = None,
        tools: Sequence[ToolSpec] = (),
        older: bool = False,
    ) -> None:
        self._size = size
        self._max_tokens = max_tokens
        self._tools = tokens.of_tools(tools)
        self._older = older
        self._most = UNKNOWN if size is None else size  # what a server has refused is not tried again
        self._scale = 1.0  # tokens as the server counts them for each that we do; learnt upwards only
        self._asked: tuple[PromptMessage, ...] = ()
        self._fitted = Fitted(messages=(), tokens=0)
        self._turns = self._dropped = 0  # before the messages that there are now
        self._shortened: set[str] = set()

    @property
    def room(self) -> int:
        """For messages, in tokens as they are estimated."""
        size = UNKNOWN if self._size is None else self._size - self._for_the_answer(self._size)
        return min(int(size / self._scale) - self._tools, self._most)

    @property
    def notices(self) -> list[Notice]:
        dropped, turns = self._dropped + self._fitted.dropped, self._turns + self._fitted.turns
        notices = []
        if dropped or self._older:
            notices.append(context_dropped(messages=dropped, turns=turns, window=self._size, at_least=self._older))
        if self._shortened:
            notices.append(tool_results_shortened(self._shortened, window=self._size))
        return notices

    def begun(
        self, messages: Sequence[PromptMessage], *, so_far: Sequence[PromptMessage] = ()
    ) -> tuple[PromptMessage, ...]:
        """``messages`` without the exchanges that do not fit: what is left out from the beginning need not be kept.

        ``so_far`` is what the answer has brought by now, which is asked with too.
        """
        fitted = self._fit((*messages, *so_far))
        self._turns, self._dropped = fitted.turns, fitted.dropped
        system = next((at for at, message in enumerate(messages) if message.role != "system"), len(messages))
        kept = (*messages[:system], *messages[fitted.begins :])
        self._asked = (*kept, *so_far)
        self._fitted = msgspec.structs.replace(fitted, turns=0, dropped=0, begins=system)
        return kept

    def fitted(self, messages: tuple[PromptMessage, ...]) -> tuple[PromptMessage, ...]:
        """What the model is asked with. The same again costs nothing."""
        if messages != self._asked:
            self._fit(messages)
        return self._fitted.messages

    def counted(self, usage: Usage) -> None:
        """What the server made of the last prompt. Fewer tokens than estimated say little: some count only those that
        they had not read before.
        """
        if usage.prompt_tokens:
            self._learn(usage.prompt_tokens)

    def shorter(
        self, asked: tuple[PromptMessage, ...], fault: ContextExceeded, *, size: int | None = None
    ) -> tuple[PromptMessage, ...] | None:
        """Less than was ``asked`` with just now and was too much; None where nothing more can be left out.

        ``size`` is what is known of the window by now. ``asked`` may end in a turn that was made ready to be gone on
        with.
        """
        details = fault.details or {}
        before = self._fitted.tokens
        self._size = min((known for known in (self._size, size, details.get("n_ctx")) if known), default=None)
        if count := details.get("n_prompt_tokens"):
            self._learn(count)
        if self.room >= before:  # by all that is known it should have fitted
            self._most = before - before // LESS
        self._fit(self._asked)
        return self._less(asked, before)

    def instead(
        self, asked: Sequence[PromptMessage], messages: Sequence[PromptMessage], *, so_far: Sequence[PromptMessage]
    ) -> tuple[PromptMessage, ...] | None:
        """The same, where the run might as well have ``begun`` with these."""
        before = self._fitted.tokens
        self.begun(messages, so_far=so_far)
        return self._less(asked, before)

    def _less(self, asked: Sequence[PromptMessage], before: int) -> tuple[PromptMessage, ...] | None:
        if self._fitted.tokens >= before:
            return None
        messages, last = self._fitted.messages, asked[-1]
        return (*messages[:-1], last) if last.role == "assistant" and not last.tool_calls else messages

    def _fit(self, messages: tuple[PromptMessage, ...]) -> Fitted:
        self._asked, self._fitted = messages, fit(messages, room=self.room)
        self._shortened.update(self._fitted.shortened)
        return self._fitted

    def _learn(self, count: int) -> None:
        estimated = self._fitted.tokens + self._tools
        self._scale = max(self._scale, min(count / estimated, MOST_SCALE))

    def _for_the_answer(self, size: int) -> int:
        share = min(size // 4, MOST_FOR_THE_ANSWER) if self._max_tokens is None else self._max_tokens
        return min(share, size // 2)

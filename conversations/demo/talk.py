"""What is said in a demonstration: the same for the same random numbers."""

import random
from dataclasses import dataclass

from conversations.demo.stock import BLOCKS, FOLLOW_UPS, QUESTIONS, SENTENCES, THOUGHTS, WORDS

CHARACTERS_A_TOKEN = 4  # about, of English


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    name: str
    arguments: dict[str, str]
    output: str


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer with what led to it; ``thinking`` is empty and ``tool`` None of most."""

    text: str
    thinking: str = ""
    tool: ToolCall | None = None


class Talk:
    def __init__(self, numbers: random.Random) -> None:
        self._numbers = numbers

    def question(self, *, first: bool) -> str:
        return self._said(QUESTIONS if first else FOLLOW_UPS)

    def reply(self) -> Reply:
        numbers = self._numbers
        thinking = "".join(self._said(THOUGHTS) for _ in range(2)).rstrip() if numbers.random() < 0.12 else ""
        tool = self._tool() if numbers.random() < 0.06 else None
        return Reply(text=self.answer(), thinking=thinking, tool=tool)

    def answer(self) -> str:
        """One to four paragraphs, some with a block of Markdown between them."""
        numbers = self._numbers
        paragraphs = []
        for _ in range(numbers.choice((1, 2, 2, 3, 4))):
            paragraphs.append(" ".join(self._said(SENTENCES) for _ in range(numbers.randint(2, 4))))
            if numbers.random() < 0.3:
                paragraphs.append(self._said(BLOCKS))
        return "\n\n".join(paragraphs)

    def long_answer(self, tokens: int) -> str:
        """About so many tokens, and not less than one."""
        wanted, pieces, size = tokens * CHARACTERS_A_TOKEN, [], 0
        while size < wanted:
            pieces.append(self.answer())
            size += len(pieces[-1]) + 2
        return "\n\n".join(pieces)[: max(1, wanted)]

    def _tool(self) -> ToolCall:
        one, other = self._numbers.randint(2, 999), self._numbers.randint(2, 999)
        return ToolCall(name="calculator", arguments={"expression": f"{one} * {other}"}, output=str(one * other))

    def _said(self, choices: tuple[str, ...]) -> str:
        random = self._numbers.random
        # int(random() * n) and not choice(): of a million messages this is most of the work.
        words: dict[str, object] = {slot: some[int(random() * len(some))] for slot, some in WORDS.items()}
        words["number"], words["other"] = (
            int(random() * 100_000) // (1 + int(random() * 1000)) + 2,
            int(random() * 9000),
        )
        return choices[int(random() * len(choices))] % words

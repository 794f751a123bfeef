"""How many threads with how many messages each, and when."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from conversations.demo.threads import Maker

MOST_MESSAGES = 100_000_000
MOST_LONG_ANSWER = 100_000  # tokens: an answer of a model ends at about twice that


class Refused(ValueError):
    """A plan that makes no sense; the text is a sentence to show."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """``messages`` are spread over ``threads``; a long thread and a long answer come on top. Raises Refused."""

    threads: int
    messages: int
    long_thread: int = 0
    long_answer: int = 0

    def __post_init__(self) -> None:
        if min(self.threads, self.messages, self.long_thread, self.long_answer) < 0:
            raise Refused("Numbers are 0 or more.")
        if self.messages and not self.threads:
            raise Refused("Messages are in threads: with --messages, --threads is 1 or more.")
        if self.threads > MOST_MESSAGES or self.in_all > MOST_MESSAGES:
            raise Refused(f"That is more than {MOST_MESSAGES:,}.")
        if self.long_answer > MOST_LONG_ANSWER:
            raise Refused(f"No answer has more than {MOST_LONG_ANSWER:,} tokens.")

    @property
    def in_all(self) -> int:
        """How many messages there will be."""
        return self.messages + self.long_thread + (2 if self.long_answer else 0)

    def sizes(self, numbers: random.Random) -> Iterator[int]:
        """Of each thread: some are short, some are long, and together they have all the messages."""
        left = self.messages
        for number in range(self.threads, 0, -1):
            wanted = left if number == 1 else round(left / number * (0.2 + 1.6 * numbers.random()) / 2) * 2
            size = min(left, max(2, wanted))
            left -= size
            yield size

    def carry_out(self, maker: Maker, numbers: random.Random, *, now: datetime) -> None:
        """The oldest thread first. Nothing is later than ``now``."""
        within = timedelta(hours=3)
        span = timedelta(days=min(700, 30 + self.threads / 10))
        if self.long_thread:
            maker.thread(messages=self.long_thread, begins=now - span, within=span * 0.9)
        for number, size in enumerate(self.sizes(numbers)):
            begins = now - span + (span - 2 * within) * (number / self.threads)
            maker.thread(messages=size, begins=begins, within=within)
        if self.long_answer:
            maker.long_answer(tokens=self.long_answer, ends=now)

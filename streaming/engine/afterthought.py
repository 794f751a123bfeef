"""What a model may add when an answer is done: a title for the thread, and questions that could come next."""

from collections.abc import Callable
from functools import partial
from typing import Protocol, Self
from uuid import UUID

import msgspec

from conversations.selectors import Standing
from conversations.services import afterthoughts
from streaming.engine.afterthought_prompts import ANSWER, QUESTION, follow_ups_request, title_request
from streaming.engine.afterthought_words import follow_ups_from, title_from
from streaming.engine.outcome import Ending
from streaming.engine.prompt import Prompt
from streaming.protocol.lifecycle import RunStatus
from streaming.protocol.parameters import Parameters
from streaming.providers.base import ChatRequest, ModelInfo

# The answers of a thread after which a title is tried: a model that found none three times will find none.
TRIES = 3
ENOUGH = 80  # characters of an answer that was cut short, to be about something


class Occasion(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a run's prompt until its end: not much, because a run may take long."""

    owner_id: UUID
    model: str
    parameters: Parameters
    question: str
    untitled: bool
    answers_before: int

    @classmethod
    def of(cls, prompt: Prompt) -> Self:
        return cls(
            owner_id=prompt.owner_id,
            model=prompt.model,
            parameters=prompt.parameters,
            question=prompt.history[-1].content[: QUESTION + 1] if prompt.history else "",
            untitled=prompt.untitled,
            answers_before=sum(message.role == "assistant" for message in prompt.history),
        )


class Afterthought(Protocol):
    """``name`` is for the log."""

    name: str

    def wanted(self, standing: Standing) -> bool:
        """Whether it still is, as things stand now."""
        ...

    def request(self, model: ModelInfo, parameters: Parameters) -> ChatRequest: ...

    def keeping(self, written: str) -> Callable[[], bool] | None:
        """What stores it, and says whether it did; None where the model wrote nothing that can be used."""
        ...


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """The question and the answer that it is about, as much of them as is told."""

    thread_id: UUID
    message_id: UUID
    question: str
    answer: str


class Title:
    name = "title"

    def __init__(self, exchange: Exchange) -> None:
        self._about = exchange

    def wanted(self, standing: Standing) -> bool:
        return standing.untitled

    def request(self, model: ModelInfo, parameters: Parameters) -> ChatRequest:
        about = self._about
        return title_request(model=model, question=about.question, answer=about.answer, parameters=parameters)

    def keeping(self, written: str) -> Callable[[], bool] | None:
        title = title_from(written)
        if title is None:
            return None
        return partial(afterthoughts.title_by_model, thread_id=self._about.thread_id, title=title)


class FollowUps:
    name = "follow-ups"

    def __init__(self, exchange: Exchange) -> None:
        self._about = exchange

    def wanted(self, standing: Standing) -> bool:
        return standing.head == self._about.message_id

    def request(self, model: ModelInfo, parameters: Parameters) -> ChatRequest:
        about = self._about
        return follow_ups_request(model=model, question=about.question, answer=about.answer, parameters=parameters)

    def keeping(self, written: str) -> Callable[[], bool] | None:
        about = self._about
        questions = follow_ups_from(written, besides=[about.question])
        if not questions:
            return None
        return partial(
            afterthoughts.suggest, thread_id=about.thread_id, message_id=about.message_id, follow_ups=questions
        )


def exchange_of(occasion: Occasion, ending: Ending) -> Exchange:
    return Exchange(
        thread_id=UUID(ending.message.thread_id),
        message_id=UUID(ending.message.id),
        question=occasion.question,
        answer=ending.message.text[: ANSWER + 1],
    )


def title_is_due(occasion: Occasion, ending: Ending) -> bool:
    """After one of the first answers, where there is something that a title can be about."""
    if not occasion.untitled or occasion.answers_before >= TRIES:
        return False
    length = len(ending.message.text.strip())
    if ending.status == RunStatus.COMPLETED:
        return length > 0
    return ending.status in (RunStatus.INCOMPLETE, RunStatus.CANCELLED) and length >= ENOUGH


def follow_ups_are_due(ending: Ending) -> bool:
    """Whoever has stopped an answer has a next question already."""
    return ending.status == RunStatus.COMPLETED and bool(ending.message.text.strip())


def has_room(standing: Standing, *, max_parallel: int) -> bool:
    """Whether a model server can be asked and no run waits for it: what is asked here comes after all of them."""
    bound = bound_of(standing, max_parallel=max_parallel)
    return not (standing.waiting or standing.owner_asks) and (not bound or standing.running < bound)


def bound_of(standing: Standing, *, max_parallel: int) -> int:
    """How many runs the server may have at once; 0 is no bound."""
    return max_parallel if standing.max_parallel is None else standing.max_parallel

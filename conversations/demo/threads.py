"""A demonstration's rows: as the verbs leave them once a run has ended and its log was pruned."""

import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from conversations.demo.batch import Batch
from conversations.demo.logs import TOKENS_A_DELTA, end, opening, whole_log
from conversations.demo.talk import CHARACTERS_A_TOKEN, Reply, Talk
from conversations.models import Message, Run, RunLease, Step, Thread
from conversations.services.run_rows import Choice, title_from
from streaming.protocol.lifecycle import MessageStatus, RunStatus, StepStatus

CHOICE = Choice(provider="demo", model="demo")
TOKENS_A_SECOND = 60
TAGS = ("home", "work", "garden", "travel", "ideas", "code")


class Maker:
    """Makes threads of ``owner_id``. Ids are UUIDv7 of the times at which their rows are said to be made."""

    def __init__(self, *, owner_id: UUID, numbers: random.Random, batch: Batch) -> None:
        self._owner_id = owner_id
        self._numbers = numbers
        self._talk = Talk(numbers)
        self._batch = batch

    def thread(self, *, messages: int, begins: datetime, within: timedelta) -> None:
        """One thread with exactly so many ``messages``, on all its branches together, over about that time."""
        numbers = self._numbers
        thread = self._new_thread(begins)
        question: Message | None = None
        answer: Message | None = None
        left, at = messages, begins
        pause = within / max(1, messages // 2)
        while left:
            at += pause * (0.2 + 0.8 * numbers.random())
            if question is not None and answer is not None and (left == 1 or numbers.random() < 0.04):
                # Asked again: the answer has another version from now on, and that is shown.
                answer = self._answer(thread, question, self._talk.reply(), at=at, status=self._status())
                left -= 1
                continue
            question = self._question(thread, answer, at)
            if left > 1:
                answer = self._answer(thread, question, self._talk.reply(), at=at, status=self._status())
            left -= min(left, 2)
            self._batch.write_if_full()
        self._settle(thread, answer or question)

    def long_answer(self, *, tokens: int, ends: datetime) -> None:
        """A thread whose one answer has so many tokens and ended just now, so that its log is still there."""
        took = timedelta(seconds=tokens / TOKENS_A_SECOND + 2)
        thread = self._new_thread(ends - took)
        question = self._question(thread, None, ends - took, content="Write down everything that you know about this.")
        reply = Reply(text=self._talk.long_answer(tokens))
        answer = self._answer(thread, question, reply, at=ends - took, status=RunStatus.COMPLETED, log=True)
        self._settle(thread, answer)

    def _new_thread(self, at: datetime) -> Thread:
        thread = Thread(pk=self._id(at), owner_id=self._owner_id, model=CHOICE.full_name, created_at=at, updated_at=at)
        self._batch.threads.append(thread)
        return thread

    def _settle(self, thread: Thread, head: Message | None) -> None:
        numbers = self._numbers
        if head is not None:
            thread.head_id = head.pk
            thread.updated_at = head.finished_at or head.created_at
        chance = numbers.random()
        thread.pinned, thread.archived = chance < 0.04, chance > 0.96
        if 0.5 < chance < 0.6:
            thread.tags = [numbers.choice(TAGS)]
        if 0.6 < chance < 0.64:
            thread.system_prompt = "Answer in short sentences."
        self._batch.settled(thread)

    def _question(self, thread: Thread, after: Message | None, at: datetime, content: str = "") -> Message:
        content = content or self._talk.question(first=after is None)
        if not thread.title:
            thread.title = title_from(content)
            thread.title_by = Thread.TitleBy.QUESTION
        question = Message(
            pk=self._id(at),
            thread_id=thread.pk,
            parent_id=None if after is None else after.pk,
            role=Message.Role.USER,
            status=MessageStatus.COMPLETED,
            content=content,
            parts=[{"text": [0, len(content)]}],
            created_at=at,
            finished_at=at,
        )
        self._batch.messages.append(question)
        return question

    def _answer(
        self, thread: Thread, question: Message, reply: Reply, *, at: datetime, status: RunStatus, log: bool = False
    ) -> Message:
        text = reply.text if status is RunStatus.COMPLETED else reply.text[: len(reply.text) // 2]
        tokens = len(text) // CHARACTERS_A_TOKEN + 1
        queue, first = self._numbers.randint(1, 40), self._numbers.randint(60, 900)
        took = queue + first + 1000 * tokens // TOKENS_A_SECOND
        run = Run(
            pk=self._id(at),
            thread_id=thread.pk,
            owner_id=self._owner_id,
            question_id=question.pk,
            answer_id=self._id(at),
            provider=CHOICE.provider,
            model=CHOICE.full_name,
            created_at=at,
        )
        answer = Message(
            pk=run.answer_id,
            thread_id=thread.pk,
            parent_id=question.pk,
            role=Message.Role.ASSISTANT,
            status=MessageStatus.IN_PROGRESS,
            model=run.model,
            run_id=run.pk,
            created_at=at,
        )
        begun = opening(run, question, answer) if log else []
        run.attempt, run.started_at = 1, at + timedelta(milliseconds=queue)
        run.first_token_at = at + timedelta(milliseconds=queue + first)
        run.finished_at = answer.finished_at = at + timedelta(milliseconds=took)
        run.usage = {"prompt_tokens": 20 + len(question.content) // CHARACTERS_A_TOKEN, "completion_tokens": tokens}
        run.timing = {
            "queue_ms": queue,
            "first_token_ms": queue + first,
            "duration_ms": took,
            "tokens_per_second": float(TOKENS_A_SECOND),
            "chunks": tokens,
        }
        steps = self._steps(run, reply)
        answer.status = MessageStatus.COMPLETED if status is RunStatus.COMPLETED else MessageStatus.INCOMPLETE
        answer.content, answer.thinking = text, reply.thinking
        answer.parts = [*({"step_id": str(step.pk)} for step in steps), {"text": [0, len(text)]}]
        said_in = 5 + tokens // TOKENS_A_DELTA + 3 * len(steps)
        end(run, answer, status=status, begun=begun, head=said_in)
        self._batch.runs.append(run)
        self._batch.leases.append(RunLease(run_id=run.pk, number=1, head=run.head))
        if log:
            self._batch.events += whole_log(run, answer, begun)
        self._batch.steps += steps
        self._batch.messages.append(answer)
        return answer

    def _status(self) -> RunStatus:
        chance = self._numbers.random()
        return next((status for status, share in _ENDS if chance < share), RunStatus.COMPLETED)

    def _steps(self, run: Run, reply: Reply) -> list[Step]:
        told: list[dict[str, Any]] = []
        if reply.thinking:
            told.append({"kind": "reasoning", "title": "Thinking", "details": reply.thinking})
        if (call := reply.tool) is not None:
            told.append(
                {
                    "kind": "tool_calls",
                    "title": f"Using tool {call.name}…",
                    "name": call.name,
                    "arguments": call.arguments,
                    "output": call.output,
                }
            )
        assert run.started_at is not None
        assert run.first_token_at is not None
        took = run.first_token_at - run.started_at
        return [
            Step(
                pk=self._id(run.started_at),
                run_id=run.pk,
                index=index,
                status=StepStatus.COMPLETED,
                started_at=run.started_at,
                finished_at=run.first_token_at,
                duration_ms=took // timedelta(milliseconds=1),
                **step,
            )
            for index, step in enumerate(told)
        ]

    def _id(self, at: datetime) -> UUID:
        random = self._numbers.getrandbits(74)
        high = int(at.timestamp() * 1000) << 80 | 0x7 << 76 | (random >> 62) << 64
        return UUID(int=high | 0x2 << 62 | random & (1 << 62) - 1)


# How runs end that do not complete: up to which share of all.
_ENDS = ((RunStatus.CANCELLED, 0.02), (RunStatus.INCOMPLETE, 0.032), (RunStatus.FAILED, 0.04))

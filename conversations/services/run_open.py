"""Opening a run: question, answer, run, lease, events 1 to 3 and the idempotency key, in one transaction.

With several models it is one question, and an answer, a run and events 1 to 3 for each of them. A send that may wait,
to a thread that is busy, joins the thread's queue instead (``run_waiting.py``).
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from chatserver.accounts.principal import Principal
from chatserver.ids import new_id
from chatserver.rows import Rows
from conversations import permissions, selectors, wire
from conversations.database import verb
from conversations.models import Attachment, Message, Run, RunLease, Thread
from conversations.ports import ports
from conversations.selectors import UnderWay
from conversations.services import attachments, feed, search
from conversations.services.idempotency import Key
from conversations.services.run_lease import Hands, take_new
from conversations.services.run_queue import require_place
from conversations.services.run_rows import (
    Choice,
    as_asked,
    move_head,
    new_answer,
    new_question,
    opening_events,
    plain,
)
from conversations.services.run_waiting import enqueue, tell_queue
from conversations.services.threads import new_thread
from streaming.protocol.codec import Entry, encode
from streaming.protocol.commands import NewThread, Send
from streaming.protocol.errors import InvalidRequest, StaleHead, ThreadBusy
from streaming.protocol.lifecycle import MessageStatus

MAX_WAITING = 200
_MESSAGES, _RUNS, _LEASES = Rows(Message), Rows(Run), Rows(RunLease)


@dataclass(frozen=True, kw_only=True)
class Opened:
    """``runs`` by lane: one for each model that answers."""

    runs: tuple[Run, ...]
    replayed: bool

    @property
    def run(self) -> Run:
        return self.runs[0]


@dataclass(frozen=True, kw_only=True)
class MustEnd:
    """Nothing was opened: these runs must end first, and the request says that they shall (``if_busy: interrupt``)."""

    runs: tuple[Run, ...]


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where the new question and answers stand in the tree. ``question`` is an old one that is asked again, ``answer``
    one to go on with.
    """

    parent: Message | None
    question: Message | None
    content: str
    answer: Message | None = None


Choose = Callable[[], Sequence[Choice]]


def open_run(
    *,
    principal: Principal,
    thread_id: UUID | str | None,
    command: Send,
    choose: Choose,
    key: Key | None = None,
    max_waiting: int = MAX_WAITING,
    hands: Hands | None = None,
) -> Opened | MustEnd:
    """Start an answer, or one a model side by side. Without a thread, one is made. ``choose`` names the models, the one
    of lane 0 first, or refuses. ``max_waiting``: how many runs a person may have that nobody works on yet. ``hands``
    take what is opened in the same transaction; without them it waits to be claimed.

    Raises NotFound, Forbidden, AttachmentUnknown, IdempotencyConflict, ThreadBusy (with the active run),
    TooManyWaiting, QueueFull, StaleHead, InvalidRequest. The key is looked up before every refusal; a refused request
    stores nothing. MustEnd is the answer to a request that would be carried out if the thread were free: what is
    refused for another reason interrupts nobody. Who interrupts goes before the sends that wait.
    """
    facts: dict[str, Any] = {
        "principal": principal,
        "thread_id": thread_id,
        "command": command,
        "choose": choose,
        "key": key,
        "max_waiting": max_waiting,
    }
    with nullcontext(False) if hands is None else hands.used() as ours:
        facts["hands"] = hands if ours else None
        try:
            return _open_run(**facts)
        except IntegrityError:
            # Another request took the key or the thread between our look and our write, and has committed by now.
            return _open_run(**facts)


@verb
def _open_run(
    *,
    principal: Principal,
    thread_id: UUID | str | None,
    command: Send,
    choose: Choose,
    key: Key | None,
    max_waiting: int,
    hands: Hands | None,
) -> Opened | MustEnd:
    permissions.require(principal, "chat")
    if earlier := _earlier(principal, key):
        return earlier
    if thread_id is None:
        thread = new_thread(owner_id=principal.user_id, command=NewThread())
    else:
        thread = permissions.access_thread(principal, thread_id, "chat", keep=True)
        # Again: while we waited for the row, the same request may have been carried out, and keeps the thread busy.
        if earlier := _earlier(principal, key):
            return earlier
    choices = choose()
    busy = tuple(selectors.runs_under_way(thread.pk))
    if busy and command.if_busy == "reject":
        raise ThreadBusy(details={"run": plain(busy[0])})
    if command.expected_head and str(thread.head_id) != command.expected_head:
        raise StaleHead(details={"head": wire.plain(str(thread.head_id)) if thread.head_id else None})

    require_place(owner_id=thread.owner_id, more=len(choices), most=max_waiting)
    files = permissions.access_attachments(principal, command.attachments) if command.attachments else []
    if busy and command.if_busy == "enqueue":
        waiting = enqueue(
            thread=thread, command=command, choice=choices[0], behind=[run for run in busy if run.waiting], files=files
        )
        if key is not None:
            key.keep({"run_ids": [str(waiting.pk)]})
        tell_queue(thread)
        return Opened(runs=(waiting,), replayed=False)
    place = _place(principal, thread, command)
    if active := tuple(run for run in busy if not run.waiting):
        return MustEnd(runs=active)
    runs = _write(thread=thread, command=command, choices=choices, place=place, files=files, hands=hands)
    if key is not None:
        key.keep({"run_ids": [str(run.pk) for run in runs]})
    _tell(thread, runs, waiting=[run for run in busy if run.waiting], is_new=thread_id is None)
    return Opened(runs=tuple(runs), replayed=False)


def _tell(thread: Thread, runs: Sequence[Run], *, waiting: Sequence[Run], is_new: bool) -> None:
    under_way = UnderWay(active=_in_order(runs), waiting=_in_order(waiting))
    told = [feed.announced("thread.created" if is_new else "thread.updated", thread, under_way)]
    told += [("thread.run.created", {"thread_id": str(thread.pk), "run": plain(run)}) for run in runs]
    feed.record_all(thread.owner_id, told)


def _in_order(runs: Sequence[Run]) -> list[UUID]:
    return [run.pk for run in sorted(runs, key=lambda run: (run.created_at, run.pk))]


def _earlier(principal: Principal, key: Key | None) -> Opened | None:
    done = key.earlier() if key is not None else None
    if done is None:
        return None
    runs = (permissions.access_run(principal, run_id, "chat") for run_id in done["run_ids"])
    return Opened(runs=tuple(runs), replayed=True)


def _place(principal: Principal, thread: Thread, command: Send) -> _Place:
    if command.go_on:
        return _place_to_go_on(permissions.access_message(principal, thread, command.go_on, "chat"))
    if command.regenerate:
        message = permissions.access_message(principal, thread, command.regenerate, "chat")
        question = message.parent if message.role == Message.Role.ASSISTANT else message
        if question is None:
            raise InvalidRequest("This message has no question to ask again.", details={"field": "regenerate"})
        return _Place(parent=question.parent, question=question, content=question.content)
    assert command.content is not None
    if command.edit:
        edited = permissions.access_message(principal, thread, command.edit, "chat")
        if edited.role != Message.Role.USER:
            raise InvalidRequest("Only a question can be edited.", details={"field": "edit"})
        return _Place(parent=edited.parent, question=None, content=command.content)
    if command.parent_id:
        parent = permissions.access_message(principal, thread, command.parent_id, "chat")
        if parent.role != Message.Role.ASSISTANT:
            raise InvalidRequest("A question follows an answer.", details={"field": "parent_id"})
        return _Place(parent=parent, question=None, content=command.content)
    return _Place(parent=thread.head, question=None, content=command.content)


def _place_to_go_on(answer: Message) -> _Place:
    """Only what ended early can be gone on with, and only where nothing was said upon it."""
    field = {"field": "continue"}
    if answer.role != Message.Role.ASSISTANT or answer.parent is None:
        raise InvalidRequest("Only an answer can be continued.", details=field)
    if answer.status != MessageStatus.INCOMPLETE:
        raise InvalidRequest("Only an answer that ended early can be continued.", details=field)
    if answer.children.exists():
        raise InvalidRequest(
            "This answer has been replied to. Only the last one of a branch can be continued.", details=field
        )
    question = answer.parent
    return _Place(parent=question.parent, question=question, content=question.content, answer=answer)


def _write(
    *,
    thread: Thread,
    command: Send,
    choices: Sequence[Choice],
    place: _Place,
    files: Sequence[Attachment],
    hands: Hands | None,
) -> list[Run]:
    """A run in a lane of its own for each of ``choices``, below the one question."""
    now = timezone.now()
    question = place.question or new_question(
        thread, parent=place.parent, content=place.content, at=now, attachments=attachments.as_told(files)
    )
    messages = [] if place.question else [question]
    asked = as_asked(thread, command, goes_on=None if place.answer is None else place.answer.run)
    runs = []
    for lane, choice in enumerate(choices):
        run = Run(
            pk=new_id(),
            thread=thread,
            owner_id=thread.owner_id,
            lane=lane,
            question=question,
            provider=choice.provider,
            model=choice.full_name,
            **asked,
            created_at=now,
        )
        if place.answer is None:
            run.answer = new_answer(run, at=now)
            messages.append(run.answer)
        else:
            run.answer = _reopened(place.answer, run)
        runs.append(run)
    _MESSAGES.add(messages)
    attachments.use(files, message=question)
    search.add(messages, owner_id=thread.owner_id)
    _begin(runs, asked_again=place.question is not None, hands=hands)
    move_head(thread, runs[0], title=place.content, at=now)
    return runs


def _begin(runs: Sequence[Run], *, asked_again: bool, hands: Hands | None) -> None:
    """Write the runs with their leases and the events that open them. After the commit the bell is rung for each, or
    whoever has it now is told.
    """
    opening: dict[Run, list[Entry]] = {}
    for run in runs:
        events = opening_events(run, asked_again=asked_again)
        opening[run] = [Entry(number, encode(event, number)) for number, event in enumerate(events, start=1)]
        run.head = len(opening[run])
    _RUNS.add(runs)
    _LEASES.add([RunLease(run=run, head=run.head) for run in runs])
    claims = {} if hands is None else take_new(runs, hands)
    for run, entries in opening.items():
        ports.event_store.write_opening(run, entries)
        if hands is not None and (claim := claims.get(run.pk)):
            transaction.on_commit(partial(hands.taken, run, replace(claim, opened=entries)))
        else:
            transaction.on_commit(partial(ports.bell, run.pk, entries))


def _reopened(answer: Message, run: Run) -> Message:
    """The answer as it stands, in progress again. Its text, its parts and the steps of its earlier runs stay."""
    answer.status = MessageStatus.IN_PROGRESS
    answer.finished_at = None
    answer.follow_ups = None  # they followed from what it said until now
    answer.run = run
    answer.save(update_fields=["status", "finished_at", "follow_ups", "run"])
    return answer

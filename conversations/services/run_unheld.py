"""The end of a run that nobody holds: it never began, it waits its turn, or it is parked. Written by whoever ends it,
not by a worker.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from conversations import wire
from conversations.models import Message, Run, RunLease, Step, Thread
from conversations.ports import ports
from conversations.services import attachments, feed, search
from conversations.services.locks import lock_thread_of
from conversations.services.run_waiting import start_next, tell_queue
from streaming.protocol import objects
from streaming.protocol.approvals import NEVER_ALLOWED
from streaming.protocol.codec import Entry, encode
from streaming.protocol.errors import NotFound
from streaming.protocol.events import Event, MessageIncomplete, Receipt, RunCancelled, RunExpired, StepCancelled
from streaming.protocol.lifecycle import MessageStatus, RunStatus, StepStatus, sources_of
from streaming.protocol.response_format import Structured, ended

UnheldEnd = Literal[RunStatus.CANCELLED, RunStatus.EXPIRED]


def end_unheld(*, run_id: UUID, becomes: UnheldEnd, among: Sequence[RunStatus], changes: dict[str, Any]) -> bool:
    """End the run if its status is one of ``among``; False where it is not. ``changes`` are other columns of its row.

    Steps, answer, status and the events that tell it in one transaction, the caller's, and with them the beginning of
    what waits in the thread. Raising the lease's number fences out whoever is about to claim it.
    """
    assert sources_of(becomes) >= set(among)
    try:
        lock_thread_of(run_id)
    except NotFound:
        return False
    now = timezone.now()
    request = Run.objects.filter(pk=run_id, waiting=True).values_list("request", flat=True).first()
    waited = request is not None
    changes = {**changes, "status": becomes, "finished_at": now, "waiting": False, "request": None}
    if not Run.objects.filter(pk=run_id, status__in=among).update(**changes):
        return False
    if request is not None and request["attachments"]:
        attachments.let_go(run_id)
    run = Run.objects.get(pk=run_id)
    _keep_what_it_took(run)
    _keep_what_came_of_its_form(run)
    # A send that waited has said nothing yet: it has no messages to close.
    events = [_terminal(run)] if waited else [*_closed_steps(run, now), _closed_answer(run), _terminal(run)]
    RunLease.objects.filter(pk=run.pk).update(
        number=F("number") + 1, holder="", expires_at=None, head=F("head") + len(events)
    )
    run.head = RunLease.objects.values_list("head", flat=True).get(pk=run.pk)
    entries = [Entry(number, encode(event, number)) for number, event in enumerate(events, run.head - len(events) + 1)]
    run.save(update_fields=["head", "usage", "timing", "first_token_at", "structured"])
    Thread.objects.filter(pk=run.thread_id).update(updated_at=now)
    ports.event_store.write_closing(run, entries)
    following = None if waited else start_next(thread_id=run.thread_id, ended=run)
    told = {"thread_id": str(run.thread_id), "run": wire.plain(wire.run_object(run))}
    feed.record(run.owner_id, events[-1].name, told)
    if waited:
        tell_queue(run.thread)
    if following is not None:
        following.tell()
    transaction.on_commit(lambda: ports.bell(run.pk, entries))
    return True


def _keep_what_it_took(run: Run) -> None:
    """What the model server had counted before the run was parked is not lost with it."""
    before = run.so_far
    if before is None:
        return
    assert run.finished_at is not None
    assert run.question is not None
    asked_at = max(run.created_at, run.question.created_at)  # a send may have waited before it was put
    took = round((run.finished_at - asked_at).total_seconds() * 1000)
    run.usage = before["usage"]
    run.timing = {**before["timing"], "duration_ms": max(0, took)}
    run.first_token_at = wire.moment(before["first_token_at"])


def _keep_what_came_of_its_form(run: Run) -> None:
    if run.structured is not None:
        run.structured = wire.plain(ended(msgspec.convert(run.structured, Structured)))


def _closed_steps(run: Run, now: datetime) -> list[Event]:
    events: list[Event] = []
    for row in Step.objects.filter(run=run, status=StepStatus.IN_PROGRESS).order_by("index"):
        row.status = StepStatus.CANCELLED
        row.error = wire.plain(NEVER_ALLOWED)
        row.finished_at = now
        began = row.started_at or now
        row.duration_ms = max(0, round((now - began).total_seconds() * 1000))
        row.save(update_fields=["status", "error", "finished_at", "duration_ms"])
        events.append(StepCancelled(**_common(run), step=wire.step_object(row)))
    return events


def _closed_answer(run: Run) -> Event:
    assert run.answer is not None
    answer = run.answer
    answer.status = MessageStatus.INCOMPLETE
    answer.finished_at = run.finished_at
    Message.objects.filter(pk=answer.pk).update(status=answer.status, finished_at=answer.finished_at)
    search.keep(message_id=answer.pk, owner_id=run.owner_id, content=answer.content, status=answer.status)
    return MessageIncomplete(**_common(run), message=wire.message_object(answer), reason=run.status)


def _terminal(run: Run) -> RunCancelled | RunExpired:
    told: objects.Run = wire.run_object(run)
    if run.status == RunStatus.EXPIRED:
        return RunExpired(**_common(run), run=told)
    said = "" if run.answer is None else run.answer.content
    receipt = Receipt(upstream_closed=True, content_length=len(said))
    return RunCancelled(**_common(run), run=told, receipt=receipt)


def _common(run: Run) -> dict[str, str]:
    return {"run_id": str(run.pk), "thread_id": str(run.thread_id)}

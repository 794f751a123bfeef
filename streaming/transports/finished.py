"""Whole answers: waiting for a run's end, or for its question to a person, and telling it as one JSON object."""

from contextlib import aclosing
from typing import Any
from uuid import UUID

import msgspec
from asgiref.sync import sync_to_async
from django.http import HttpResponse

from conversations import selectors, wire
from conversations.api.answers import json_answer
from conversations.models import Approval, Run
from conversations.selectors import RunRecord
from conversations.services.run_open import Opened
from streaming.eventlog.base import LogLost
from streaming.protocol.codec import Entry
from streaming.protocol.errors import (
    ChatError,
    ErrorObject,
    NotFound,
    StorageBusy,
    StorageFull,
    UpstreamError,
    UpstreamStalled,
    UpstreamTimeout,
)
from streaming.protocol.lifecycle import TERMINAL, RunStatus
from streaming.protocol.marks import is_parked, is_terminal
from streaming.transports.follow import follow
from streaming.transports.live import Live
from streaming.wiring import Engine

_TIMED_OUT = frozenset({UpstreamTimeout.code, UpstreamStalled.code})
_UPSTREAM = frozenset({UpstreamError.code, *(error.code for error in UpstreamError.__subclasses__())})
_STORAGE = frozenset({StorageBusy.code, StorageFull.code})


async def run_answer(engine: Engine, opened: Opened, live: Live) -> HttpResponse:
    """``?wait=true``: the finished run with its answer and steps."""
    record, approvals = await _record_at_the_end(engine, opened.run, live)
    if record.run.status == RunStatus.FAILED:
        return _failed(record.run)
    return json_answer(_finished(record, approvals))


async def runs_answer(engine: Engine, opened: Opened, live: Live) -> HttpResponse:
    """``?wait=true`` with several models, by lane. One that failed says so in its run: the others may have answered."""
    records = [await _record_at_the_end(engine, run, live) for run in opened.runs]
    return json_answer({"runs": [_finished(record, approvals) for record, approvals in records]})


async def chat_answer(engine: Engine, opened: Opened, live: Live) -> HttpResponse:
    """``POST /api/chat``: also for an incomplete or cancelled answer, which then says so itself."""
    record, approvals = await _record_at_the_end(engine, opened.run, live)
    if record.run.status == RunStatus.FAILED:
        return _failed(record.run)
    told = wire.run_object(record.run)
    return json_answer(
        {
            "thread_id": told.thread_id,
            "run_id": told.id,
            "message": _answer(record),
            "steps": _steps(record),
            "usage": told.usage,
            "timing": told.timing,
            **_asked(approvals),
        }
    )


async def _record_at_the_end(engine: Engine, run: Run, live: Live) -> tuple[RunRecord, list[Approval]]:
    """The run as it has ended, or as it waits for these approvals.

    Raises what ``live`` was told to end for, and NotFound where the run was removed meanwhile.
    """
    events = follow(tailer=engine.tailer, run_id=run.pk, after=0, heartbeat=engine.numbers.heartbeat, live=live)
    async with aclosing(events):
        try:
            async for news in events:
                if news.snapshot is None and not _may_be_over(news.entries):
                    continue
                record, approvals = await sync_to_async(_record)(run.pk)
                # It may have been parked long ago, and have gone on since.
                if approvals or RunStatus(record.run.status) in TERMINAL:
                    return record, approvals
        except LogLost:
            raise NotFound() from None
    raise live.ended()


def _may_be_over(entries: list[Entry]) -> bool:
    return any(map(is_parked, entries)) or bool(entries and is_terminal(entries[-1]))


def _record(run_id: UUID) -> tuple[RunRecord, list[Approval]]:
    record = selectors.record_of(run_id)
    return record, selectors.open_approvals(record.run)


def _finished(record: RunRecord, approvals: list[Approval]) -> dict[str, Any]:
    told = {"run": wire.run_object(record.run), "message": _answer(record), "steps": _steps(record)}
    return told | _asked(approvals)


def _answer(record: RunRecord) -> Any:
    """None for a send that was withdrawn before its turn came."""
    return wire.message_object(record.messages[-1]) if record.messages else None


def _asked(approvals: list[Approval]) -> dict[str, Any]:
    return {"approvals": [wire.approval_object(approval) for approval in approvals]} if approvals else {}


def _steps(record: RunRecord) -> list[Any]:
    return [wire.step_object(step) for step in record.steps]


def _failed(run: Run) -> HttpResponse:
    """502 for the model server, 504 where it took too long, 503 for storage, 500 for ourselves."""
    error = msgspec.convert(run.error, ErrorObject)
    details = {**(error.details or {}), "run_id": str(run.pk), "thread_id": str(run.thread_id)}
    answer = json_answer({"error": msgspec.structs.replace(error, details=details)}, status=_status(error.code))
    if error.retry_after_ms is not None:
        answer["Retry-After"] = str(max(1, -(-error.retry_after_ms // 1000)))
    return answer


def _status(code: str) -> int:
    if code in _TIMED_OUT:
        return 504
    if code in _STORAGE:
        return 503
    return 502 if code in _UPSTREAM else ChatError.status

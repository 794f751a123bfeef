"""Runs over HTTP: start, look, follow, stop."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from chatserver.accounts.principal import Principal
from conversations import selectors, wire
from conversations.api.answers import json_answer
from conversations.api.idempotency import take_key
from conversations.models import Run
from conversations.services.run_open import Opened
from streaming.eventlog.base import LogLost
from streaming.protocol.codec import Entry
from streaming.protocol.commands import Chat, Send, WaitingChanges, parse
from streaming.protocol.errors import InvalidRequest
from streaming.protocol.lifecycle import TERMINAL, RunStatus
from streaming.protocol.marks import is_snapshot
from streaming.protocol.snapshot import RunState
from streaming.transports import finished, sending
from streaming.transports.answers import endpoint, json_body, last_event, no_body, whole_number
from streaming.transports.attach import Wish
from streaming.transports.beginning import beginning_of
from streaming.transports.follow import follow
from streaming.transports.live import Live, connections
from streaming.transports.sse import stream_run
from streaming.wiring import Engine, engine

EVENT_STREAM = "text/event-stream"
WISHES: dict[str, Wish] = {"auto": "auto", "1": "always", "0": "never"}
LONGEST_WAIT = 60
ONE_RUN_A_STREAM = (
    "A stream carries the events of one run, and several models are several runs. "
    "Send without Accept: text/event-stream, and follow each run at its events_url."
)


@endpoint("POST")
async def start(request: HttpRequest, principal: Principal, thread_id: str) -> HttpResponseBase:
    body = json_body(request)
    key = take_key(request.headers, body)

    command = parse(body, Send)

    async def opening() -> Opened:
        return await sending.send(engine(), principal, thread_id, command, key=key, body=body)

    if request.GET.get("wait") == "true":
        return await _waited_for(principal, opening, finished.runs_answer if command.models else finished.run_answer)
    if EVENT_STREAM in request.headers.get("Accept", "").lower():
        if command.models:
            raise InvalidRequest(ONE_RUN_A_STREAM, details={"field": "models"})
        return await _streamed(request, principal, opening)
    opened = await opening()
    accepted: dict[str, Any] = {"run": wire.run_object(opened.run), "events_url": sending.events_url(opened.run)}
    if command.models:
        accepted = {"runs": sending.side_by_side(opened.runs)}
    return _marked(json_answer(accepted, status=202), replayed=opened.replayed)


@endpoint("POST")
async def chat(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    return await _waited_for(principal, lambda: _chat(request, principal), finished.chat_answer)


@endpoint("POST")
async def chat_stream(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    return await _streamed(request, principal, lambda: _chat(request, principal))


@endpoint("GET", "PATCH")
async def one_run(request: HttpRequest, principal: Principal, run_id: str) -> HttpResponseBase:
    if request.method == "PATCH":
        return await _change(request, principal, run_id)
    return await _look(request, principal, run_id)


async def _change(request: HttpRequest, principal: Principal, run_id: str) -> HttpResponseBase:
    run = await sending.change(engine(), principal, run_id, parse(json_body(request), WaitingChanges))
    return json_answer({"run": wire.run_object(run)})


async def _look(request: HttpRequest, principal: Principal, run_id: str) -> HttpResponseBase:
    run = await sending.find_run(principal, run_id)
    if "wait" not in request.GET:
        return json_answer(await _state(engine(), run))
    after = whole_number(request, "after", 0)
    wait = min(whole_number(request, "wait", 0), LONGEST_WAIT)
    with connections().opened(principal) as live:
        try:
            entries = await _news(engine(), run, live, after=after, wait=wait)
        except LogLost:
            entries = []  # the run was removed, or its rows alone are left: looking at it again says which
        if live.ending is not None:
            raise live.ended()
    run = await sending.find_run(principal, run_id)  # as it stands now
    return json_answer({**await _state(engine(), run), "events": [json.loads(entry.text) for entry in entries]})


@endpoint("GET")
async def events(request: HttpRequest, principal: Principal, run_id: str) -> HttpResponseBase:
    after = last_event(request)
    wish = WISHES.get(request.GET.get("snapshot", "auto"))
    if wish is None:
        raise InvalidRequest("snapshot is auto, 1 or 0.", details={"field": "snapshot"})
    names = request.GET.get("names") != "0"
    run = await sending.find_run(principal, run_id)
    live = connections().admit(principal)
    try:
        start = await beginning_of(engine(), run, after=after, wish=wish)
        if start.mode == "ended":
            connections().leave(live)
            return HttpResponse(status=204)  # this, and only this, stops a browser's EventSource
    except BaseException:
        connections().leave(live)
        raise
    return stream_run(engine(), run, live, start=start, names=names)


@endpoint("POST")
async def cancel(request: HttpRequest, principal: Principal, run_id: str) -> HttpResponseBase:
    no_body(request)
    run = await sending.cancel(principal, run_id)
    ended = RunStatus(run.status) in TERMINAL
    return json_answer({"run": wire.run_object(run)}, status=200 if ended else 202)


async def _chat(request: HttpRequest, principal: Principal) -> Opened:
    body = json_body(request)
    key = take_key(request.headers, body)
    return await sending.chat(engine(), principal, parse(body, Chat), key=key, body=body)


def _marked(answer: HttpResponseBase, *, replayed: bool) -> HttpResponseBase:
    if replayed:
        answer["Idempotency-Replayed"] = "true"
    return answer


async def _waited_for(
    principal: Principal,
    opening: Callable[[], Awaitable[Opened]],
    answer: Callable[[Engine, Opened, Live], Awaitable[HttpResponse]],
) -> HttpResponseBase:
    """Open runs and answer when they have ended. Who waits counts as a stream: limited, and ended with its rights."""
    with connections().opened(principal) as live:
        opened = await opening()
        return _marked(await answer(engine(), opened, live), replayed=opened.replayed)


async def _streamed(
    request: HttpRequest, principal: Principal, opening: Callable[[], Awaitable[Opened]]
) -> HttpResponseBase:
    """Open a run and stream it. The stream's place is taken first: a refused request must not leave a run behind."""
    live = connections().admit(principal)
    try:
        opened = await opening()
        # A run that an idempotency key leads back to may have ended long ago, and its log may be pruned.
        start = await beginning_of(engine(), opened.run, after=0, wish="never")
        names, done = request.GET.get("names") != "0", request.GET.get("done") == "1"
        answer = stream_run(engine(), opened.run, live, start=start, names=names, done=done)
    except BaseException:
        connections().leave(live)
        raise
    answer["Location"] = sending.events_url(opened.run)
    return _marked(answer, replayed=opened.replayed)


async def _state(running: Engine, run: Run) -> dict[str, Any]:
    """From the log while the run goes on, from the rows after, and where the log has lost it. Raises NotFound where it
    was removed meanwhile.
    """
    if RunStatus(run.status) not in TERMINAL:
        state = await _told_so_far(running, run)
        if state.run is not None and not state.terminal:
            told: dict[str, Any] = {"run": state.run, "head": state.last, **_how_asked(run)}
            told |= {"messages": state.messages, "steps": state.steps}
            if state.approvals:
                open_still = await sync_to_async(selectors.open_approvals)(run)
                told["approvals"] = [wire.approval_object(approval) for approval in open_still]
            return told
    record = await sync_to_async(selectors.record_of)(run.pk)
    return {
        "run": wire.run_object(record.run),
        "head": record.head,
        **_how_asked(record.run),
        "messages": [wire.message_object(message) for message in record.messages],
        "steps": [wire.step_object(step) for step in record.steps],
    }


def _how_asked(run: Run) -> dict[str, Any]:
    return {
        "parameters": run.parameters,
        "system_prompt": run.system_prompt,
        "response_format": run.response_format,
    }


async def _told_so_far(running: Engine, run: Run) -> RunState:
    state = RunState()
    with suppress(LogLost, ValueError):  # lost, or a part of it: the rows tell what they have
        while entries := await running.event_log.read(run_id=run.pk, after=state.last):
            state.extend(entries)
    return state


async def _news(running: Engine, run: Run, live: Live, *, after: int, wait: int) -> list[Entry]:
    """What comes after ``after``: at once if there is some, else whatever comes first within ``wait`` seconds."""
    entries = await running.event_log.read(run_id=run.pk, after=after)
    if entries and entries[0].id > after + 1 and not is_snapshot(entries[0]):
        return []  # pruned: the state says how it stands
    if entries or wait == 0 or (RunStatus(run.status) in TERMINAL and after >= run.head):
        return entries
    if after > await sync_to_async(sending.head_of)(run):
        return []  # whatever comes next, it does not continue what the reader has: the state says how it stands
    following = follow(tailer=running.tailer, run_id=run.pk, after=after, heartbeat=float(wait), live=live)
    async with aclosing(following):
        try:
            async with asyncio.timeout(wait):
                async for news in following:
                    if news.snapshot is not None:
                        return [news.snapshot]
                    if news.entries:
                        return news.entries
        except TimeoutError:
            pass
    return []

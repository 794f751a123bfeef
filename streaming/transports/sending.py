"""Starting and stopping runs on behalf of a person: what both transports do, in one place."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async

from chatserver.accounts.models import ApiToken
from chatserver.accounts.principal import Principal
from chatserver.accounts.rechecking import arecheck
from conversations import permissions, wire
from conversations.models import Run, RunLease
from conversations.services.idempotency import Key
from conversations.services.run_cancel import cancel_run
from conversations.services.run_open import Choose, Opened, open_run
from conversations.services.run_rows import Choice
from conversations.services.run_waiting import INTERRUPTED, change_waiting, start_waiting
from streaming.protocol import response_format
from streaming.protocol.commands import Chat, Send, WaitingChanges, body_hash
from streaming.protocol.errors import Draining, ModelUnknown, NotAuthenticated, NotFound, ThreadBusy
from streaming.protocol.lifecycle import ACTIVE
from streaming.wiring import Engine

# Closing the model's connection takes a second, two where the wish went lost on the way; the rest is for storage.
INTERRUPTED_WITHIN = 10.0
LOOK_EVERY = 0.05
STILL_STOPPING = "The answer before is still being stopped. Send again in a moment."


async def send(
    engine: Engine, principal: Principal, thread_id: UUID | str, command: Send, *, key: str | None, body: Any
) -> Opened:
    """Open a run in a thread; where it shall interrupt those that write there, after they have ended.

    Raises what ``open_run`` raises, ModelUnknown, and Draining.
    """
    scope = f"runs {permissions.as_id(thread_id)}"
    return await _open(engine, principal, thread_id, command, _key(principal, key, body, scope))


async def chat(engine: Engine, principal: Principal, command: Chat, *, key: str | None, body: Any) -> Opened:
    """The short way in: in the thread that is named, or in a new one."""
    sending = Send(content=command.message, model=command.model)
    scope = f"chat {permissions.as_id(command.thread_id) if command.thread_id else ''}"
    return await _open(engine, principal, command.thread_id, sending, _key(principal, key, body, scope))


async def cancel(principal: Principal, run_id: UUID | str) -> Run:
    """Stop a run; asking again changes nothing."""
    return await sync_to_async(_cancel)(principal, run_id)


async def change(engine: Engine, principal: Principal, run_id: UUID | str, changes: WaitingChanges) -> Run:
    """Let a waiting send ask something else. Raises NotWaiting where it has begun or ended, and ModelUnknown where its
    model is no more for this person.
    """
    return await sync_to_async(_change)(engine, principal, run_id, changes)


async def find_run(principal: Principal, run_id: UUID | str) -> Run:
    return await sync_to_async(permissions.access_run)(principal, run_id, "read")


async def _open(
    engine: Engine, principal: Principal, thread_id: UUID | str | None, command: Send, key: Key | None
) -> Opened:
    if command.response_format is not None:
        await engine.checks(response_format.check, command.response_format)
    names = await _model_names(principal, thread_id, command)
    choose = await _choosing(engine, principal, names)
    deadline = asyncio.get_running_loop().time() + INTERRUPTED_WITHIN
    interrupted: UUID | None = None
    try:
        while True:
            if engine.supervisor.draining:
                raise Draining(retry_after_ms=2000)
            with engine.places(len(names)) as hands:
                opened = await sync_to_async(open_run)(
                    principal=principal,
                    thread_id=thread_id,
                    command=command,
                    choose=choose,
                    key=key,
                    max_waiting=engine.numbers.max_waiting,
                    hands=hands,
                )
            if isinstance(opened, Opened):
                return opened
            interrupted = opened.runs[0].thread_id
            await _interrupt(opened.runs, deadline)
            principal = await _still(principal)
    except Exception:
        if interrupted is not None:  # what waits was left to this send, which does not come
            await sync_to_async(start_waiting)(thread_id=interrupted)
        raise


async def _model_names(principal: Principal, thread_id: UUID | str | None, command: Send) -> Sequence[str]:
    """What the answers are asked from, by lane; the empty name is the default model."""
    if command.models or command.model or thread_id is None:
        return command.models or [command.model or ""]
    return [await sync_to_async(_model_of)(principal, thread_id, command)]


async def _still(principal: Principal) -> Principal:
    """Who this is by now. Raises NotAuthenticated where the way in is gone."""
    now = (await arecheck([principal]))[principal]
    if now is None:
        raise NotAuthenticated()
    return now


async def _interrupt(runs: Sequence[Run], deadline: float) -> None:
    """Stop the runs and return when they have ended, with all that was written kept. No thread is held meanwhile.

    Raises ThreadBusy where that takes too long; they are stopped all the same, and the request may be sent again.
    """
    for run in runs:
        with suppress(NotFound):
            await sync_to_async(cancel_run)(run=run, by="user", reason=INTERRUPTED)
    active = Run.objects.filter(pk__in=[run.pk for run in runs], status__in=ACTIVE)
    while asyncio.get_running_loop().time() < deadline:
        if not await sync_to_async(active.exists)():
            return
        await asyncio.sleep(LOOK_EVERY)
    raise ThreadBusy(STILL_STOPPING, retry_after_ms=1000)


async def _choosing(engine: Engine, principal: Principal, names: Sequence[str]) -> Choose:
    chosen: list[Choice] = []
    refusal: ModelUnknown | None = None
    try:
        for name in names:
            chosen.append(await engine.choose(name, principal))
    except ModelUnknown as unknown:
        refusal = unknown

    def choose() -> Sequence[Choice]:
        # Only now: a request that was carried out before is answered from its key, whatever became of the model.
        if refusal is not None:
            raise refusal
        return chosen

    return choose


def _model_of(principal: Principal, thread_id: UUID | str, command: Send) -> str:
    thread = permissions.access_thread(principal, thread_id, "chat")
    if command.go_on:
        with suppress(NotFound):  # which is not the time to say: the request may have been carried out before
            return permissions.access_message(principal, thread, command.go_on, "chat").model
    return thread.model


def _key(principal: Principal, key: str | None, body: Any, scope: str) -> Key | None:
    if key is None:
        return None
    return Key(user_id=principal.user_id, key=key, body_hash=body_hash(body, scope=scope))


def _cancel(principal: Principal, run_id: UUID | str) -> Run:
    run = permissions.access_run(principal, run_id, "chat")
    return cancel_run(run=run, by="user", reason="requested")


def _change(engine: Engine, principal: Principal, run_id: UUID | str, changes: WaitingChanges) -> Run:
    run = permissions.access_run(principal, run_id, "chat")
    if run.waiting and not engine.registry.admits(run.provider, principal):
        permissions.hidden_model(principal)
        raise ModelUnknown(details={"model": run.model, "nearest": []})
    return change_waiting(run=run, content=changes.content)


def head_of(run: Run) -> int:
    """The number of the run's last event."""
    head = RunLease.objects.filter(pk=run.pk).values_list("head", flat=True).first()
    return run.head if head is None else head


def events_url(run: Run) -> str:
    return f"/api/v1/runs/{run.pk}/events"


def side_by_side(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """The runs of several models: each run object, and where its events are."""
    return [{**wire.plain(wire.run_object(run)), "events_url": events_url(run)} for run in runs]


def token_expiry(principal: Principal) -> str | None:
    """When the principal's token ends, as a time of the wire; None where it does not."""
    if principal.token_id is None:
        return None
    expires = ApiToken.objects.filter(pk=principal.token_id).values_list("expires_at", flat=True).first()
    return wire.time(expires)

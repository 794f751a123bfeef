"""Deciding what a parked run asks, on behalf of a person: what both transports do, in one place."""

from functools import partial
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from chatserver.accounts.principal import Principal
from conversations import permissions, wire
from conversations.api.answers import json_answer
from conversations.models import Run
from conversations.services.run_decide import decide_approval
from streaming.engine.calls import Unfit, require_fit
from streaming.protocol.commands import Decide, parse
from streaming.protocol.errors import InvalidRequest
from streaming.tools.base import ToolError
from streaming.transports.answers import endpoint, json_body
from streaming.wiring import Engine, engine


@endpoint("POST")
async def decide(request: HttpRequest, principal: Principal, run_id: str, approval_id: str) -> HttpResponseBase:
    run = await decide_for(engine(), principal, run_id, approval_id, parse(json_body(request), Decide))
    return json_answer({"run": wire.run_object(run)})


async def decide_for(
    running: Engine, principal: Principal, run_id: UUID | str, approval_id: UUID | str, command: Decide
) -> Run:
    """Decide once, and return the run as it stands. Raises what ``decide_approval`` raises, and NotFound."""
    return await sync_to_async(_decide)(running, principal, run_id, approval_id, command)


def _decide(running: Engine, principal: Principal, run_id: UUID | str, approval_id: UUID | str, command: Decide) -> Run:
    return decide_approval(
        approval=permissions.access_approval(principal, run_id, approval_id, "chat"),
        decision=command.decision,
        arguments=command.arguments,
        note=command.note,
        by=principal.user_id,
        check=partial(_check, running),
    )


def _check(running: Engine, tool: str, arguments: dict[str, Any]) -> None:
    try:
        require_fit(arguments, running.limits)
        running.tools.check(tool, arguments)
    except (Unfit, ToolError) as fault:
        raise InvalidRequest(str(fault), details={"field": "arguments"}) from fault

"""Pulling models, for administrators: ask for one, look how far it is, stop it."""

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from chatserver.accounts.principal import Principal
from conversations import permissions, selectors, wire
from conversations.api.answers import json_answer
from conversations.models import ModelPull
from conversations.services.model_pulls import cancel_pull, open_pull
from streaming.protocol.commands import parse
from streaming.protocol.pulls import NewPull, pull_name
from streaming.transports.answers import endpoint, json_body, last_event, no_body
from streaming.transports.live import connections
from streaming.transports.pull_stream import ENDED, stream_pull
from streaming.wiring import engine


@endpoint("GET", "POST")
async def pulls(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    await sync_to_async(permissions.manage_models)(principal)
    if request.method == "POST":
        return await _ask(request, principal)
    found = await sync_to_async(selectors.pulls)()
    return json_answer({"results": [wire.pull_object(pull) for pull in found]})


@endpoint("GET")
async def one_pull(request: HttpRequest, principal: Principal, pull_id: str) -> HttpResponseBase:
    return _told(await _find(principal, pull_id))


@endpoint("POST")
async def cancel(request: HttpRequest, principal: Principal, pull_id: str) -> HttpResponseBase:
    """202 where it is about to end, 200 where it has."""
    pull = await _find(principal, pull_id)
    no_body(request)
    pull = await sync_to_async(cancel_pull)(pull=pull, username=principal.username)
    engine().puller.wished(pull.pk)
    return _told(pull, status=202 if pull.is_open else 200)


@endpoint("GET")
async def events(request: HttpRequest, principal: Principal, pull_id: str) -> HttpResponseBase:
    """How far it is, until its end. It counts as one of the user's streams, and ends with their rights."""
    pull = await _find(principal, pull_id)
    if not pull.is_open and last_event(request) >= ENDED:
        return HttpResponse(status=204)  # this, and only this, stops a browser's EventSource
    live = connections().admit(principal)
    return stream_pull(engine(), pull.pk, live, names=request.GET.get("names") != "0")


async def _ask(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """201 for a new one, 200 for the same that is under way."""
    asked = parse(json_body(request), NewPull)
    engine().keeper.store(asked.server, field="server")
    name = pull_name(asked.model, registries=settings.PULL_REGISTRIES)
    pull, new = await sync_to_async(open_pull)(
        user_id=principal.user_id, username=principal.username, server=asked.server, model=name
    )
    engine().puller.look()
    return _told(pull, status=201 if new else 200)


async def _find(principal: Principal, pull_id: str) -> ModelPull:
    return await sync_to_async(permissions.access_pull)(principal, pull_id)


def _told(pull: ModelPull, *, status: int = 200) -> HttpResponse:
    return json_answer({"pull": wire.pull_object(pull)}, status=status)

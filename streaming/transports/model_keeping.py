"""Loading, unloading and deleting models, for administrators. Nothing is asked back; a page does that."""

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from chatserver.accounts.principal import Principal
from conversations import permissions
from conversations.api.answers import json_answer
from streaming.engine.model_keeper import Asker
from streaming.protocol.commands import parse
from streaming.protocol.pulls import LoadModel, UnloadModel, split_name
from streaming.transports.answers import endpoint, json_body, no_body
from streaming.wiring import engine


@endpoint("POST")
async def load(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """200 when it is loaded; 202 where it takes longer: asking again waits on."""
    by = await _asker(principal)
    wanted = parse(json_body(request), LoadModel)
    server, model = split_name(wanted.model)
    loaded = await engine().keeper.load(server, model, keep_alive=wanted.keep_alive, by=by)
    return json_answer({"model": wanted.model, "loaded": loaded}, status=200 if loaded else 202)


@endpoint("POST")
async def unload(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    by = await _asker(principal)
    wanted = parse(json_body(request), UnloadModel)
    server, model = split_name(wanted.model)
    await engine().keeper.unload(server, model, by=by)
    return json_answer({"model": wanted.model, "loaded": False})


@endpoint("DELETE")
async def delete(request: HttpRequest, principal: Principal, name: str) -> HttpResponseBase:
    by = await _asker(principal)
    no_body(request)
    server, model = split_name(name)
    await engine().keeper.delete(server, model, by=by)
    return HttpResponse(status=204)


async def _asker(principal: Principal) -> Asker:
    await sync_to_async(permissions.manage_models)(principal)
    return Asker(user_id=principal.user_id, username=principal.username)

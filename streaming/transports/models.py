"""The models that can be chosen, and how their servers are."""

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from chatserver.accounts.principal import Principal
from conversations.api.answers import json_answer
from conversations.permissions import manage_models, require
from streaming.providers.base import ModelInfo
from streaming.transports.answers import endpoint
from streaming.wiring import engine


@endpoint("GET")
async def models(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    """With ``?all=1``, for who manages models, those too that cannot chat."""
    require(principal, "read")
    registry = engine().registry
    if request.GET.get("all") == "1":
        await sync_to_async(manage_models)(principal)
        found = await engine().keeper.models()
    else:
        found = await registry.models(principal)
    others = await registry.aliases(principal)
    return json_answer(
        {
            "results": [*map(_model, found), *(_model(model, alias) for alias, model in others)],
            "default": (await registry.default(settings.DEFAULT_MODEL, principal)).full_name,
            "servers": await registry.servers(principal),
        }
    )


def _model(model: ModelInfo, alias: str | None = None) -> dict[str, object]:
    return {
        "name": alias or model.full_name,
        "provider": model.provider,
        "model": model.name,
        "capabilities": list(model.capabilities),
        "context_length": model.context_length,
        "size_bytes": model.size_bytes,
        "parameter_size": model.parameter_size,
        "loaded": model.loaded,
        "demonstration": model.demonstration,
        "alias_of": None if alias is None else model.full_name,
    }

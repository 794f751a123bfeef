"""Addresses for tests of the edge: small views of every kind, before the true ones."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET

from chatserver.accounts.principal import aprincipal_of, principal_of
from streaming.protocol.errors import ThreadBusy

handler400 = "chatserver.errors.bad_request"
handler403 = "chatserver.errors.forbidden"
handler404 = "chatserver.errors.not_found"
handler500 = "chatserver.errors.server_error"


def _facts(request: HttpRequest, principal: Any) -> JsonResponse:
    if principal is None:
        return JsonResponse({"username": None})
    session = request.session.session_key
    return JsonResponse(
        {"username": principal.username, "via": principal.via, "scopes": sorted(principal.scopes), "session": session}
    )


async def who_async(request: HttpRequest) -> HttpResponse:
    return _facts(request, await aprincipal_of(request))


def who_sync(request: HttpRequest) -> HttpResponse:
    return _facts(request, principal_of(request))


@csrf_exempt
async def who_exempt(request: HttpRequest) -> HttpResponse:
    return _facts(request, await aprincipal_of(request))


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    principal = await aprincipal_of(request)

    async def parts() -> AsyncIterator[bytes]:
        for number in range(3):
            await asyncio.sleep(0)
            yield f"{principal and principal.username} {number}\n".encode()

    return StreamingHttpResponse(parts(), content_type="text/event-stream", headers={"Cache-Control": "no-cache"})


async def note(request: HttpRequest) -> HttpResponse:
    messages.info(request, "noted")
    return HttpResponse("noted")


async def remember(request: HttpRequest) -> HttpResponse:
    await request.session.aset("seen", (await request.session.aget("seen", 0)) + 1)
    return JsonResponse({"seen": await request.session.aget("seen")})


async def boom(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a secret sentence")


async def gone(request: HttpRequest) -> HttpResponse:
    raise Http404("a secret sentence")


async def busy(request: HttpRequest) -> HttpResponse:
    raise ThreadBusy(retry_after_ms=1500)


async def files(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"taken": True})


files.takes_files = True  # type: ignore[attr-defined]


@require_GET
def only_get(request: HttpRequest) -> HttpResponse:
    return JsonResponse({})


def sync_only(get_response: Any) -> Any:
    """A middleware of the slow kind."""
    return get_response


views = [
    path("who", who_async),
    path("who-sync", who_sync),
    path("who-exempt", who_exempt),
    path("stream", stream),
    path("note", note),
    path("remember", remember),
    path("boom", boom),
    path("gone", gone),
    path("busy", busy),
    path("files", files),
    path("only-get", only_get),
]
urlpatterns = [
    path("api/", include(views)),
    path("page/", include(views)),
    path("metrics", who_async),
    path("", who_sync),
    path("", include("chatserver.urls")),
]

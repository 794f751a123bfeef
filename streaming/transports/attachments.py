"""Files over HTTP: attach, look, fetch, remove. Taking them apart and storing them happens in threads of its own."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.files.base import File
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from chatserver.accounts.principal import Principal
from conversations import permissions, wire
from conversations.api.answers import json_answer
from conversations.api.files import FileStream, as_file
from conversations.api.idempotency import take_key
from conversations.attachments import files
from conversations.models import Attachment
from conversations.services import attachments as verbs
from streaming.protocol.errors import ChatError
from streaming.transports.answers import endpoint
from streaming.transports.uploads import Places, Turns, receive
from streaming.wiring import Engine, engine

ADDRESS = "/api/v1/attachments"
AROUND_A_FILE = 64 * 1024  # bytes of a form beside the file in it
_places, _turns = Places(), Turns()


@endpoint("POST", takes_files=True)
async def upload(request: HttpRequest, principal: Principal) -> HttpResponseBase:
    permissions.require(principal, "chat")
    key = take_key(request.headers, None)
    with _places.taken(principal.user_id):
        turn = _turns.of(principal.user_id)
        work = partial(
            receive,
            request,
            owner_id=principal.user_id,
            key=key,
            most=settings.MAX_ATTACHMENT,
            quota=settings.ATTACHMENTS_QUOTA,
        )
        async with turn:
            attachment, replayed = await _to_its_end(engine(), work)
    answer = json_answer(_told(attachment), status=201)
    answer["Location"] = f"{ADDRESS}/{attachment.pk}"
    if replayed:
        answer["Idempotency-Replayed"] = "true"
    return answer


@endpoint("GET", "DELETE")
async def one(request: HttpRequest, principal: Principal, attachment_id: str) -> HttpResponseBase:
    scope: permissions.Scope = "read" if request.method == "GET" else "chat"
    attachment = await sync_to_async(permissions.access_attachment)(principal, attachment_id, scope)
    if request.method == "DELETE":
        await engine().uploads(verbs.delete_attachment, attachment=attachment)
        return HttpResponse(status=204)
    return json_answer(_told(attachment))


@endpoint("GET")
async def content(request: HttpRequest, principal: Principal, attachment_id: str) -> HttpResponseBase:
    attachment = await sync_to_async(permissions.access_attachment)(principal, attachment_id, "read")
    running = engine()
    first, rest = await running.files(files.begin, attachment.pk, "content")
    if rest is None:
        return as_file(attachment, first)
    return FileStream(attachment, _pieces(running, attachment.pk, first, rest), rest.close)


async def _pieces(running: Engine, id: UUID, first: bytes, rest: "File[bytes]") -> AsyncGenerator[bytes, None]:
    piece = first
    while piece:
        yield piece
        try:
            piece = await running.files(files.go_on, id, rest)
        except ChatError:  # it is in the log; that it is cut short shows by its length
            return


def _told(attachment: Attachment) -> dict[str, Any]:
    return {**wire.plain(wire.attachment_object(attachment)), "url": f"{ADDRESS}/{attachment.pk}/content"}


async def _to_its_end(running: Engine, work: Callable[[], tuple[Attachment, bool]]) -> tuple[Attachment, bool]:
    """The result of work in a thread, which goes on when the client has gone: until its end it has the request's files,
    and its place.
    """
    task = running.tasks.spawn(running.uploads(work), name="upload", awaited=True)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise

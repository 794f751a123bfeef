"""Threads and what was said in them."""

from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chatserver.accounts.principal import Principal
from conversations import permissions, selectors, wire
from conversations.api import requests
from conversations.api.endpoints import endpoint
from conversations.api.idempotency import take_key
from conversations.models import Message, Thread
from conversations.selectors import MessagePage, UnderWay
from conversations.services import threads as verbs
from conversations.services.idempotency import Key
from conversations.services.messages import delete_message
from streaming.protocol.commands import NewThread, ThreadChanges, body_hash, parse


class Threads(APIView):
    metadata_class = None

    def get(self, request: Request) -> Response:
        principal = requests.principal(request)
        permissions.require(principal, "read")
        # Before the list: whatever happens in between is then told by the feed as well, not missed.
        feed_cursor = selectors.feed_cursor(principal.user_id)
        page = selectors.thread_page(
            owner_id=principal.user_id,
            cursor=requests.cursor(request),
            archived=requests.flag(request, "archived"),
            words=requests.search_words(request),
        )
        results = [wire.plain(wire.thread_object(thread, page.under_way[thread.pk])) for thread in page.threads]
        return Response({"results": results, "next": page.next, "feed_cursor": feed_cursor})

    def post(self, request: Request) -> Response:
        principal = requests.principal(request)
        permissions.require(principal, "chat")
        body = request.data  # our parser's own plain values, made for this request
        text = take_key(request.headers, body)
        command = parse(body, NewThread)
        key = Key(user_id=principal.user_id, key=text, body_hash=body_hash(body, scope="threads")) if text else None
        thread, replayed = verbs.create_thread(owner_id=principal.user_id, command=command, key=key)
        made = _as_object(thread) if replayed else wire.plain(wire.thread_object(thread, UnderWay()))
        answer = Response(made, status=201)
        if replayed:
            answer["Idempotency-Replayed"] = "true"
        return answer


class OneThread(APIView):
    metadata_class = None

    def get(self, request: Request, thread_id: str) -> Response:
        return Response(_as_object(permissions.access_thread(requests.principal(request), thread_id, "read")))

    def patch(self, request: Request, thread_id: str) -> Response:
        principal = requests.principal(request)
        thread = permissions.access_thread(principal, thread_id, "chat")
        changes = wire.plain(parse(request.data, ThreadChanges))  # leaves out what was not named
        head = changes.pop("head", None)
        shown = None if head is None else permissions.access_message(principal, thread, head, "chat")
        return Response(_as_object(verbs.update_thread(thread=thread, changes=changes, shown=shown)))

    @property
    def allowed_methods(self) -> list[str]:
        return [*super().allowed_methods, "DELETE"]


_plain_verbs = sync_to_async(OneThread.as_view())


async def one_thread(request: HttpRequest, thread_id: str) -> HttpResponseBase:
    """One address for both kinds of views: deleting waits for runs to end, which DRF could only do in a thread."""
    if request.method == "DELETE":
        return await _delete(request, thread_id)
    return await _plain_verbs(request, thread_id=thread_id)


@endpoint("DELETE")
async def _delete(request: HttpRequest, principal: Principal, thread_id: str) -> HttpResponseBase:
    thread = await sync_to_async(permissions.access_thread)(principal, thread_id, "chat")
    undoable = settings.UNDO_DELETE > 0 and not requests.flag(request, "now")
    await verbs.delete_thread(thread=thread, undoable=undoable)
    return HttpResponse(status=204)


class Restored(APIView):
    metadata_class = None

    def post(self, request: Request, thread_id: str) -> Response:
        thread = permissions.access_deleted_thread(requests.principal(request), thread_id, "chat")
        return Response(_as_object(verbs.restore_thread(thread=thread, kept=settings.UNDO_DELETE)))


class Messages(APIView):
    metadata_class = None

    def get(self, request: Request, thread_id: str) -> Response:
        thread = permissions.access_thread(requests.principal(request), thread_id, "read")
        page = selectors.message_page(thread=thread, cursor=requests.cursor(request))
        return Response(
            {
                "results": [_listed(message, page) for message in page.messages],
                "beside": [_listed(message, page) for message in page.beside],
                "steps": [wire.plain(wire.step_object(step)) for step in page.steps],
                "runs": [wire.plain(wire.run_object(run)) for run in page.runs],
                "waiting": [wire.plain(wire.run_object(run)) for run in selectors.waiting_runs(thread_id=thread.pk)],
                "next": page.next,
            }
        )


class OneMessage(APIView):
    metadata_class = None

    def delete(self, request: Request, thread_id: str, message_id: str) -> Response:
        principal = requests.principal(request)
        thread = permissions.access_thread(principal, thread_id, "chat")
        message = permissions.access_message(principal, thread, message_id, "chat")
        delete_message(thread=thread, message_id=message.pk)
        return Response(status=204)


def _listed(message: Message, page: MessagePage) -> Any:
    return wire.plain(wire.listed_message(message, page.versions[message.pk]))


def _as_object(thread: Thread) -> Any:
    return wire.plain(wire.thread_object(thread, selectors.under_way([thread.pk])[thread.pk]))

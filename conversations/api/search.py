from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from conversations import permissions, selectors, wire
from conversations.api import requests


class Search(APIView):
    """The asker's own messages, by the words in them."""

    metadata_class = None

    def get(self, request: Request) -> Response:
        principal = requests.principal(request)
        permissions.require(principal, "read")
        page = selectors.search_page(
            owner_id=principal.user_id, words=requests.search_words(request), cursor=requests.cursor(request)
        )
        return Response({"results": [_result(found) for found in page.found], "next": page.next})


def _result(found: selectors.Found) -> dict[str, Any]:
    message = found.message
    return {
        "thread_id": str(message.thread_id),
        "title": message.thread.title,
        "message_id": str(message.pk),
        "role": message.role,
        "created_at": wire.time(message.created_at),
        "excerpt": found.excerpt.text,
        "hits": found.excerpt.hits,
    }

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from conversations import permissions, selectors, wire
from conversations.api import requests


class AccessRecords(APIView):
    """Who of the staff opened the asker's own transcripts, when and why."""

    metadata_class = None

    def get(self, request: Request) -> Response:
        principal = requests.principal(request)
        permissions.require(principal, "read")
        page = selectors.access_page(owner_id=principal.user_id, cursor=requests.cursor(request))
        results = [
            {
                "id": str(record.pk),
                "thread_id": str(record.thread_id),
                "thread_title": record.thread_title,
                "staff": record.staff_name,
                "reason": record.reason,
                "at": wire.time(record.at),
            }
            for record in page.records
        ]
        return Response({"results": results, "next": page.next})

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest

from conversations.models import Run, Thread
from streaming.protocol.lifecycle import ACTIVE, RunStatus


class RunStatusFilter(admin.SimpleListFilter):
    """Threads by how their runs stand or ended."""

    title = "status of its runs"
    parameter_name = "run_status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("active", "any that is under way"), *((status.value, status.value) for status in RunStatus)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Thread]) -> QuerySet[Thread]:
        wanted = self.value()
        if not wanted:
            return queryset
        statuses = ACTIVE if wanted == "active" else [wanted]
        return queryset.filter(Exists(Run.objects.filter(thread=OuterRef("pk"), status__in=statuses)))

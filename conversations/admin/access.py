from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from conversations.admin.read_only import ReadOnlyAdmin, may_read
from conversations.admin.search import found
from conversations.models import AccessRecord

FIELDS = ["at", "staff_name", "owner_name", "reason", "thread_id", "thread_title"]
SEARCHED = ["staff_name", "owner_name", "reason"]


@admin.register(AccessRecord)
class AccessRecordAdmin(ReadOnlyAdmin):
    """Who looked at what. For good: neither here nor elsewhere is a record changed or removed."""

    list_display = ["at", "staff_name", "owner_name", "reason", "thread_id"]
    list_filter = ["at"]
    open_lookups = frozenset({"at", "staff__id__exact", "owner__id__exact"})
    ordering = ["-at"]
    date_hierarchy = "at"
    search_fields = SEARCHED
    fields = (*FIELDS,)
    readonly_fields = (*FIELDS,)

    def get_fields(self, request: HttpRequest, obj: AccessRecord | None = None) -> list[Any]:
        return [name for name in FIELDS if name != "thread_title" or may_read(request.user)]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AccessRecord], search_term: str
    ) -> tuple[QuerySet[AccessRecord], bool]:
        return found(queryset, search_term, SEARCHED, None), False

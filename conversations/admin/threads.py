from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations import selectors
from conversations.admin import transcript
from conversations.admin.filters import ModelFilter, RunStatusFilter
from conversations.admin.read_only import ReadOnlyAdmin, may_read, require_transcripts
from conversations.admin.search import found, said_in_thread
from conversations.models import Thread

COLUMNS = ["shown_title", "owner", "model", "run_count", "last_status", "updated_at", "created_at"]
SEARCHED = ["owner__username", "owner__email", "model"]


@admin.register(Thread)
class ThreadAdmin(ReadOnlyAdmin):
    list_display = (*COLUMNS,)
    list_select_related = ()  # asked for by itself: joined, it may be what the list is sorted after
    list_filter = [RunStatusFilter, "updated_at", "created_at", "archived", ModelFilter]
    open_lookups = frozenset(
        {"updated_at", "created_at", "archived", "model", "owner__id__exact", RunStatusFilter.parameter_name}
    )
    ordering = ["-updated_at", "-id"]
    search_fields = SEARCHED
    search_help_text = _("A person, a model; a title or what was said, where you may read transcripts.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Thread]:
        rows: QuerySet[Thread] = super().get_queryset(request)
        return rows.defer("system_prompt", "parameters", "share_digest").prefetch_related("owner")

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        shown = super().get_changelist_instance(request)
        # Of the rows of this page alone: in the list's own query it might be found out for all that there are.
        runs = selectors.runs_of([thread.pk for thread in shown.result_list])
        for thread in shown.result_list:
            thread.runs_in_it, thread.last_run = runs[thread.pk]
        return shown

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [*COLUMNS] if may_read(request.user) else ["short_id", *COLUMNS[1:]]

    def get_list_display_links(self, request: HttpRequest, list_display: Sequence[Any]) -> Any:
        return ["shown_title"] if may_read(request.user) else None

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Thread], search_term: str
    ) -> tuple[QuerySet[Thread], bool]:
        text = said_in_thread if may_read(request.user) else None
        return found(queryset, search_term, SEARCHED, text), False

    @admin.display(description=_("title"), ordering="title")
    def shown_title(self, thread: Thread) -> str:
        return thread.title or gettext("Untitled")

    @admin.display(description=_("thread"), ordering="id")
    def short_id(self, thread: Thread) -> str:
        return str(thread.pk)

    @admin.display(description=_("runs"))
    def run_count(self, thread: Any) -> int:
        return int(thread.runs_in_it)

    @admin.display(description=_("last run"))
    def last_status(self, thread: Any) -> str:
        return thread.last_run or "none"

    # --- a thread's page is its transcript -------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.transcript_view)
        return [
            path("<uuid:thread_id>/transcript/", view, name="conversations_thread_transcript"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        require_transcripts(request)
        return redirect("admin:conversations_thread_transcript", thread_id=object_id)

    def transcript_view(self, request: HttpRequest, thread_id: UUID) -> HttpResponseBase:
        require_transcripts(request)
        return transcript.answer(request, thread_id, {**self.admin_site.each_context(request), "opts": self.opts})

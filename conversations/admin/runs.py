from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from conversations.admin.filters import ErrorCodeFilter, ModelFilter, ProviderFilter
from conversations.admin.moments import seconds
from conversations.admin.read_only import ReadOnlyAdmin, may_read
from conversations.admin.search import MOST_WORDS, run_with
from conversations.models import Run
from streaming.protocol.lifecycle import ACTIVE

COLUMNS = [
    "created_at", "transcript", "owner", "model", "status", "took", "first_token", "tokens", "error_code",
]  # fmt: skip
# No texts: not the question, not the answer, not what a waiting send would ask, not parameters.
FIELDS = [
    "id", "owner", "transcript", "provider", "model", "status", "lane", "attempt", "finish_reason", "error_code",
    "log_id", "cancel_by", "cancel_reason", "cancel_requested_at", "created_at", "started_at", "first_token_at",
    "finished_at", "took", "first_token", "speed", "tokens",
]  # fmt: skip
SEARCHED = ["owner__username", "owner__email", "model", "error_code"]


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = (*COLUMNS,)
    list_select_related = ()  # asked for by itself: joined, it may be what the list is sorted after
    list_filter = ["status", "created_at", ProviderFilter, ModelFilter, ErrorCodeFilter]
    sortable_by = ["created_at"]  # the rest would sort a million rows
    open_lookups = frozenset(
        {"status", "created_at", "provider", "model", "error_code", "owner__id__exact", "thread__id__exact"}
    )
    ordering = ["-created_at"]
    search_fields = SEARCHED
    search_help_text = _("A person, a model or an error's code.")
    fields = (*FIELDS,)
    readonly_fields = (*FIELDS,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        rows: QuerySet[Run] = super().get_queryset(request)
        rows = rows.filter(thread__deleted_at=None)
        return rows.defer("request", "system_prompt", "opening_events", "closing_events").prefetch_related("owner")

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return _for(request, COLUMNS)

    def get_fields(self, request: HttpRequest, obj: Run | None = None) -> list[Any]:
        return _for(request, FIELDS)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Run], search_term: str
    ) -> tuple[QuerySet[Run], bool]:
        for word in search_term.split()[:MOST_WORDS]:
            queryset = queryset.filter(run_with(word))
        return queryset, False

    @admin.display(description=_("took"))
    def took(self, run: Run) -> str:
        """How long it has been at work, or was: for a queued run, how long it has waited."""
        begun = run.started_at or run.created_at
        ended = timezone.now() if run.status in ACTIVE else run.finished_at
        return seconds(None if ended is None else (ended - begun).total_seconds() * 1000)

    @admin.display(description=_("first token"))
    def first_token(self, run: Run) -> str:
        return seconds((run.timing or {}).get("first_token_ms"))

    @admin.display(description=_("tokens per second"))
    def speed(self, run: Run) -> str:
        value = (run.timing or {}).get("tokens_per_second")
        return "–" if value is None else f"{value:.1f}"

    @admin.display(description=_("tokens in → out"))
    def tokens(self, run: Run) -> str:
        usage = run.usage or {}
        asked, answered = usage.get("prompt_tokens"), usage.get("completion_tokens")
        return f"{'–' if asked is None else asked} → {'–' if answered is None else answered}"

    @admin.display(description=_("log id"))
    def log_id(self, run: Run) -> str:
        return (run.error or {}).get("log_id") or "–"

    @admin.display(description=_("transcript"))
    def transcript(self, run: Run) -> Any:
        page = reverse("admin:conversations_thread_transcript", args=[run.thread_id])
        return format_html('<a href="{}?leaf={}#run-{}">open</a>', page, run.answer_id or "", run.pk)


def _for(request: HttpRequest, columns: Sequence[str]) -> list[str]:
    return [column for column in columns if column != "transcript" or may_read(request.user)]

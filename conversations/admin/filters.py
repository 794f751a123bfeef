from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations import selectors
from conversations.models import ModelServer, Run, Thread
from streaming.protocol.lifecycle import ACTIVE, RunStatus


class RunStatusFilter(admin.SimpleListFilter):
    """Threads by how their runs stand or ended."""

    title = _("status of its runs")
    parameter_name = "run_status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("active", gettext("any that is under way")), *((status.value, status.value) for status in RunStatus)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Thread]) -> QuerySet[Thread]:
        wanted = self.value()
        if not wanted:
            return queryset
        statuses = ACTIVE if wanted == "active" else [wanted]
        return queryset.filter(Exists(Run.objects.filter(thread=OuterRef("pk"), status__in=statuses)))


class ModelFilter(admin.SimpleListFilter):
    """By one of the models that have answered."""

    title, parameter_name = _("model"), "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(name, name) for name in selectors.known_values("model")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value()
        return queryset if wanted is None else queryset.filter(model=wanted)


class ErrorCodeFilter(admin.SimpleListFilter):
    """By one of the errors that have happened."""

    title, parameter_name = _("error code"), "error_code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(code, code) for code in selectors.known_values("error_code")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value()
        return queryset if wanted is None else queryset.filter(error_code=wanted)


class ProviderFilter(admin.SimpleListFilter):
    """By a model server."""

    title, parameter_name = _("model server"), "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(name, name) for name in ModelServer.objects.order_by("name").values_list("name", flat=True)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value()
        return queryset if wanted is None else queryset.filter(provider=wanted)

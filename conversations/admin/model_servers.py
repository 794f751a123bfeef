from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest

from conversations import selectors
from conversations.admin.read_only import ReadOnlyAdmin
from conversations.models import ModelServer

NO_LIMIT = "no limit"


@admin.register(ModelServer)
class ModelServerAdmin(ReadOnlyAdmin):
    """How many runs a model server may have at once. Which servers there are, and where, the configuration says."""

    list_display = ["name", "kind", "at_once", "running", "waiting"]
    ordering = ["name"]
    fields = ["name", "kind", "max_parallel", "running", "waiting"]
    readonly_fields = ["name", "kind", "running", "waiting"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    def save_model(self, request: HttpRequest, obj: ModelServer, form: Any, change: bool) -> None:
        obj.save(update_fields=["max_parallel", "updated_at"])

    @admin.display(description="runs at once")
    def at_once(self, server: ModelServer) -> str:
        if server.max_parallel is None:
            return f"{settings.MAX_PARALLEL or NO_LIMIT} (MAX_PARALLEL)"
        return str(server.max_parallel or NO_LIMIT)

    @admin.display(description="at work now")
    def running(self, server: ModelServer) -> int:
        return selectors.held_at([server.name]).count()

    @admin.display(description="waiting in line")
    def waiting(self, server: ModelServer) -> int:
        return sum(load.waiting for load in selectors.loads() if load.server == server.name)

from django.contrib import admin

from conversations.admin.read_only import ReadOnlyAdmin
from conversations.models import ModelPull

_SHOWN = (
    *("model", "server", "status", "message", "completed", "total", "attempt", "error"),
    *("by_name", "cancelled_by", "created_at", "started_at", "finished_at"),
)


@admin.register(ModelPull)
class ModelPullAdmin(ReadOnlyAdmin):
    """Who had which model pulled, and what became of it. It is asked for and stopped on the page of models."""

    list_display = ["model", "server", "status", "by_name", "cancelled_by", "created_at", "finished_at"]
    ordering = ["-created_at"]
    fields = _SHOWN
    readonly_fields = _SHOWN

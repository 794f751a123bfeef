"""Conversations in the administration: everything is read only, and text is shown on record only."""

from django.contrib import admin

from conversations.admin.access import AccessRecordAdmin
from conversations.admin.runs import RunAdmin
from conversations.admin.threads import ThreadAdmin

__all__ = ["AccessRecordAdmin", "RunAdmin", "ThreadAdmin"]

admin.site.site_header = admin.site.site_title = "chatserver administration"
admin.site.index_title = "People, threads and runs"

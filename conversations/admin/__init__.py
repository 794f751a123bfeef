"""Conversations in the administration: read only but for model servers and their aliases, and text is shown on record
only.
"""

from django.contrib import admin

from conversations.admin.access import AccessRecordAdmin
from conversations.admin.model_pulls import ModelPullAdmin
from conversations.admin.model_servers import ModelAliasAdmin, ModelServerAdmin
from conversations.admin.runs import RunAdmin
from conversations.admin.threads import ThreadAdmin

__all__ = ["AccessRecordAdmin", "ModelAliasAdmin", "ModelPullAdmin", "ModelServerAdmin", "RunAdmin", "ThreadAdmin"]

admin.site.site_header = admin.site.site_title = "chatserver administration"
admin.site.index_title = "People, threads, runs and model servers"

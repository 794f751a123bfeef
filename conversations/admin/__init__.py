"""Conversations in the administration: read only but for model servers and their aliases, and text is shown on record
only.
"""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from conversations.admin.access import AccessRecordAdmin
from conversations.admin.model_pulls import ModelPullAdmin
from conversations.admin.model_servers import ModelAliasAdmin, ModelServerAdmin
from conversations.admin.runs import RunAdmin
from conversations.admin.threads import ThreadAdmin

__all__ = ["AccessRecordAdmin", "ModelAliasAdmin", "ModelPullAdmin", "ModelServerAdmin", "RunAdmin", "ThreadAdmin"]

admin.site.site_header = admin.site.site_title = _("chatserver administration")
admin.site.index_title = _("People, threads, runs and model servers")

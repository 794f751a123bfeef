from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from conversations import signals


class ConversationsConfig(AppConfig):
    name = "conversations"
    verbose_name = _("Conversations")

    def ready(self) -> None:
        signals.connect()

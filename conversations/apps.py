from django.apps import AppConfig

from conversations import signals


class ConversationsConfig(AppConfig):
    name = "conversations"
    verbose_name = "Conversations"

    def ready(self) -> None:
        signals.connect()

from django.apps import AppConfig

from chatserver.accounts import signals


class AccountsConfig(AppConfig):
    name = "chatserver.accounts"
    label = "accounts"
    verbose_name = "People"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        signals.connect()

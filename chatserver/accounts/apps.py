from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from chatserver.accounts import signals


class AccountsConfig(AppConfig):
    name = "chatserver.accounts"
    label = "accounts"
    verbose_name = _("People")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        signals.connect()

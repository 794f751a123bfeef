from typing import Final, Literal, get_args

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chatserver.ids import new_id

Scope = Literal["read", "chat", "manage"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)


class ApiToken(models.Model):
    """A program's way in. The secret is shown once, when it is made; here stands only its digest."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100, blank=True)
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)  # SHA-256 is enough: the secret has 256 random bits
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("API token")

    def __str__(self) -> str:
        return f"{self.name or 'token'} (chat_{self.prefix}_…)"

    @property
    def is_live(self) -> bool:
        """Neither revoked nor expired; whether its user is active is another question."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())

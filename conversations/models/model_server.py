from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chatserver.ids import new_id
from chatserver.model_servers import MAX_MODEL


class ModelServer(models.Model):
    """A model server, and the row by which claims of it are serialised. Those that the settings name have one too."""

    class Audience(models.TextChoices):
        EVERYBODY = "everybody", _("everybody")
        STAFF = "staff", _("the staff")
        GROUPS = "groups", _("the groups below")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.SlugField(max_length=100, unique=True, help_text=_("How its models' names begin: name/model."))
    kind = models.CharField(max_length=20)
    # The defaults of the database are for processes of the version before, which go on while this one is started.
    # Made in the administration. Of all others kind, address, key and audience are the settings' matter.
    managed = models.BooleanField(default=False, db_default=False, editable=False)
    url = models.CharField(_("address"), max_length=500, blank=True, default="")
    encrypted_key = models.BinaryField(null=True, blank=True)  # sealed for this row and the origin of its address
    max_parallel = models.PositiveIntegerField(
        _("runs at once"),
        null=True,
        blank=True,
        help_text=_(
            "How many answers it may give at once, all processes together; more wait in line. 0 is no limit; "
            "empty is what the setting MAX_PARALLEL says."
        ),
    )
    enabled = models.BooleanField(
        default=True, help_text=_("Switched off, its models are unknown, and what waits for them fails.")
    )
    audience = models.CharField(
        _("who may use it"), max_length=10, choices=Audience, default=Audience.EVERYBODY, db_default="everybody"
    )
    groups = models.ManyToManyField(
        "auth.Group", blank=True, related_name="+", help_text=_("Administrators always may.")
    )
    health = models.JSONField(default=dict, blank=True)  # see services/model_servers.py
    capabilities = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name


class ModelAlias(models.Model):
    """Another name for a model. The one called ``default`` is what is asked where nobody names a model."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(
        max_length=MAX_MODEL,
        unique=True,
        help_text=_(
            "A word such as fast, or two with a / between them. default is the model that is asked where none is named."
        ),
    )
    target = models.CharField(_("model"), max_length=MAX_MODEL, help_text=_("In full, such as office/llama3.2:3b."))

    class Meta:
        verbose_name_plural = _("model aliases")

    def __str__(self) -> str:
        return self.name


class LearnedModel(models.Model):
    """What a model was seen to do, by its full name: whether it goes on with an answer that it had begun."""

    name = models.CharField(max_length=301, primary_key=True)
    continues = models.BooleanField()
    learned_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {'continues' if self.continues else 'does not continue'}"

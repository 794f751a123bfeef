from datetime import datetime
from typing import Any

from django.db import models


class MillisecondField(models.DateTimeField):  # type: ignore[type-arg]  # not subscriptable when it runs
    """Kept to the millisecond, as the wire tells it: what is in order here is in order for whoever is told, too."""

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return value.replace(microsecond=value.microsecond // 1000 * 1000) if isinstance(value, datetime) else value

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.DateTimeField", args, kwargs  # nothing that the database knows of

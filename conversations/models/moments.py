from datetime import datetime
from typing import Any

from django.db import models


class MillisecondField(models.DateTimeField):  # type: ignore[type-arg]  # not subscriptable when it runs
    """Kept to the millisecond, as the wire tells it: what is in order here is in order for whoever is told, too."""

    def get_prep_value(self, value: Any) -> Any:
        return _whole(super().get_prep_value(value))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = _whole(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, value)  # the object that was saved says what was saved
        return value

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.DateTimeField", args, kwargs  # nothing that the database knows of


def _whole(value: Any) -> Any:
    return value.replace(microsecond=value.microsecond // 1000 * 1000) if isinstance(value, datetime) else value

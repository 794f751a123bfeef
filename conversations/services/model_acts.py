"""What an administrator did to the models of a server, on record: in the log, and in the administration's history of
that server.
"""

from typing import Literal
from uuid import UUID

import structlog
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType

from conversations.database import verb
from conversations.models import ModelServer

log = structlog.get_logger(__name__)
Act = Literal["loaded", "unloaded", "deleted"]


@verb
def record_model_act(*, user_id: UUID, username: str, server: str, model: str, act: Act) -> None:
    """Write down who did what, after it was done."""
    row = ModelServer.objects.filter(name=server).first()
    LogEntry.objects.create(
        user_id=user_id,
        content_type=ContentType.objects.get_for_model(ModelServer),
        object_id=None if row is None else str(row.pk),
        object_repr=server[:200],
        action_flag=CHANGE,
        change_message=f"The model {model} was {act}.",
    )
    log.info(f"model_{act}", server=server, model=model, by=username)

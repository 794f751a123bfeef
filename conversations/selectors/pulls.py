from uuid import UUID

from conversations.models import ModelPull
from streaming.protocol.pulls import OPEN

ENDED_SHOWN = 50


def pulls() -> list[ModelPull]:
    """Those under way, oldest first, then the latest that have ended. Two queries; as many rows as may be open and
    these.
    """
    rows = ModelPull.objects.all()
    under_way = rows.filter(status__in=OPEN).order_by("created_at", "pk")
    ended = rows.exclude(status__in=OPEN).order_by("-created_at", "-pk")
    return [*under_way, *ended[:ENDED_SHOWN]]


def pull(pull_id: UUID) -> ModelPull | None:
    return ModelPull.objects.filter(pk=pull_id).first()

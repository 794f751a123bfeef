"""What models are seen to do: whether they go on with an answer that they had begun."""

from collections.abc import Collection
from datetime import timedelta

from django.utils import timezone

from conversations.database import verb
from conversations.models import LearnedModel

# One that did not may after its server was updated, and the judgement of one answer may be wrong: it is tried again.
DOUBT = timedelta(hours=1)
MOST_NAME = 301


def continues(*, model: str) -> bool | None:
    """None where that is not known, or no longer."""
    learned = LearnedModel.objects.filter(pk=model).first()
    if learned is None or (not learned.continues and learned.learned_at < timezone.now() - DOUBT):
        return None
    return learned.continues


def continuing_models(*, among: Collection[str]) -> set[str]:
    return set(LearnedModel.objects.filter(pk__in=among, continues=True).values_list("pk", flat=True))


@verb
def learn(*, model: str, continues: bool) -> None:
    """Remember what was seen last."""
    if len(model) > MOST_NAME:
        return
    LearnedModel.objects.update_or_create(pk=model, defaults={"continues": continues, "learned_at": timezone.now()})


@verb
def prune(*, most: int) -> int:
    """Forget what is in doubt; returns how many. What is known for good is one short row a model."""
    doubtful = LearnedModel.objects.filter(continues=False, learned_at__lt=timezone.now() - DOUBT)
    names = list(doubtful.values_list("pk", flat=True)[:most])
    return LearnedModel.objects.filter(pk__in=names).delete()[0]

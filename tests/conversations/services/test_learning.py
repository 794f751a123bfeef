from datetime import timedelta

import pytest
from django.utils import timezone

from conversations.models import LearnedModel
from conversations.services.learning import DOUBT, continues, continuing_models, learn, prune

pytestmark = pytest.mark.django_db


def age(by: timedelta) -> None:
    LearnedModel.objects.update(learned_at=timezone.now() - by)


def test_what_was_seen_last_counts() -> None:
    assert continues(model="ollama/a") is None
    learn(model="ollama/a", continues=True)
    assert continues(model="ollama/a") is True
    learn(model="ollama/a", continues=False)
    assert continues(model="ollama/a") is False


def test_a_no_is_in_doubt_after_a_while_a_yes_is_not() -> None:
    learn(model="no", continues=False)
    learn(model="yes", continues=True)
    age(DOUBT + timedelta(seconds=1))
    assert (continues(model="no"), continues(model="yes")) == (None, True)
    assert (prune(most=9), LearnedModel.objects.get().pk) == (1, "yes")


def test_those_that_go_on_are_told_in_one_question() -> None:
    learn(model="no", continues=False)
    learn(model="yes", continues=True)
    assert continuing_models(among={"no", "yes", "unknown"}) == {"yes"}


def test_a_name_that_is_longer_than_any_model_s_is_not_remembered() -> None:
    learn(model="x" * 1000, continues=True)
    assert not LearnedModel.objects.exists()

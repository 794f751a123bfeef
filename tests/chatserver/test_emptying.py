from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command

from tests.support.stored import answer, ask


@pytest.mark.django_db(transaction=True)
def test_the_next_test_finds_a_database_as_it_was_migrated(user: Any) -> None:
    answer(ask(user).run)
    made = [Permission.objects.count(), ContentType.objects.count()]
    call_command("flush", interactive=False, verbosity=0)
    left = {model for model in apps.get_models(include_auto_created=True) if model._default_manager.exists()}
    assert left == {Permission, ContentType}
    assert made == [Permission.objects.count(), ContentType.objects.count()]
    assert all(made)

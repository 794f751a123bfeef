from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

LOOK = ["view_thread", "view_run", "view_accessrecord"]


def grant(person: Any, *codenames: str) -> Any:
    person.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return type(person).objects.get(pk=person.pk)  # without the permissions that this one has cached


@pytest.fixture
def overseer(staff: Any) -> Client:
    """Of the staff: sees the lists, may not read what was said."""
    client = Client()
    client.force_login(grant(staff, *LOOK))
    return client


@pytest.fixture
def reader(other_user: Any) -> Client:
    """Of the staff: sees the lists and may read transcripts."""
    other_user.is_staff = True
    other_user.save()
    client = Client()
    client.force_login(grant(other_user, *LOOK, "read_transcripts"))
    return client

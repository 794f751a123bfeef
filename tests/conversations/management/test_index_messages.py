import io
from typing import Any

import pytest
from django.core.management import call_command

from conversations import selectors
from conversations.models import SearchEntry
from tests.support.stored import answer, ask

pytestmark = pytest.mark.django_db


def said() -> str:
    out = io.StringIO()
    call_command("index_messages", stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_what_the_search_misses_is_found_again(user: Any) -> None:
    answer(ask(user, "quokka").run, "wombat")
    SearchEntry.objects.all().delete()
    assert said() == "Added 2 messages to the index.\n"
    assert said() == "Added 0 messages to the index.\n"
    assert len(selectors.search_page(owner_id=user.pk, words="wombat", cursor=None).found) == 1

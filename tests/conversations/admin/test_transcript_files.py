"""The files of a conversation, for who may read it: behind the same reason, under the same record."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from chatserver.ids import new_id
from conversations.models import Attachment
from tests.support.stored import answer, ask

pytestmark = pytest.mark.django_db
REASON = {"reason": "A complaint of the owner."}


@pytest.fixture
def kept(user: Any, attach: Callable[..., Attachment]) -> Attachment:
    return attach(user, "<script>quokka</script>", name="notes.html")


@pytest.fixture
def address(user: Any, kept: Attachment) -> str:
    run = answer(ask(user, attachments=[str(kept.pk)]).run)
    return reverse("admin:conversations_thread_transcript", args=[run.thread_id])


def test_before_a_reason_is_given_there_is_neither_name_nor_content(
    reader: Client, address: str, kept: Attachment
) -> None:
    for page in (address, f"{address}?file={kept.pk}"):
        shown = reader.get(page)
        assert shown["Content-Type"].startswith("text/html")
        assert b"notes.html" not in shown.content
        assert b"quokka" not in shown.content


def test_under_the_record_they_stand_with_their_message_and_are_served_as_to_their_owner(
    reader: Client, address: str, kept: Attachment
) -> None:
    reader.post(address, REASON)
    assert f"{address}?file={kept.pk}" in reader.get(address).content.decode()
    served = reader.get(f"{address}?file={kept.pk}")
    assert served.content == b"<script>quokka</script>"
    assert served["Content-Type"] == "text/plain; charset=utf-8"
    assert served["Content-Disposition"] == 'attachment; filename="notes.html"'
    assert served["Content-Security-Policy"].startswith("sandbox;")
    assert "no-store" in served["Cache-Control"]


def test_what_is_in_another_thread_or_in_none_is_not_opened_with_this_one(
    reader: Client, user: Any, address: str, attach: Callable[..., Attachment]
) -> None:
    reader.post(address, REASON)
    elsewhere, unsent = attach(user), attach(user)
    answer(ask(user, attachments=[str(elsewhere.pk)]).run)
    for named in (elsewhere.pk, unsent.pk, new_id(), "x"):
        assert reader.get(f"{address}?file={named}").status_code == 404


def test_without_the_right_nothing_is_served(overseer: Client, address: str, kept: Attachment) -> None:
    assert overseer.get(f"{address}?file={kept.pk}").status_code == 403

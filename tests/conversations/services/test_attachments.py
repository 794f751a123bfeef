"""Files and their rows: kept together, used by messages, removed when nothing uses them."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chatserver.accounts.models import User
from chatserver.ids import new_id
from conversations.attachments import files
from conversations.attachments.intake import Taken
from conversations.models import Attachment, AttachmentUse, LooseFile, Message, Run, Thread
from conversations.services import attachments as verbs
from conversations.services.idempotency import Key
from conversations.services.messages import delete_message
from conversations.services.run_cancel import cancel_run
from streaming.protocol.errors import (
    AttachmentUnknown,
    AttachmentUsed,
    IdempotencyConflict,
    InvalidRequest,
    NotFound,
    QuotaExceeded,
    StorageBusy,
    StorageFull,
)
from tests.support.stored import answer, ask

pytestmark = pytest.mark.django_db
Attach = Callable[..., Attachment]


def lying(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def later(**fields: Any) -> None:
    """As if the time were up for all that is waited with."""
    past = timezone.now() - timedelta(seconds=1)
    Attachment.objects.exclude(expires_at=None).update(expires_at=past)
    LooseFile.objects.update(due_at=past)


def told(message: Message) -> list[str]:
    message.refresh_from_db()
    return [each["id"] for each in message.attachments or []]


def test_a_file_lies_below_its_directory_for_its_owner_alone(user: User, attach: Attach, attachments_dir: Path) -> None:
    kept = attach(user, "Hello", name="../../evil.txt")
    (path,) = lying(attachments_dir)
    assert path.read_text() == "Hello"
    assert path.relative_to(attachments_dir).parts == (kept.pk.hex[-2:], kept.pk.hex[-4:-2], f"{kept.pk.hex}.content")
    assert path.stat().st_mode & 0o777 == 0o600
    assert {parent.stat().st_mode & 0o777 for parent in (path.parent, path.parent.parent)} == {0o700}
    assert (kept.name, kept.size, kept.type) == ("evil.txt", 5, "text/plain")
    assert not LooseFile.objects.exists()


def test_a_question_has_its_files_in_order_and_each_once(user: User, attach: Attach) -> None:
    one, two = attach(user, "1"), attach(user, "2")
    run = ask(user, attachments=[str(two.pk), str(one.pk), str(two.pk)]).run
    assert run.question is not None
    assert told(run.question) == [str(two.pk), str(one.pk)]
    assert Attachment.objects.filter(expires_at=None).count() == 2


@pytest.mark.parametrize("whose", ["another's", "nobody's", "no id"])
def test_what_is_not_there_and_what_is_another_s_are_refused_alike(
    user: User, other_user: User, attach: Attach, whose: str
) -> None:
    mine = attach(user, "mine")
    named = {"another's": str(attach(other_user, "theirs").pk), "nobody's": str(new_id()), "no id": "x"}[whose]
    with pytest.raises(AttachmentUnknown) as refusal:
        ask(user, attachments=[str(mine.pk), named])
    assert refusal.value.details == {"ids": [named]}
    assert refusal.value.message == AttachmentUnknown.sentence
    assert not Message.objects.exists()


@pytest.mark.parametrize("how", ["regenerate", "continue"])
def test_only_a_new_question_has_files(user: User, attach: Attach, how: str) -> None:
    run = answer(ask(user).run)
    with pytest.raises(InvalidRequest, match="new question"):
        ask(user, None, thread=run.thread, attachments=[str(attach(user).pk)], **{how: str(run.answer_id)})


def test_more_than_ten_are_too_many(user: User) -> None:
    with pytest.raises(InvalidRequest):
        ask(user, attachments=[str(new_id())] * 11)


def test_an_edit_has_what_it_names_and_a_regeneration_what_the_question_has(user: User, attach: Attach) -> None:
    one, two = attach(user), attach(user)
    first = answer(ask(user, attachments=[str(one.pk)]).run)
    again = answer(ask(user, None, thread=first.thread, regenerate=str(first.answer_id)).run)
    assert again.question_id == first.question_id
    edited = ask(user, thread=first.thread, edit=str(first.question_id), attachments=[str(two.pk), str(one.pk)]).run
    assert edited.question is not None
    assert told(edited.question) == [str(two.pk), str(one.pk)]
    assert AttachmentUse.objects.filter(attachment=one).count() == 2


def test_a_send_that_waits_keeps_its_files_and_hands_them_to_its_question(user: User, attach: Attach) -> None:
    first = ask(user).run
    kept = attach(user)
    waiting = ask(user, "And then?", thread=first.thread, if_busy="enqueue", attachments=[str(kept.pk)]).run
    assert waiting.request is not None
    assert [each["id"] for each in waiting.request["attachments"]] == [str(kept.pk)]
    later()
    verbs.prune(most=10)
    answer(first)
    begun = Run.objects.get(pk=waiting.pk)
    assert begun.question is not None
    assert told(begun.question) == [str(kept.pk)]
    assert AttachmentUse.objects.get(attachment=kept).message_id == begun.question_id


def test_what_a_withdrawn_send_had_may_be_attached_again(user: User, attach: Attach) -> None:
    first = ask(user).run
    kept = attach(user)
    waiting = ask(user, "And then?", thread=first.thread, if_busy="enqueue", attachments=[str(kept.pk)]).run
    cancel_run(run=waiting, by="user", reason="requested")
    assert not AttachmentUse.objects.exists()
    kept.refresh_from_db()
    assert kept.expires_at is not None
    assert kept.expires_at > timezone.now() + timedelta(hours=23)
    ask(user, "So?", thread=first.thread, if_busy="enqueue", attachments=[str(kept.pk)])


def test_what_was_attached_and_never_sent_goes_after_a_day_with_its_file(
    user: User, attach: Attach, attachments_dir: Path
) -> None:
    kept = attach(user)
    assert kept.expires_at is not None
    assert timedelta(hours=23) < kept.expires_at - timezone.now() < timedelta(hours=25)
    assert verbs.prune(most=10) == 0
    later()
    verbs.prune(most=10)
    assert not Attachment.objects.exists()
    assert not LooseFile.objects.exists()
    assert lying(attachments_dir) == []


def test_a_file_that_any_message_has_is_never_removed(user: User, attach: Attach, attachments_dir: Path) -> None:
    kept = attach(user)
    first = answer(ask(user, attachments=[str(kept.pk)]).run)
    answer(ask(user, thread=first.thread, edit=str(first.question_id), attachments=[str(kept.pk)]).run)
    assert first.question_id is not None
    delete_message(thread=first.thread, message_id=first.question_id)
    Attachment.objects.update(expires_at=timezone.now() - timedelta(days=9))  # whatever may have written that
    verbs.prune(most=10)
    assert Attachment.objects.get().expires_at is None
    assert len(lying(attachments_dir)) == 1


@pytest.mark.parametrize("what", ["message", "thread", "account"])
def test_files_go_with_the_last_that_had_them(user: User, attach: Attach, attachments_dir: Path, what: str) -> None:
    kept = attach(user)
    run = answer(ask(user, attachments=[str(kept.pk)]).run)
    match what:
        case "message":
            assert run.question_id is not None
            delete_message(thread=run.thread, message_id=run.question_id)
        case "thread":
            Thread.objects.filter(pk=run.thread_id).delete()
        case "account":
            user.delete()
    verbs.prune(most=10)
    verbs.prune(most=10)
    assert not Attachment.objects.exists()
    assert lying(attachments_dir) == []
    assert not LooseFile.objects.exists()


def test_a_death_between_the_file_and_its_row_leaves_a_file_that_is_found(
    user: User, text: Callable[..., Taken], attachments_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def died(**_: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(verbs, "_keep", died)
    with pytest.raises(SystemExit):
        verbs.store(owner_id=user.pk, taken=text("Hello"), quota=1000)
    assert not Attachment.objects.exists()
    assert len(lying(attachments_dir)) == 1
    assert verbs.prune(most=10) == 0  # it may be being written still
    later()
    assert verbs.prune(most=10) == 1
    assert lying(attachments_dir) == []


def test_a_death_between_the_end_of_the_row_and_of_the_file_leaves_a_file_that_is_found(
    user: User, attach: Attach, attachments_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = attach(user)

    def died(id: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(files, "remove", died)
        with pytest.raises(SystemExit):
            verbs.delete_attachment(attachment=kept)
    assert not Attachment.objects.exists()
    assert len(lying(attachments_dir)) == 1
    assert verbs.prune(most=10) == 1
    assert lying(attachments_dir) == []


def test_while_the_storage_is_away_nothing_is_forgotten(
    user: User, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kept in (attach(user), attach(user)):
        kept.delete()
    asked = []

    def away(id: object) -> None:
        asked.append(id)
        raise StorageBusy()

    monkeypatch.setattr(files, "remove", away)
    assert verbs.prune(most=10) == 0
    assert LooseFile.objects.count() == 2
    assert len(asked) == 1


def test_one_that_a_message_has_is_not_deleted_by_itself(user: User, attach: Attach) -> None:
    kept, other = attach(user), attach(user)
    ask(user, attachments=[str(kept.pk)])
    with pytest.raises(AttachmentUsed):
        verbs.delete_attachment(attachment=kept)
    verbs.delete_attachment(attachment=other)
    with pytest.raises(NotFound):
        verbs.delete_attachment(attachment=other)
    assert list(Attachment.objects.all()) == [kept]


def test_nobody_has_more_than_the_quota_and_what_goes_makes_room_at_once(
    user: User, other_user: User, text: Callable[..., Taken]
) -> None:
    def keep(owner: User) -> Attachment:
        return verbs.store(owner_id=owner.pk, taken=text("x" * 60), quota=100)[0]

    kept = keep(user)
    with pytest.raises(QuotaExceeded) as refusal:
        keep(user)
    assert refusal.value.details == {"limit": 100, "used": 60, "size": 60}
    keep(other_user)
    verbs.delete_attachment(attachment=kept)
    keep(user)


def test_a_file_that_is_just_being_written_counts(user: User) -> None:
    LooseFile.objects.create(pk=new_id(), owner_id=user.pk, size=60, due_at=timezone.now() + timedelta(minutes=5))
    assert verbs.room_taken(user.pk) == 60


def test_what_could_not_be_written_takes_no_room(
    user: User, text: Callable[..., Taken], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(id: object, part: str, path: Path) -> None:
        assert verbs.room_taken(user.pk) == 60
        raise StorageFull()

    with monkeypatch.context() as patched:
        patched.setattr(files, "put", full)
        with pytest.raises(StorageFull):
            verbs.store(owner_id=user.pk, taken=text("x" * 60), quota=100)
    assert verbs.room_taken(user.pk) == 0
    assert verbs.prune(most=10) == 1
    verbs.store(owner_id=user.pk, taken=text("x" * 60), quota=100)


def test_a_key_leads_to_the_same_attachment(user: User, text: Callable[..., Taken], attachments_dir: Path) -> None:
    def keep(body: str) -> tuple[Attachment, bool]:
        key = Key(user_id=user.pk, key="k", body_hash=body)
        return verbs.store(owner_id=user.pk, taken=text("Hello"), quota=1000, key=key)

    made, replayed = keep("a")
    assert (keep("a"), replayed) == ((made, True), False)
    with pytest.raises(IdempotencyConflict):
        keep("b")
    assert len(lying(attachments_dir)) == 1
    verbs.delete_attachment(attachment=made)
    with pytest.raises(NotFound, match="deleted"):
        keep("a")


def test_a_question_without_files_asks_nothing_more_of_the_database(user: User, attach: Attach) -> None:
    with CaptureQueriesContext(connection) as captured:
        ask(user, thread=Thread.objects.create(owner=user))
    assert not [query for query in captured if "attachment" in query["sql"].lower().replace('"attachments"', "")]

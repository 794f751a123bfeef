"""Statements that are put together once write and read the same rows as the ORM."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.test.utils import CaptureQueriesContext

from chatserver.accounts.models import ApiToken, User
from chatserver.accounts.services import create_token
from chatserver.ids import new_id
from chatserver.rows import Rows, as_uuid, for_update, marks, stored_id
from conversations.models import Message, ModelServer, Run, RunLease, Thread
from tests.support.stored import answer, ask

pytestmark = pytest.mark.django_db
THE_HOT_ONES: list[type[models.Model]] = [Thread, Message, Run, RunLease, ModelServer, ApiToken, User]


def columns(row: models.Model) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


@pytest.fixture
def a_row_of_each(user: Any) -> None:
    answer(ask(user).run)
    ModelServer.objects.create(name="one", kind="ollama", encrypted_key=b"\x00\xff", health={"ok": None})
    create_token(user=user, name="program", scopes=["read"])


@pytest.mark.usefixtures("a_row_of_each")
@pytest.mark.parametrize("model", THE_HOT_ONES)
def test_what_is_read_is_what_the_orm_reads(model: type[models.Model]) -> None:
    expected = {row.pk: columns(row) for row in model._default_manager.all()}
    found = Rows(model).find("1 = 1")
    assert found
    assert {row.pk: columns(row) for row in found} == expected
    assert not any(row._state.adding for row in found)


@pytest.mark.usefixtures("a_row_of_each")
@pytest.mark.parametrize("model", [Thread, Message, RunLease, ModelServer, ApiToken])
def test_what_is_added_is_what_the_orm_reads(model: type[models.Model]) -> None:
    (row,) = model._default_manager.all()[:1]
    kept = columns(row)
    if model is RunLease:
        row.delete()
        row.pk = kept["run_id"]
    else:
        row.pk = new_id()
        for unique in ("name", "prefix"):
            if hasattr(row, unique):
                setattr(row, unique, "another")
    Rows(model).add([row])
    assert columns(model._default_manager.get(pk=row.pk)) == columns(row)


def test_of_rows_with_some_columns_no_others_are_read(user: Any) -> None:
    run = ask(user).run
    (found,) = Rows(Run, only=("id", "status")).changed("id = %s", stored_id(run.pk), model="demo/other")
    assert {field.attname for field in Run._meta.concrete_fields} - found.get_deferred_fields() == {"id", "status"}
    assert (found.pk, found.status) == (run.pk, "queued")
    run.refresh_from_db()
    assert run.model == "demo/other"


def test_changes_are_counted_and_turned_by_the_fields(user: Any) -> None:
    run = ask(user).run
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    rows = Rows(Run)
    changes = {"usage": {"prompt_tokens": 3}, "error": None, "finished_at": at, "answer_id": run.answer_id}
    assert rows.change("id = %s", stored_id(run.pk), **changes) == 1
    assert rows.change("id = %s", stored_id(new_id()), **changes) == 0
    (now,) = rows.changed("id = %s", stored_id(run.pk), head=9)
    run.refresh_from_db()
    assert columns(now) == columns(run)
    assert (run.usage, run.error, run.finished_at, run.head) == ({"prompt_tokens": 3}, None, at, 9)


def test_an_object_that_was_saved_says_what_was_saved(user: Any) -> None:
    thread = Thread.objects.create(owner=user)
    thread.title, thread.updated_at = "Name", datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    Rows(Thread).save(thread, "title", "updated_at")
    assert thread.updated_at.microsecond == 678000
    assert columns(Thread.objects.get(pk=thread.pk)) == columns(thread)


def test_what_breaks_a_rule_of_the_database_is_an_integrity_error(user: Any) -> None:
    run = ask(user).run
    twin = Run(pk=new_id(), thread=run.thread, owner=user, created_at=run.created_at + timedelta(seconds=1))
    with pytest.raises(IntegrityError), transaction.atomic():
        Rows(Run).add([twin])


def test_many_are_one_statement(user: Any) -> None:
    threads = [Thread(owner=user, title=f"{number}% of %s") for number in range(20)]
    with CaptureQueriesContext(connection) as captured:
        Rows(Thread).add(threads)
        Rows(Thread).add([])
    assert len(captured) == 1
    ids = [stored_id(thread.pk) for thread in threads]
    found = Rows(Thread).find(f"id IN {marks(ids)} ORDER BY id{for_update()}", *ids)
    assert [thread.title for thread in found] == [f"{number}% of %s" for number in range(20)]
    assert as_uuid(ids[0]) == threads[0].pk

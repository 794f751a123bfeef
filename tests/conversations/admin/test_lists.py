"""Who sees what in the lists: facts to all of the staff with the right to look, words only to those who may read."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from chatserver.ids import new_id
from conversations.models import AccessRecord, Run, Thread
from streaming.protocol.lifecycle import RunStatus
from tests.support.stored import answer, ask, claim, thread_of

pytestmark = pytest.mark.django_db
THREADS, RUNS, RECORDS = (f"/admin/conversations/{kind}/" for kind in ("thread", "run", "accessrecord"))


def text(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


@pytest.fixture
def said(user: Any) -> Run:
    return answer(ask(user, "quokka question").run, "wombat answer", thinking="platypus thought")


def test_a_reader_finds_threads_by_person_model_title_and_what_was_said(reader: Client, said: Run) -> None:
    for words in ("ada", "demo", "quokka", "wombat", "ada wombat"):
        assert "quokka question" in text(reader.get(THREADS, {"q": words})), words
    assert "quokka question" not in text(reader.get(THREADS, {"q": "ada echidna"}))


def test_what_was_said_is_found_by_how_its_words_begin_and_in_no_other_language(reader: Client, said: Run) -> None:
    for words, found in (("wom", True), ("wombat*", True), ("ombat", False), ('"NEAR(', False), ("!!", False)):
        assert (str(said.thread_id) in text(reader.get(THREADS, {"q": words}))) is found, words


def test_without_the_right_no_title_is_listed_and_no_text_searched(overseer: Client, said: Run) -> None:
    page = text(overseer.get(THREADS))
    assert str(said.thread_id) in page
    assert "quokka" not in page
    assert str(said.thread_id) in text(overseer.get(THREADS, {"q": "ada"}))
    for words in ("quokka", "wombat", "platypus"):
        assert str(said.thread_id) not in text(overseer.get(THREADS, {"q": words}))


@pytest.mark.parametrize(
    "lookup",
    [
        "title__startswith",
        "title",
        "system_prompt__contains",
        "share_digest__startswith",
        "messages__content__contains",
        "runs__question__content__contains",
        "owner__password__startswith",
        "head__content__startswith",
    ],
)
def test_titles_and_texts_cannot_be_guessed_letter_by_letter(overseer: Client, said: Run, lookup: str) -> None:
    assert overseer.get(THREADS, {lookup: "q"}).status_code == 400


@pytest.mark.parametrize(
    "lookup", ["question__content__startswith", "answer__content__contains", "request__contains", "owner__password__gt"]
)
def test_nor_by_the_list_of_runs(overseer: Client, said: Run, lookup: str) -> None:
    assert overseer.get(RUNS, {lookup: "q"}).status_code == 400


def test_nor_by_the_list_of_records(overseer: Client) -> None:
    assert overseer.get(RECORDS, {"thread_title__startswith": "q"}).status_code == 400


@pytest.mark.parametrize(
    ("address", "query"),
    [
        (THREADS, {"run_status": "failed"}),
        (THREADS, {"run_status": "active"}),
        (THREADS, {"archived__exact": "0"}),
        (THREADS, {"model": "demo/demo"}),
        (THREADS, {"updated_at__gte": "2026-01-01 00:00:00+00:00"}),
        (THREADS, {"updated_at__year": "2026"}),
        (THREADS, {"o": "1.-2"}),
        (RUNS, {"status__exact": "failed"}),
        (RUNS, {"error_code": "upstream_stalled"}),
        (RUNS, {"o": "-1"}),
        (RECORDS, {"at__year": "2026"}),
    ],
)
def test_the_filters_are_open(overseer: Client, said: Run, address: str, query: Any) -> None:
    assert overseer.get(address, query).status_code == 200


def test_threads_are_found_by_how_their_runs_ended(overseer: Client, user: Any) -> None:
    failed = answer(ask(user).run, status=RunStatus.FAILED)
    active = ask(user).run
    page = text(overseer.get(THREADS, {"run_status": "failed"}))
    assert str(failed.thread_id) in page
    assert str(active.thread_id) not in page
    page = text(overseer.get(THREADS, {"run_status": "active"}))
    assert str(active.thread_id) in page
    assert str(failed.thread_id) not in page


def test_a_run_is_listed_with_who_what_and_how_it_went(overseer: Client, user: Any) -> None:
    answer(ask(user).run, status=RunStatus.FAILED)
    page = text(overseer.get(RUNS))
    for fact in ("ada", "demo/demo", "failed", "2.0 s", "120 ms", "7 → 11", "upstream_stalled"):
        assert fact in page, fact


def test_a_run_that_is_at_work_shows_its_age(overseer: Client, user: Any) -> None:
    run = ask(user).run
    claim(run)
    Run.objects.filter(pk=run.pk).update(started_at=timezone.now() - timedelta(minutes=3, seconds=20))
    assert "3 min 2" in text(overseer.get(RUNS))


def test_runs_lead_to_their_transcripts_for_readers_only(overseer: Client, reader: Client, said: Run) -> None:
    link = f"{THREADS}{said.thread_id}/transcript/"
    for address in (RUNS, f"{RUNS}{said.pk}/change/"):
        assert link in text(reader.get(address))
        assert link not in text(overseer.get(address))


def test_a_runs_page_has_no_words_of_anybody(overseer: Client, reader: Client, said: Run) -> None:
    for client in (overseer, reader):
        page = text(client.get(f"{RUNS}{said.pk}/change/"))
        assert "upstream" not in page
        for word in ("quokka", "wombat", "platypus"):
            assert word not in page


def test_a_threads_history_does_not_tell_its_title(overseer: Client, said: Run) -> None:
    assert "quokka" not in text(overseer.get(f"{THREADS}{said.thread_id}/history/"))


def test_records_are_listed_without_titles_for_those_who_may_not_read(
    overseer: Client, reader: Client, user: Any
) -> None:
    record = AccessRecord.objects.create(
        owner=user, staff_name="eve", owner_name="ada", thread_id=new_id(), thread_title="quokka", reason="a complaint"
    )
    assert "a complaint" in text(overseer.get(RECORDS))
    assert "quokka" not in text(overseer.get(RECORDS))
    assert "quokka" not in text(overseer.get(f"{RECORDS}{record.pk}/change/"))
    assert "quokka" in text(reader.get(f"{RECORDS}{record.pk}/change/"))
    assert str(record.thread_id) not in text(overseer.get(RECORDS, {"q": "quokka"}))


def test_the_lists_do_not_cost_more_for_more_rows(
    reader: Client, user: Any, other_user: Any, django_assert_max_num_queries: Any
) -> None:
    for _ in range(5):
        answer(ask(user).run)
        ask(other_user)
    with django_assert_max_num_queries(14):
        reader.get(THREADS)
    with django_assert_max_num_queries(14):
        reader.get(RUNS)


@pytest.mark.parametrize("address", [THREADS, RUNS, RECORDS])
def test_the_staff_without_any_right_and_others_see_no_list(staff: Any, user: Any, address: str) -> None:
    client = Client()
    client.force_login(staff)
    assert client.get(address).status_code == 403
    client.force_login(user)
    assert client.get(address).status_code in (302, 403)


# --- nothing can be changed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["add/", "{pk}/change/", "{pk}/delete/"])
@pytest.mark.parametrize("kind", ["thread", "run", "accessrecord"])
def test_not_even_an_administrator_can_change_anything(
    admin_user: Any, user: Any, said: Run, kind: str, action: str
) -> None:
    record = AccessRecord.objects.create(owner=user, thread_id=new_id(), reason="a complaint")
    rows = {"thread": said.thread, "run": said, "accessrecord": record}
    client = Client()
    client.force_login(admin_user)
    fields = {"title": "x", "status": "failed", "reason": "x", "post": "yes"}
    response = client.post(f"/admin/conversations/{kind}/{action.format(pk=rows[kind].pk)}", fields)
    assert response.status_code in (302, 403)
    assert (Thread.objects.get().title, Run.objects.get().status) == ("quokka question", "completed")
    assert AccessRecord.objects.get().reason == "a complaint"


def test_the_action_that_deletes_what_is_chosen_does_nothing(admin_user: Any, said: Run) -> None:
    client = Client()
    client.force_login(admin_user)
    chosen = {"action": "delete_selected", "_selected_action": [str(said.thread_id)], "post": "yes"}
    client.post(THREADS, chosen)
    assert Thread.objects.exists()


def test_a_person_can_be_deleted_with_everything_and_without_a_word_of_it_shown(admin_user: Any, said: Run) -> None:
    client = Client()
    client.force_login(admin_user)
    address = f"/admin/accounts/user/{said.owner_id}/delete/"
    page = text(client.get(address))
    for word in ("quokka", "wombat", "platypus"):
        assert word not in page
    assert client.post(address, {"post": "yes"}).status_code == 302
    assert not Thread.objects.exists()


def test_records_stay_when_their_people_go(admin_user: Any, user: Any) -> None:
    thread = thread_of(user)
    AccessRecord.objects.create(
        owner=user, staff=admin_user, owner_name="ada", thread_id=thread.pk, reason="a complaint"
    )
    user.delete()
    assert AccessRecord.objects.get().owner_name == "ada"

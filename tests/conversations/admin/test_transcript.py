from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from chatserver.ids import new_id
from conversations.models import AccessRecord, Message, Run, RunEvent, Step, Thread
from conversations.services.run_log import prune_logs
from streaming.protocol.lifecycle import RunStatus
from tests.support.stored import answer, ask, claim, decide, park, thread_of

pytestmark = pytest.mark.django_db
REASON = {"reason": "A complaint about ticket 12"}
TOOL = {"name": "calculator", "arguments": {"expression": "6*7"}, "output": "42 exactly"}


def page_of(thread_id: Any) -> str:
    return f"/admin/conversations/thread/{thread_id}/transcript/"


@pytest.fixture
def said(user: Any) -> Run:
    return answer(ask(user, "quokka question").run, "wombat answer", thinking="platypus thought", tool=TOOL)


@pytest.fixture
def address(said: Run) -> str:
    return page_of(said.thread_id)


def opened(client: Client, address: str) -> str:
    assert client.post(address, REASON).status_code == 302
    response = client.get(address)
    assert response.status_code == 200
    return str(response.content.decode())


# --- the reason ----------------------------------------------------------------------------------------------------


def test_a_reason_is_asked_for_before_any_word_is_shown(reader: Client, address: str) -> None:
    page = reader.get(address).content.decode()
    assert 'name="reason"' in page
    for word in ("quokka", "wombat", "platypus", "42 exactly"):
        assert word not in page
    assert not AccessRecord.objects.exists()


def test_the_reason_is_recorded_for_the_owner_to_see(reader: Client, address: str, said: Run) -> None:
    opened(reader, address)
    record = AccessRecord.objects.get()
    assert (record.staff_name, record.owner_name, record.reason) == ("bob", "ada", REASON["reason"])
    assert (record.thread_id, record.thread_title, record.owner) == (said.thread_id, "quokka question", said.owner)


@pytest.mark.parametrize("reason", ["", "    ", "why", "x" * 501])
def test_a_reason_that_is_none_opens_nothing(reader: Client, address: str, reason: str) -> None:
    response = reader.post(address, {"reason": reason})
    assert response.status_code == 200
    assert b"wombat" not in response.content
    assert b"wombat" not in reader.get(address).content
    assert not AccessRecord.objects.exists()


def test_within_the_time_it_is_not_asked_again(reader: Client, address: str) -> None:
    opened(reader, address)
    assert b"wombat" in reader.get(address).content
    assert AccessRecord.objects.count() == 1


def test_after_the_time_it_is_asked_again(reader: Client, address: str) -> None:
    opened(reader, address)
    AccessRecord.objects.update(at=timezone.now() - timedelta(minutes=16))
    assert b"wombat" not in reader.get(address).content
    opened(reader, address)
    assert AccessRecord.objects.count() == 2


def test_one_reason_opens_one_thread(reader: Client, address: str, user: Any) -> None:
    other = answer(ask(user, "echidna").run)
    opened(reader, address)
    assert b"echidna" not in reader.get(page_of(other.thread_id)).content


def test_it_is_good_for_that_session_only(reader: Client, address: str, other_user: Any) -> None:
    opened(reader, address)
    elsewhere = Client()
    elsewhere.force_login(other_user)
    assert b"wombat" not in elsewhere.get(address).content


def test_anothers_record_in_the_session_opens_nothing(reader: Client, address: str, said: Run, staff: Any) -> None:
    record = AccessRecord.objects.create(staff=staff, owner=said.owner, thread_id=said.thread_id, reason="theirs")
    session = reader.session
    session["transcripts"] = {str(said.thread_id): str(record.pk)}
    session.save()
    assert b"wombat" not in reader.get(address).content


def test_another_threads_record_in_the_session_opens_nothing(
    reader: Client, address: str, said: Run, user: Any
) -> None:
    other = thread_of(user)
    opened(reader, page_of(other.pk))
    session = reader.session
    session["transcripts"] = {str(said.thread_id): session["transcripts"][str(other.pk)]}
    session.save()
    assert b"wombat" not in reader.get(address).content


def test_a_session_keeps_a_bounded_number_open(reader: Client, user: Any) -> None:
    for _ in range(22):
        assert reader.post(page_of(thread_of(user).pk), REASON).status_code == 302
    assert len(reader.session["transcripts"]) == 20


# --- the right -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "post"])
def test_without_the_right_it_is_forbidden(overseer: Client, address: str, method: str) -> None:
    response = getattr(overseer, method)(address, REASON if method == "post" else None)
    assert response.status_code == 403
    assert not AccessRecord.objects.exists()


def test_without_the_right_a_thread_and_none_are_one_answer(overseer: Client, address: str) -> None:
    assert overseer.get(page_of(new_id())).status_code == overseer.get(address).status_code == 403


def test_who_is_not_of_the_staff_is_sent_away_whatever_permissions_there_are(user: Any, address: str) -> None:
    client = Client()
    client.force_login(user)
    response = client.post(address, REASON)
    assert response.status_code in (302, 403)
    assert not AccessRecord.objects.exists()


def test_a_right_taken_away_ends_it_at_once(reader: Client, address: str, other_user: Any) -> None:
    opened(reader, address)
    other_user.user_permissions.clear()
    assert reader.get(address).status_code == 403


def test_a_forged_post_does_nothing(other_user: Any, reader: Client, address: str) -> None:
    forged = Client(enforce_csrf_checks=True, cookies=reader.cookies)
    forged.force_login(other_user)
    assert forged.post(address, REASON).status_code == 403
    assert forged.post(address, REASON, headers={"Origin": "https://evil.example"}).status_code == 403
    assert not AccessRecord.objects.exists()


def test_an_administrator_may_and_is_recorded_as_well(admin_user: Any, address: str) -> None:
    client = Client()
    client.force_login(admin_user)
    assert "wombat" in opened(client, address)
    assert AccessRecord.objects.get().staff == admin_user


def test_the_owner_of_a_token_gets_no_page(api_token: str, address: str) -> None:
    client = Client(headers={"Authorization": f"Bearer {api_token}"})
    assert client.get(address).status_code in (302, 403)


@pytest.fixture
def api_token(token_for: Any, admin_user: Any) -> str:
    return str(token_for(admin_user))


def test_a_thread_that_is_not_there_is_not_found(reader: Client) -> None:
    assert reader.get(page_of(new_id())).status_code == 404


def test_no_page_of_it_is_kept_by_a_cache(reader: Client, address: str) -> None:
    opened(reader, address)
    assert "no-store" in reader.get(address)["Cache-Control"]


def test_a_threads_own_page_is_its_transcript(reader: Client, overseer: Client, said: Run) -> None:
    page = f"/admin/conversations/thread/{said.thread_id}/change/"
    assert reader.get(page)["Location"] == page_of(said.thread_id)
    assert overseer.get(page).status_code == 403


# --- the text ------------------------------------------------------------------------------------------------------


def test_it_reads_as_a_conversation(reader: Client, address: str) -> None:
    page = opened(reader, address)
    order = ["quokka question", "platypus thought", "6*7", "42 exactly", "wombat answer"]
    places = [page.rindex(words) for words in order]
    assert places == sorted(places)


def test_texts_are_escaped(reader: Client, user: Any) -> None:
    bad = "<script>alert(1)</script>"
    tool = {"name": bad, "arguments": {"x": bad}, "output": bad}
    run = answer(ask(user, bad).run, bad, thinking=bad, tool=tool)
    Thread.objects.update(system_prompt=bad)
    page = opened(reader, page_of(run.thread_id))
    assert bad not in page
    assert page.count("&lt;script&gt;") >= 7


def test_there_is_nothing_that_the_content_policy_forbids(reader: Client, address: str) -> None:
    page = opened(reader, address)
    for forbidden in ("<style", "style=", "onclick=", "javascript:"):
        assert forbidden not in page
    with_address = page.count("<script src=") + page.count('<script type="module" src=')
    assert page.count("<script") == with_address + page.count('<script id="boot" type="application/json">')


def test_the_timeline_is_of_the_events_with_streams_summed_up(reader: Client, address: str) -> None:
    page = opened(reader, address)
    assert "thread.run.created" in page
    assert "2 pieces, 13 characters of the answer" in page
    assert "2 pieces, 16 characters of thinking" in page
    assert "thread.run.completed" in page


def test_the_timeline_says_who_approved_what(reader: Client, user: Any) -> None:
    run = ask(user).run
    (asked,) = park(run, "hello")
    decide(asked, "approve", note="quietly")
    page = opened(reader, page_of(run.thread_id))
    assert f"write_journal by {user.username}" in page
    assert "quietly" not in page


def test_the_timeline_is_of_the_rows_where_the_log_is_pruned(reader: Client, address: str, said: Run) -> None:
    Run.objects.update(finished_at=timezone.now() - timedelta(hours=2))
    assert prune_logs(kept=60, most=10) == 1
    page = opened(reader, address)
    assert "thread.run.created" not in page
    assert "not kept any more" in page
    assert "first token" in page


def test_a_log_without_its_beginning_is_not_shown_as_one(reader: Client, address: str) -> None:
    RunEvent.objects.filter(seq=1).delete()
    assert "thread.run.completed" not in opened(reader, address)


def test_a_run_under_way_shows_what_the_log_has(reader: Client, user: Any) -> None:
    run = ask(user).run
    claim(run)
    assert "thread.message.created" in opened(reader, page_of(run.thread_id))


def test_an_error_is_shown_with_its_code_and_log_id(reader: Client, user: Any) -> None:
    run = answer(ask(user).run, status=RunStatus.FAILED)
    page = opened(reader, page_of(run.thread_id))
    assert "upstream_stalled" in page
    assert "abc" in page


@pytest.mark.parametrize(
    ("structured", "words"),
    [
        ({"valid": True, "repaired": True, "error": {"code": "not_json"}}, "valid, at the second try"),
        ({"valid": False, "repaired": False, "error": {"code": "not_json"}}, "not valid: not_json"),
    ],
)
def test_what_became_of_its_form_is_shown(reader: Client, said: Run, structured: Any, words: str) -> None:
    Run.objects.filter(pk=said.pk).update(structured=structured)
    assert words in opened(reader, page_of(said.thread_id))


def test_other_versions_are_linked_and_can_be_read(reader: Client, said: Run, user: Any) -> None:
    answer(ask(user, None, thread=said.thread, regenerate=str(said.answer_id)).run, "echidna answer")
    newest = opened(reader, page_of(said.thread_id))
    assert "echidna answer" in newest
    assert "wombat answer" not in newest
    assert f"?leaf={said.answer_id}" in newest
    older = reader.get(page_of(said.thread_id), {"leaf": str(said.answer_id)}).content.decode()
    assert "wombat answer" in older


def test_a_version_is_shown_with_what_followed_it(reader: Client, said: Run, user: Any) -> None:
    answer(ask(user, "further", thread=said.thread).run, "afterwards")
    answer(ask(user, None, thread=said.thread, regenerate=str(said.answer_id)).run, "echidna answer")
    opened(reader, page_of(said.thread_id))
    page = reader.get(page_of(said.thread_id), {"leaf": str(said.answer_id)}).content.decode()
    assert "afterwards" in page


def test_another_threads_message_is_no_end_of_this_one(reader: Client, said: Run, user: Any) -> None:
    elsewhere = answer(ask(user, "echidna").run)
    opened(reader, page_of(said.thread_id))
    for leaf in (elsewhere.answer_id, "x", new_id()):
        assert reader.get(page_of(said.thread_id), {"leaf": str(leaf)}).status_code == 404


def test_long_conversations_come_in_pages(reader: Client, user: Any) -> None:
    thread = thread_of(user, title="Long")
    for number in range(12):
        answer(ask(user, f"question {number:02}", thread=thread).run)
    page = opened(reader, page_of(thread.pk))
    assert "question 11" in page
    assert "question 00" not in page
    cursor = page.partition("?cursor=")[2].partition('"')[0]
    assert "question 00" in reader.get(f"{page_of(thread.pk)}?cursor={cursor}").content.decode()


def test_a_cursor_that_is_none_is_not_found(reader: Client, address: str) -> None:
    opened(reader, address)
    assert reader.get(address, {"cursor": "x"}).status_code == 404


def test_its_cost_does_not_grow_with_the_messages(
    reader: Client, user: Any, django_assert_max_num_queries: Any
) -> None:
    thread = thread_of(user)
    for _ in range(9):
        answer(ask(user, thread=thread).run, thinking="Hm.", tool=TOOL)
    opened(reader, page_of(thread.pk))
    # session, user, two of permissions, thread, record; path, messages, steps, runs; events, versions
    with django_assert_max_num_queries(13):
        reader.get(page_of(thread.pk))


def test_an_empty_thread_has_a_page_too(reader: Client, user: Any) -> None:
    assert "Nothing has been said here." in opened(reader, page_of(thread_of(user).pk))


def test_answers_without_parts_show_their_content_after_the_steps(reader: Client, said: Run) -> None:
    Message.objects.filter(pk=said.answer_id).update(parts=[])
    page = opened(reader, page_of(said.thread_id))
    assert page.rindex("platypus") < page.rindex("wombat")
    assert (Step.objects.count(), RunEvent.objects.exists()) == (2, True)


def test_what_the_model_was_not_given_is_shown_with_the_run(reader: Client, address: str, said: Run) -> None:
    notice = {"code": "context_dropped", "message": "The 2 oldest messages <were> left out.", "details": None}
    Run.objects.filter(pk=said.pk).update(notices=[notice])
    assert "The 2 oldest messages &lt;were&gt; left out." in opened(reader, address)

"""What the command makes is what the product itself would have: read by whatever reads the product's own."""

import io
import json
import sys
from collections import Counter
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from chatserver.accounts.models import User
from conversations import selectors
from conversations.demo import batch
from conversations.models import Message, Run, RunEvent, RunLease, SearchEntry, Step, Thread
from streaming.protocol.codec import decode
from streaming.protocol.lifecycle import TERMINAL, RunStatus
from streaming.protocol.snapshot import RunState
from tests.support.stored import ask

pytestmark = pytest.mark.django_db


def made(*words: str) -> str:
    out = io.StringIO()
    call_command("make_demo_data", *words, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def refusal(*words: str) -> str:
    with pytest.raises(CommandError) as fault:
        made(*words)
    assert not Message.objects.exclude(content="Why?").exclude(content="").exists()
    return str(fault.value)


def test_it_makes_a_person_with_as_many_threads_and_messages_as_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAT_PASSWORD", raising=False)
    said = made("--threads", "7", "--messages", "61", "--long-thread", "30", "--long-answer", "50")
    user = User.objects.get(username="demo")
    assert user.check_password(said.strip().rpartition(" ")[2])
    assert Thread.objects.filter(owner=user).count() == 9
    assert Message.objects.count() == SearchEntry.objects.count() == 93
    sizes = Counter(Message.objects.values_list("thread_id", flat=True))
    assert max(sizes.values()) == 30
    assert min(sizes.values()) >= 2


def test_the_same_seed_says_the_same_and_another_one_does_not(user: Any, other_user: Any) -> None:
    made("--user", "ada", "--messages", "40", "--threads", "4")
    made("--user", "bob", "--messages", "40", "--threads", "4", "--anyway")
    first, second = (
        list(Message.objects.filter(thread__owner=person).order_by("id").values_list("content", flat=True))
        for person in (user, other_user)
    )
    assert first == second
    made("--user", "bob", "--messages", "40", "--threads", "4", "--anyway", "--seed", "2")
    assert set(Message.objects.filter(thread__owner=other_user).values_list("content", flat=True)) > set(second)


def test_every_message_has_its_place_and_every_answer_its_run(user: Any) -> None:
    made("--user", "ada", "--threads", "5", "--messages", "300")
    for message in Message.objects.select_related("parent", "run", "thread"):
        if message.role == Message.Role.USER:
            assert message.parent is None or message.parent.role == Message.Role.ASSISTANT
            assert message.run is None
            continue
        run = message.run
        assert run is not None
        assert message.parent is not None
        assert (run.answer_id, run.question_id, run.thread_id) == (message.pk, message.parent_id, message.thread_id)
        assert (message.status == "completed") == (run.status == "completed")
        assert run.owner_id == message.thread.owner_id
        assert run.created_at <= run.started_at <= run.first_token_at <= run.finished_at  # type: ignore[operator]
        told = [json.loads(text) for text in run.closing_events]
        assert told[-1]["id"] == run.head == RunLease.objects.get(pk=run).head
        assert told[-1]["event"] == f"thread.run.{run.status}"
        texts = [part["text"] for part in message.parts if "text" in part]
        assert texts == [[0, len(message.content)]]
        steps = [part["step_id"] for part in message.parts if "step_id" in part]
        assert steps == [str(step.pk) for step in Step.objects.filter(run=run).order_by("index")]
    assert set(Run.objects.values_list("status", flat=True)) <= TERMINAL
    for thread in Thread.objects.all():
        assert thread.head is not None
        assert (thread.head.thread_id, thread.updated_at >= thread.created_at) == (thread.pk, True)
        assert not thread.head.children.exists()


def test_all_the_ways_in_which_runs_end_are_there_and_steps_and_branches(user: Any) -> None:
    made("--user", "ada", "--threads", "3", "--messages", "1200")
    ends = set(Run.objects.values_list("status", flat=True))
    assert ends == {RunStatus.COMPLETED, RunStatus.CANCELLED, RunStatus.INCOMPLETE, RunStatus.FAILED}
    assert set(Step.objects.values_list("kind", flat=True)) == {"reasoning", "tool_calls"}
    answers = Counter(Message.objects.filter(role="assistant").values_list("parent_id", flat=True))
    assert max(answers.values()) > 1


def test_a_long_answer_has_its_whole_log_and_the_log_says_what_is_stored(user: Any) -> None:
    made("--user", "ada", "--threads", "0", "--messages", "0", "--long-answer", "300")
    run = Run.objects.get()
    assert run.answer is not None
    texts = list(RunEvent.objects.filter(run=run).order_by("seq").values_list("text", flat=True))
    state = RunState()
    for number, text in enumerate(texts, start=1):
        identifier, event = decode(text)
        assert identifier == number
        assert event is not None
        state.apply(number, event)
    assert (len(texts), run.log_pruned) == (run.head, False)
    assert state.messages[-1].content == run.answer.content
    assert 1100 <= len(run.answer.content) <= 1300


def test_the_page_and_the_api_show_it(user: Any, token_for: Any) -> None:
    made("--user", "ada", "--threads", "60", "--messages", "600")
    client = Client(headers={"Authorization": f"Bearer {token_for(user)}"})
    threads = client.get("/api/v1/threads").json()
    assert len([thread for thread in threads["results"] if not thread["pinned"]]) == 50
    assert len({thread["title"] for thread in threads["results"]}) > 40
    shown = client.get(f"/api/v1/threads/{threads['results'][0]['id']}/messages").json()
    assert shown["results"][-1]["id"] == threads["results"][0]["head"]
    found = client.get("/api/v1/search", {"q": "the"}).json()
    assert len(found["results"]) == 20
    moments = [result["created_at"] for result in found["results"]]
    assert moments == sorted(moments, reverse=True)


def test_the_administration_shows_it(admin_user: Any, user: Any) -> None:
    made("--user", "ada", "--threads", "2", "--messages", "100")
    client = Client()
    client.force_login(admin_user)
    page = f"/admin/conversations/thread/{Thread.objects.all()[0].pk}/transcript/"
    client.post(page, {"reason": "to look at the demonstration"})
    assert client.get(page).status_code == 200
    assert client.get("/admin/conversations/run/").status_code == 200


def test_however_much_it_is_little_is_kept_in_memory(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also within one thread: it is written before it is settled."""
    monkeypatch.setattr(batch, "FULL", 10)
    most = 0
    write = batch.Batch.write

    def watched(self: batch.Batch) -> None:
        nonlocal most
        most = max(most, len(self.messages))
        write(self)

    monkeypatch.setattr(batch.Batch, "write", watched)
    made("--user", "ada", "--threads", "3", "--messages", "30", "--long-thread", "200")
    assert 10 <= most < 15
    assert Message.objects.count() == 230
    longest = max(Thread.objects.all(), key=lambda thread: thread.messages.count())
    assert longest.head is not None
    assert longest.head == longest.messages.order_by("-created_at", "-pk")[0]


def test_a_thousand_threads_may_have_fewer_messages(user: Any) -> None:
    made("--user", "ada", "--threads", "10", "--messages", "7")
    assert (Thread.objects.count(), Message.objects.count()) == (10, 7)
    page = selectors.thread_page(owner_id=user.pk, cursor=None)
    assert len(page.threads) + Thread.objects.filter(archived=True).count() == 10


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--user", "nobody"], "There is nobody named nobody"),
        (["--threads", "-1"], "Numbers are 0 or more"),
        (["--threads", "0"], "Messages are in threads"),
        (["--messages", "100000001"], "more than 100,000,000"),
        (["--long-answer", "100001"], "No answer has more than"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(words: list[str], sentence: str) -> None:
    assert sentence in refusal(*words)
    assert not User.objects.exists()


def test_a_database_with_other_peoples_conversations_is_left_alone_unless_told(user: Any, other_user: Any) -> None:
    ask(other_user)
    assert "other people" in refusal("--user", "ada")
    assert "other people" in refusal()
    assert not User.objects.filter(username="demo").exists()
    made("--user", "ada", "--messages", "4", "--threads", "2", "--anyway")
    assert Thread.objects.filter(owner=other_user).count() == 1


def test_nobody_is_taken_over_by_their_name() -> None:
    made("--messages", "4", "--threads", "2")
    with pytest.raises(CommandError, match="With --user demo they get more of it"):
        made()
    made("--user", "demo", "--messages", "4", "--threads", "2")
    assert Message.objects.count() == 8


def test_a_disk_without_room_is_seen_before(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    command = sys.modules["conversations.management.commands.make_demo_data"]
    monkeypatch.setattr(command.shutil, "disk_usage", lambda _: command.shutil._ntuple_diskusage(10, 9, 1))
    monkeypatch.setattr(command.connection, "vendor", "sqlite")
    assert "there is less" in refusal("--user", "ada", "--messages", "1000000")

"""Lists of very many rows: what is counted, filtered and searched without going through all of them."""

from typing import Any

import pytest
from django.test import Client

from conversations import selectors
from conversations.admin import pages
from conversations.models import Run
from streaming.protocol.lifecycle import RunStatus
from tests.support.stored import Choice, answer, ask

pytestmark = pytest.mark.django_db
THREADS, RUNS = "/admin/conversations/thread/", "/admin/conversations/run/"


def text(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


def by(model: str) -> Any:
    return lambda: [Choice(provider="demo", model=model)]


def test_the_values_of_a_column_are_told_once_each_and_in_order(user: Any) -> None:
    for model in ("b", "a", "b", "c"):
        answer(ask(user, choose=by(model)).run, status=RunStatus.FAILED if model == "c" else RunStatus.COMPLETED)
    assert selectors.known_values("model") == ["demo/a", "demo/b", "demo/c"]
    assert selectors.known_values("error_code") == ["upstream_stalled"]
    Run.objects.all().delete()
    assert selectors.known_values("model") == []


def test_runs_are_filtered_by_model_and_error(overseer: Client, user: Any) -> None:
    answer(ask(user, choose=by("a")).run)
    answer(ask(user, choose=by("b")).run, status=RunStatus.FAILED)
    for query, shown, hidden in (
        ({"model": "demo/a"}, 'field-model">demo/a', 'field-model">demo/b'),
        ({"error_code": "upstream_stalled"}, 'field-model">demo/b', 'field-model">demo/a'),
    ):
        page = text(overseer.get(RUNS, query))
        assert shown in page
        assert hidden not in page


def test_runs_are_found_by_person_model_and_error(overseer: Client, user: Any, staff: Any) -> None:
    answer(ask(user, choose=by("llama")).run, status=RunStatus.FAILED)
    answer(ask(staff, choose=by("mistral")).run)
    for words, models in (
        ("ADA", ["llama"]),
        ("example.org", ["llama", "mistral"]),
        ("mist", ["mistral"]),
        ("stalled", ["llama"]),
        ("ada llama", ["llama"]),
        ("ada mistral", []),
        ("nothing", []),
    ):
        page = text(overseer.get(RUNS, {"q": words}))
        assert [model for model in ("llama", "mistral") if f'field-model">demo/{model}' in page] == models, words


def test_no_more_is_counted_than_anybody_turns_pages(
    overseer: Client, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        ask(user)
    assert "4 runs" in text(overseer.get(RUNS))
    assert "more than" not in text(overseer.get(RUNS))
    monkeypatch.setattr(pages, "MOST", 3)
    for address, kind in ((RUNS, "runs"), (THREADS, "threads")):
        assert f"more than 3 {kind}" in " ".join(text(overseer.get(address)).split())


@pytest.mark.parametrize("address", [THREADS, RUNS])
def test_a_list_asks_the_same_of_few_rows_and_of_many(
    overseer: Client, user: Any, address: str, django_assert_max_num_queries: Any
) -> None:
    overseer.get(address)
    for rows in (3, 30):
        for _ in range(rows):
            answer(ask(user).run)
        with django_assert_max_num_queries(14):
            page = text(overseer.get(address))
    assert page.count("field-owner") == 33


def test_a_thread_s_runs_are_counted_for_the_page_alone(overseer: Client, user: Any) -> None:
    run = answer(ask(user).run, status=RunStatus.FAILED)
    answer(ask(user, "again", thread=run.thread).run)
    page = text(overseer.get(THREADS))
    assert 'field-run_count">2<' in page
    assert 'field-last_status">completed<' in page

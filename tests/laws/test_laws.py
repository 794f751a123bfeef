"""The laws hold, and each is seen to be broken by what breaks it."""

import pytest
from django.apps import apps

from tests.laws.laws import EXCEPTIONS, LAWS, OWNED, RENDERER, Law, Source, pages, pages_write_html_in_one_place, python

BY_NAME = {law.__name__: law for law in LAWS}
DOOR = "streaming/transports/runs.py"
CLOSE = "conversations/services/run_close.py"
VERB = "conversations/services/threads.py"
# The law, where it is broken, and how; then what is no breach of it, at the same place.
BREACHES = [
    ("owned_rows_come_through_a_gate", DOOR, "run = Run.objects.get(pk=run_id)", "run = access_run(principal, run_id)"),
    ("owned_rows_come_through_a_gate", DOOR, "models.Thread.objects.all()", "Plain.objects.all()"),
    ("nobody_is_exempt_from_the_csrf_check", DOOR, "@csrf_exempt\ndef view(): ...", "@csrf_protect\ndef view(): ..."),
    ("html_is_made_in_one_place", VERB, "mark_safe(title)", "format_html('<a>{}</a>', title)"),
    ("tasks_are_made_in_one_place", DOOR, "asyncio.create_task(work())", "tasks.spawn(work(), name='x')"),
    ("tasks_are_made_in_one_place", DOOR, "loop.create_task(work())", "create(work())"),
    ("tasks_are_made_in_one_place", DOOR, "asyncio.ensure_future(work())", "asyncio.gather(work())"),
    ("bytes_from_upstream_are_split_on_bytes", "streaming/providers/x.py", "a.aiter_lines()", "a.aiter_bytes()"),
    ("bytes_from_upstream_are_split_on_bytes", "streaming/providers/x.py", "text.splitlines()", "raw.split(b'\\n')"),
    ("the_layer_carries_no_content", DOOR, "layer.group_send(name, event)", "layer.wake(name)"),
    ("a_status_changes_by_compare_and_set", VERB, "rows.update(status='failed')", "rows.update(title='x')"),
    ("a_status_changes_by_compare_and_set", CLOSE, "run.status = 'x'", "row.status = 'x'"),
    ("users_text_is_no_template", VERB, "title.format(user=user)", "'{}'.format(title)"),
    ("users_text_is_no_template", VERB, "Template(text).render()", "render('page.html')"),
    ("requests_are_no_keywords_of_the_orm", VERB, "objects.create(**request.data)", "create(title=body['title'])"),
    ("requests_are_no_keywords_of_the_orm", VERB, "rows.update(**body)", "rows.update(**wish)"),
    ("nothing_is_executed", VERB, "import pickle", "import json"),
    ("nothing_is_executed", VERB, "eval(text)", "evaluate(text)"),
    ("nothing_is_executed", VERB, "run(command, shell=True)", "run(command, shell=False)"),
    ("http_is_spoken_by_providers_only", DOOR, "import httpx", "import json"),
    ("http_is_spoken_by_providers_only", DOOR, "from urllib.request import x", "from urllib.parse import x"),
    ("leases_are_timed_by_the_database", "conversations/services/run_lease.py",
     "rows.update(expires_at=timezone.now() + beat)", "rows.update(expires_at=Now() + beat)"),
    ("no_exception_is_swallowed", VERB, "try: act()\nexcept Exception: pass", "try: act()\nexcept ValueError: pass"),
    ("no_exception_is_swallowed", VERB, "try: act()\nexcept: tell()", "try: act()\nexcept: raise"),
    ("no_exception_is_swallowed", VERB, "try: act()\nexcept asyncio.CancelledError: tell()",
     "try: act()\nexcept asyncio.CancelledError:\n    tell()\n    raise"),
    ("no_exception_is_swallowed", VERB, "with suppress(Exception): act()", "with suppress(KeyError): act()"),
    ("waits_use_asyncio_timeout", DOOR, "await_(asyncio.wait_for(work(), 1))", "asyncio.timeout(1)"),
]  # fmt: skip
PAGE = "conversations/static/conversations/app.js"
SHELL = "templates/x.html"


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    """Read, and later parsed, once for all laws."""
    return python()


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_law_holds(sources: list[Source], law: Law) -> None:
    broken = [
        f"{source.path}:{line}: {what}"
        for source in sources
        if (law.__name__, source.path) not in EXCEPTIONS
        for line, what in law(source)
    ]
    assert broken == []


@pytest.mark.parametrize(("name", "path", "breach", "fine"), BREACHES)
def test_a_breach_is_seen(name: str, path: str, breach: str, fine: str) -> None:
    assert list(BY_NAME[name](Source(path, breach)))
    assert not list(BY_NAME[name](Source(path, fine)))


def test_every_law_is_seen_to_be_broken_by_something() -> None:
    assert {name for name, *_ in BREACHES} == set(BY_NAME)


@pytest.mark.parametrize(("law", "path"), EXCEPTIONS)
def test_an_exception_is_still_needed_and_has_its_reason(sources: list[Source], law: str, path: str) -> None:
    assert EXCEPTIONS[law, path]
    assert any(list(BY_NAME[law](source)) for source in sources if source.path == path)


def test_the_models_with_an_owner_are_all_known() -> None:
    """A model that points at a person, a thread or a run belongs to somebody."""
    pointing = {
        model.__name__
        for model in apps.get_models()
        if model._meta.app_label in ("accounts", "conversations")
        for field in model._meta.get_fields()
        if field.name in ("owner", "user", "thread", "run") and field.concrete
    }
    assert pointing <= OWNED


def test_pages_write_html_in_one_place() -> None:
    sources = pages()
    assert any(source.path == RENDERER for source in sources)
    assert [(source.path, *found) for source in sources for found in pages_write_html_in_one_place(source)] == []


@pytest.mark.parametrize(
    ("path", "breach"),
    [
        (PAGE, "el.innerHTML = text;"),
        (PAGE, "el.insertAdjacentHTML('beforeend', text);"),
        (PAGE, "eval(text);"),
        (SHELL, "{{ title|safe }}"),
        (SHELL, "{% autoescape off %}"),
        (SHELL, "<script>start()</script>"),
        (SHELL, '<a onclick="go()">'),
        (SHELL, '<p style="color: red">'),
    ],
)
def test_a_breach_in_a_page_is_seen(path: str, breach: str) -> None:
    assert list(pages_write_html_in_one_place(Source(path, breach)))
    assert not list(pages_write_html_in_one_place(Source(path, "el.textContent = text;")))

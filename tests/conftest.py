"""What every test may want: people, and the tokens of people."""

import gc
import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.db import connection, connections
from hypothesis import settings

from chatserver.accounts.models import SCOPES, Scope, User
from chatserver.accounts.services import create_token, create_user
from chatserver.attachments_url import attachments_storage
from conversations.attachments.intake import Taken, take
from conversations.models import Attachment
from conversations.services.attachments import store

PASSWORD = "correct horse battery staple"
TESTS = Path(__file__).resolve().parent
# These tests/run.sh leaves out where everything that touches a database is tested on PostgreSQL.
WITHOUT_DATABASE = (
    *("docs/", "process/", "browser/", "laws/", "sabotage/", "bench/", "chaos/"),
    *("streaming/providers/", "streaming/protocol/", "streaming/tools/"),
)
# Each run of all tests tries other ones; ``make proofs`` tries more at once.
settings.register_profile("ours", max_examples=int(os.environ.get("PROPERTY_EXAMPLES", "50")))
settings.load_profile("ours")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What touches the database is marked ``database``, and so runs on both; ``postgres`` is left out on SQLite, and
    ``live`` where no model server is installed.

    Files that take long come first, so that at the end no worker waits for another.
    """
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    elsewhere = pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL (DATABASE_URL)")
    nobody = pytest.mark.skipif(find_spec("xllamacpp") is None, reason="needs llama.cpp (requirements-live.lock)")
    for item in items:
        if any(item.get_closest_marker(mark) for mark in ("process", "browser")) and not _says_so(item.path):
            raise pytest.UsageError(f"{item.path} has tests with servers and does not mark them itself (tests/run.sh)")
        if item.get_closest_marker("live"):
            item.add_marker(nobody)
        if item.get_closest_marker("django_db") or "db" in getattr(item, "fixturenames", ()):
            item.add_marker("database")
            if str(item.path.relative_to(TESTS)).startswith(WITHOUT_DATABASE) and not _says_so(item.path):
                raise pytest.UsageError(f"{item.path} touches a database, and tests/run.sh leaves it out on PostgreSQL")
        if item.get_closest_marker("postgres"):
            item.add_marker(elsewhere)


@cache
def _says_so(path: Path) -> bool:
    """Whether tests/run.sh finds it, where it looks for tests with servers and browsers."""
    return re.search(r"mark\.(process|browser)", path.read_text()) is not None


def pytest_collection_finish() -> None:
    """What stands now stays to the end: thousands of tests, and all that was imported. To look through it for something
    to collect, again and again, takes a fifth of the tests' time.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    yield
    # Asynchronous tests ask in this thread; as long as it is connected, PostgreSQL does not drop the tests' database.
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()


@pytest.fixture
def password() -> str:
    """The password of every person below."""
    return PASSWORD


@pytest.fixture
def user(db: None) -> User:
    return create_user(username="ada", email="ada@example.org", password=PASSWORD)


@pytest.fixture
def other_user(db: None) -> User:
    return create_user(username="bob", email="bob@example.org", password=PASSWORD)


@pytest.fixture
def staff(db: None) -> User:
    """May open the administration, and has no permission in it."""
    return create_user(username="sam", email="sam@example.org", password=PASSWORD, is_staff=True)


@pytest.fixture
def admin_user(db: None) -> User:
    return create_user(username="root", email="root@example.org", password=PASSWORD, is_superuser=True)


@pytest.fixture
def attachments_dir(settings: Any, tmp_path: Path) -> Path:
    """Where the files of this test lie."""
    directory = tmp_path / "attachments"
    settings.STORAGES = {**settings.STORAGES, "attachments": attachments_storage("", tmp_path)}
    return directory


@pytest.fixture
def text(tmp_path: Path) -> Callable[..., Taken]:
    """``text(content, name)`` is a text as it is taken from somebody."""

    def made(content: str = "Hello", name: str = "hello.txt") -> Taken:
        path = tmp_path / "sent.txt"
        path.write_text(content, encoding="utf-8", newline="")
        return take(path, name=name, scratch=tmp_path)

    return made


@pytest.fixture
def attach(attachments_dir: Path, text: Callable[..., Taken]) -> Callable[..., Attachment]:
    """``attach(user, content, name=…)`` keeps a text for somebody."""

    def made(user: User, content: str = "Hello", *, name: str = "hello.txt") -> Attachment:
        return store(owner_id=user.pk, taken=text(content, name), quota=2**40)[0]

    return made


@pytest.fixture
def token_for(db: None) -> Callable[..., str]:
    """``token_for(user, scopes)`` gives the text of a fresh token; without scopes it has all."""

    def make(user: User, scopes: Iterable[Scope] = SCOPES) -> str:
        return create_token(user=user, name="test", scopes=scopes)[1]

    return make

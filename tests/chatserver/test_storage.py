import contextlib
import sqlite3
import stat
from functools import partial
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from chatserver.storage import database, kept_secret
from tests.support.together import together


def test_a_secret_is_made_once_and_kept_for_its_owner_only(tmp_path: Path):
    path = tmp_path / "new" / "secret_key"
    assert kept_secret(path, "first") == "first"
    assert kept_secret(path, "second") == "first"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_data_and_database_are_for_their_owner_only(tmp_path: Path):
    settings = database("", tmp_path / "data")
    with contextlib.closing(sqlite3.connect(settings["NAME"])) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("CREATE TABLE thread (title)")
        files = [tmp_path / "data", *(tmp_path / "data").iterdir()]
        assert {file.name for file in files} == {"data", "chat.sqlite3", "chat.sqlite3-wal", "chat.sqlite3-shm"}
        assert [stat.S_IMODE(file.stat().st_mode) & 0o077 for file in files] == [0, 0, 0, 0]


def test_a_database_that_is_there_is_left_as_it_is(tmp_path: Path):
    path = tmp_path / "chat.sqlite3"
    path.write_bytes(b"")
    path.chmod(0o640)
    database("", tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_an_empty_file_of_a_start_that_died_is_no_secret(tmp_path: Path):
    path = tmp_path / "secret_key"
    path.touch()
    assert kept_secret(path, "first") == "first"
    assert kept_secret(path, "second") == "first"


def test_a_start_that_dies_while_it_writes_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("chatserver.storage.os.fsync", die)
    with pytest.raises(KeyboardInterrupt):
        kept_secret(tmp_path / "secret_key", "first")
    assert list(tmp_path.iterdir()) == []


def test_starts_at_once_get_the_same_secret(tmp_path: Path):
    path = tmp_path / "secret_key"
    got = together([partial(kept_secret, path, f"secret {n}") for n in range(16)])
    assert set(got) == {path.read_text()}
    assert list(tmp_path.iterdir()) == [path]


def test_without_an_address_it_is_a_file_under_the_data_directory(tmp_path: Path):
    settings = database("", tmp_path)
    assert settings["NAME"] == tmp_path / "chat.sqlite3"
    assert settings["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert settings["CONN_MAX_AGE"] is None  # a thread's connection stays
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        assert pragma in settings["OPTIONS"]["init_command"]


def test_a_postgres_address_becomes_a_pooled_connection(tmp_path: Path):
    settings = database("postgres://us%40er:p%3Aw@db.example:5433/chat", tmp_path)
    assert (settings["USER"], settings["PASSWORD"]) == ("us@er", "p:w")
    assert (settings["HOST"], settings["PORT"], settings["NAME"]) == ("db.example", 5433, "chat")
    assert settings["OPTIONS"]["pool"]["max_size"] == 20
    assert (settings["CONN_MAX_AGE"], settings["CONN_HEALTH_CHECKS"]) == (0, True)
    assert settings["OPTIONS"]["options"] == (
        "-c statement_timeout=30000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=20000"
        " -c synchronous_commit=on"
    )


def test_a_postgres_that_vanishes_is_noticed(tmp_path: Path):
    options = database("postgres://db/chat?keepalives_idle=60", tmp_path)["OPTIONS"]
    assert (options["connect_timeout"], options["keepalives_count"], options["tcp_user_timeout"]) == (5, 3, 20_000)
    assert options["keepalives_idle"] == "60"


def test_what_postgres_is_given_can_be_set(tmp_path: Path):
    url = "postgres://db/chat?sslmode=require&options=-c%20work_mem%3D8MB&pool=none"
    options = database(url, tmp_path, pool=5, statement_timeout=0, lock_timeout=0.5)["OPTIONS"]
    assert options["pool"]["max_size"] == 5
    assert options["sslmode"] == "require"
    assert options["options"] == (
        "-c statement_timeout=0 -c lock_timeout=500 -c idle_in_transaction_session_timeout=20000"
        " -c synchronous_commit=on -c work_mem=8MB"
    )


@pytest.mark.parametrize("url", ["postgres://host:abc/chat", "postgres://127.0.0.1", "postgres://host/", "sqlite:///"])
def test_an_address_without_a_database_or_with_a_port_that_is_none_is_refused(tmp_path: Path, url: str):
    with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_URL names no .*; write .*\.$"):
        database(url, tmp_path)


def test_any_other_address_is_refused(tmp_path: Path):
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL"):
        database("mysql://root@localhost/chat", tmp_path)

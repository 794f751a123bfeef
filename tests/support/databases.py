"""The databases of servers that tests start: files on SQLite, or where DATABASE_URL says so, on PostgreSQL."""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.rows import dict_row

from tests.support.services import OwnPostgres, postgres_programs

POSTGRES = url if (url := os.environ.get("DATABASE_URL", "")).startswith("postgres") else ""


class Database(Protocol):
    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """What it has, whether its server runs or not; ``?`` stands for a value."""
        ...

    def spoil(self, sql: str, *values: Any) -> int:
        """Change it behind its server's back; returns how many rows."""
        ...


class SqliteFile:
    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=10)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(sql, values)]

    def spoil(self, sql: str, *values: Any) -> int:
        with closing(sqlite3.connect(self._path, timeout=10)) as database, database:
            return database.execute(sql, values).rowcount


class PostgresDatabase:
    def __init__(self, url: str) -> None:
        self._url = url

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self._url, autocommit=True, row_factory=dict_row) as database:
            return database.execute(_placed(sql), values).fetchall()

    def spoil(self, sql: str, *values: Any) -> int:
        with psycopg.connect(self._url, autocommit=True) as database:
            return database.execute(_placed(sql), values).rowcount


def database_of(data_dir: Path, settings: dict[str, Any]) -> Database:
    """The database of a server with these settings."""
    url = str(settings.get("DATABASE_URL", ""))
    return PostgresDatabase(url) if url else SqliteFile(data_dir / "chat.sqlite3")


class PostgresServer:
    """Makes databases on the server of ``url``, and drops all of them when it is closed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: list[str] = []

    def create(self, *, template: str = "template0") -> str:
        """The address of a new database, a copy of ``template``, to which nobody may be connected."""
        name = f"chat_test_{secrets.token_hex(6)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        self._made.append(name)
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{name}"))

    def execute(self, sql: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as database:
            database.execute(sql)

    def close(self) -> None:
        for name in self._made:
            self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def name_in(url: str) -> str:
    return urlsplit(url).path.lstrip("/")


@contextmanager
def postgres_server() -> Iterator[PostgresServer | None]:
    """None where the tests run on SQLite.

    Where the machine has the programs, a server of our own: each worker's nodes take dozens of connections, and what
    several workers take together is more than a server allows by default.
    """
    if not POSTGRES:
        yield None
    elif postgres_programs() is None:
        with closing(PostgresServer(POSTGRES)) as server:
            yield server
    else:
        with OwnPostgres() as own, closing(PostgresServer(own.url())) as server:
            yield server


def _placed(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")

"""Where data lies: the database's settings, and secrets that a first start makes and keeps."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_SQLITE_INIT = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
_POSTGRES_SCHEMES = frozenset({"postgres", "postgresql"})


def kept_secret(path: Path, fresh: str) -> str:
    """The secret in the file at ``path``; on the first start ``fresh`` is written there, readable by the owner only.

    It appears whole or not at all, and of several first starts at once all get the same one.
    """
    if kept := _text_of(path):
        return kept
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # only its owner may read it
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(fresh)
            file.flush()
            os.fsync(descriptor)
        if path.exists() and not _text_of(path):
            os.replace(draft, path)  # an empty file, of a start that died, is no secret
        else:
            with suppress(FileExistsError):  # another start was faster; its secret counts
                os.link(draft, path)
    finally:
        Path(draft).unlink(missing_ok=True)
    return _text_of(path)


def _text_of(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""


def database(
    url: str, data_dir: Path, *, pool: int = 20, statement_timeout: float = 30.0, lock_timeout: float = 10.0
) -> dict[str, Any]:
    """Django's settings for DATABASE_URL; without one, SQLite under DATA_DIR.

    For PostgreSQL only: ``pool`` is how many connections a process has at most, the time-outs are in seconds (0: none).
    """
    if not url:
        data_dir.mkdir(parents=True, exist_ok=True)
        return _sqlite(data_dir / "chat.sqlite3")
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return _sqlite(Path(unquote(parts.path)))
    if parts.scheme in _POSTGRES_SCHEMES:
        further = dict(parse_qsl(parts.query))
        limits = {"statement_timeout": int(statement_timeout * 1000), "lock_timeout": int(lock_timeout * 1000)}
        options = [*(f"-c {name}={number}" for name, number in limits.items()), "-c synchronous_commit=on"]
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": parts.port or "",
            # Persistent connections do not work under ASGI; a pool does, and it bounds them.
            "CONN_MAX_AGE": 0,
            # The pool asks a connection whether it lives before it gives it out: after a restart of the database the
            # dead ones would else fail a request each.
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {
                **further,
                # Who gets none within the time is told that storage is busy. Tries to connect that failed for some
                # seconds are given up, so that the next who asks tries at once: they come ever more seldom.
                "pool": {"min_size": 1, "max_size": pool, "timeout": 5, "reconnect_timeout": 3},
                "options": " ".join([*options, *filter(None, [further.get("options")])]),
            },
        }
    raise ImproperlyConfigured("DATABASE_URL must begin with postgres:// or sqlite:///.")


def _sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            # Deferred transactions that read first and write later fail at once under contention; these wait.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": _SQLITE_INIT,
        },
        # A file, so that the threads and processes of a test see the same rows.
        "TEST": {"NAME": path.with_name(f"test-{path.name}")},
    }

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


def database(url: str, data_dir: Path) -> dict[str, Any]:
    """Django's settings for DATABASE_URL; without one, SQLite under DATA_DIR."""
    if not url:
        data_dir.mkdir(parents=True, exist_ok=True)
        return _sqlite(data_dir / "chat.sqlite3")
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return _sqlite(Path(unquote(parts.path)))
    if parts.scheme in _POSTGRES_SCHEMES:
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": parts.port or "",
            # Persistent connections do not work under ASGI; a pool does, and it bounds them.
            "CONN_MAX_AGE": 0,
            "OPTIONS": {
                "pool": {"min_size": 1, "max_size": 16, "timeout": 10},
                "options": "-c statement_timeout=30000 -c lock_timeout=10000 -c synchronous_commit=on",
                **dict(parse_qsl(parts.query)),
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

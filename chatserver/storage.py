"""Where data lies: the database's settings, and secrets that a first start makes and keeps."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_SQLITE_INIT = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
IDLE_IN_TRANSACTION = 20_000  # milliseconds; ours never wait for anybody in the middle of one
# A server that vanishes without a word, or a wall that forgets a connection, is noticed within about half a minute.
# libpq would try to connect, and wait for answers, for as long as the kernel does: minutes, and hours.
_NOTICES_WHEN_NOBODY_IS_THERE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
}
_POSTGRES_SCHEMES = frozenset({"postgres", "postgresql"})


def kept_secret(path: Path, fresh: str) -> str:
    """The secret in the file at ``path``; on the first start ``fresh`` is written there, readable by the owner only.

    It appears whole or not at all, and of several first starts at once all get the same one.
    """
    if kept := _text_of(path):
        return kept
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
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
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _sqlite(data_dir / "chat.sqlite3")
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.scheme == "sqlite":
        if path.strip("/") == "":
            raise ImproperlyConfigured("DATABASE_URL names no file; write sqlite:////var/lib/chatserver/chat.sqlite3.")
        return _sqlite(Path(path))
    if parts.scheme in _POSTGRES_SCHEMES:
        if not path.strip("/") or not _has_a_usable_port(parts):
            raise ImproperlyConfigured(
                "DATABASE_URL names no database, or a port that is no number; write postgres://user:password@host:5432/chat."
            )
        further = dict(parse_qsl(parts.query))
        limits = {
            "statement_timeout": int(statement_timeout * 1000),
            "lock_timeout": int(lock_timeout * 1000),
            # A process that freezes in the middle of a transaction keeps its locks from those who take its runs over.
            "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION,
        }
        options = [*(f"-c {name}={number}" for name, number in limits.items()), "-c synchronous_commit=on"]
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": path.lstrip("/"),
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
                **_NOTICES_WHEN_NOBODY_IS_THERE,
                **further,
                # Who gets none within the time is told that storage is busy. Tries to connect that failed for some
                # seconds are given up, so that the next who asks tries at once: they come ever more seldom.
                "pool": {"min_size": 1, "max_size": pool, "timeout": 5, "reconnect_timeout": 3},
                "options": " ".join([*options, *filter(None, [further.get("options")])]),
            },
        }
    raise ImproperlyConfigured("DATABASE_URL must begin with postgres:// or sqlite:///.")


def _has_a_usable_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _sqlite(path: Path) -> dict[str, Any]:
    if path.parent.is_dir() and not path.exists():
        # SQLite would let everybody on the machine read it; its other files get the mode of this one.
        with suppress(OSError):
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        # The threads that ask are few and live long: each keeps its connection. To open the file anew costs 1.3 ms,
        # and one question came to pay that 17 times.
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # Deferred transactions that read first and write later fail at once under contention; these wait.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": _SQLITE_INIT,
        },
        # A file, so that the threads and processes of a test see the same rows.
        "TEST": {"NAME": path.with_name(f"test-{path.name}")},
    }

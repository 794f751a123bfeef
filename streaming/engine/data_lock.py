"""One supervisor a data directory: SQLite has one writer, and after a restart every lease found must be known dead."""

import fcntl
import os
from pathlib import Path


class DataDirectoryInUse(Exception):
    """Another process works on this data directory."""


class DataLock:
    """An exclusive lock that the operating system frees when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise DataDirectoryInUse(
                f"Another chatserver process uses {self._path.parent}. Stop it, set another DATA_DIR, "
                "or use PostgreSQL (DATABASE_URL) to run several."
            ) from None
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

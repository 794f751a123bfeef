"""A database for tests whose threads must see one another's rows: everything is committed, and emptied at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.test.utils import setup_databases, teardown_databases


@contextmanager
def committed(blocker: Any) -> Iterator[None]:
    """The tests' database, for whole modules. pytest-django makes one only where some test is marked for it."""
    with blocker.unblock():
        made = None
        if not _is_for_tests():
            made = setup_databases(verbosity=0, interactive=False, aliases={"default"})
        assert _is_for_tests()
        try:
            yield
        finally:
            if made is None:
                call_command("flush", interactive=False, verbosity=0)
            else:
                connection.close()
                teardown_databases(made, verbosity=0)


def _is_for_tests() -> bool:
    return "test" in Path(str(connection.settings_dict["NAME"])).name

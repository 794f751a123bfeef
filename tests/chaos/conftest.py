import os
from typing import Any

from tests.chaos.table import PAGE, rows_in, table, written_into
from tests.support.processes import *  # noqa: F403  fixtures
from tests.support.services import missing_services


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table, and what was left out; with CHAOS_TABLE=1 it is written into docs/reliability.md."""
    for missing in missing_services():
        terminalreporter.write_line(f"Left out on this machine: everything that needs {missing}.")
    reports = [report for name in ("passed", "failed") for report in terminalreporter.stats.get(name, [])]
    if not (rows := rows_in([report for report in reports if report.when == "call"])):
        return
    terminalreporter.write_line("")
    terminalreporter.write_line(table(rows))
    if os.environ.get("CHAOS_TABLE") and not terminalreporter.stats.get("failed"):
        PAGE.write_text(written_into(PAGE.read_text(), rows))

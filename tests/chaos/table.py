"""What campaigns found, as a table: printed when they are over, and kept in docs/reliability.md between two marks."""

import json
from pathlib import Path
from typing import Any

from tests.chaos.campaign import Outcome

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- table of make chaos-table -->", "<!-- end of the table -->"
HEADER = """\
| shape | other faults | kills | runs | events seen | tokens lost | longest pause | taken over: p50, longest | replay |
|---|---|---|---|---|---|---|---|---|
"""


def row_of(outcome: Outcome) -> str:
    """One line, as JSON: it travels from the process of a test to the one that prints."""
    took = outcome.takeovers
    others = outcome.tried.total() - outcome.kills
    kinds = len(set(outcome.tried) - {"kill -9", "SIGTERM"})
    cells = [
        outcome.plan.name,
        f"{others}, of {kinds} kinds",
        f"{outcome.kills} ({outcome.tried['kill -9']} SIGKILL, {outcome.tried['SIGTERM']} SIGTERM)",
        f"{outcome.runs}: " + ", ".join(f"{number} {status}" for status, number in sorted(outcome.ends.items())),
        str(outcome.events),
        str(outcome.tokens_lost),
        f"{outcome.longest_pause:.1f} s",
        f"{outcome.takeover_p50:.1f} s, {max(took):.1f} s ({len(took)} runs)" if took else "–",
        f"`CHAOS_SEED={outcome.seed}`",
    ]
    return json.dumps(cells)


def table(rows: list[str]) -> str:
    lines = ["| " + " | ".join(json.loads(row)) + " |" for row in rows]
    return HEADER + "\n".join(lines) + "\n"


def written_into(page: str, rows: list[str]) -> str:
    """The page with this table in the place of the one that it has."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    assert after or page.rstrip().endswith(END), "the page has no place for the table"
    return f"{before}{BEGIN}\n\n{table(rows)}\n{END}{after}"


def rows_in(reports: list[Any]) -> list[str]:
    """From the reports of tests."""
    return [value for report in reports for name, value in report.user_properties if name == "campaign"]

"""The table in docs/performance.md, between two marks."""

from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- table of make bench-table -->", "<!-- end of the table -->"


def written_into(page: str, table: str) -> str:
    """The page with this table in the place of the one that it has. Raises ValueError where it has no place for one."""
    before, begins, rest = page.partition(BEGIN)
    _, ends, after = rest.partition(END)
    if not begins or not ends:
        raise ValueError("the page has no place for the table")
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"

"""docs/proofs.md against the tests: whoever renames or removes a test hears that something was proved by it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "docs" / "proofs.md").read_text()
ROWS = [line for line in TEXT.splitlines() if re.match(r"\| [A-Z]\d+ ", line)]
NAMED = sorted(set(re.findall(r"`(tests/[^`]*)`", TEXT)))


def name_of(row: str) -> str:
    return row.split()[1]


def test_there_are_rows_and_each_stands_once() -> None:
    names = [name_of(row) for row in ROWS]
    assert names
    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_every_row_names_a_test(row: str) -> None:
    assert re.search(r"`tests/\S+::test_\w+`", row)


@pytest.mark.parametrize("named", NAMED)
def test_a_named_test_is_there(named: str) -> None:
    path, _, name = named.partition("::")
    source = (ROOT / path).read_text()
    assert not name or re.search(rf"^(?:async )?def {name}\(", source, re.M), named

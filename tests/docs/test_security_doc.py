"""docs/security.md names every gate, and no other."""

import re
from pathlib import Path

from chatserver.gates import GATES

TEXT = (Path(__file__).resolve().parent.parent.parent / "docs" / "security.md").read_text()


def test_the_gates_are_those_of_the_code() -> None:
    table = TEXT[TEXT.index("## Gates") :].split("\n## ")[0]
    first = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {name for cell in first for name in re.findall(r"`(\w+)`", cell)} == GATES

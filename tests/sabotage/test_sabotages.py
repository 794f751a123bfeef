"""Every fault of ``make sabotage`` can still be made, and every test that must see it is there."""

import re

import pytest

from tests.sabotage.sabotages import ROOT, SABOTAGES, Sabotage


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.name)
def test_the_line_to_spoil_is_there_and_stays_python(sabotage: Sabotage) -> None:
    compile(sabotage.applied_to(ROOT), sabotage.path, "exec")
    for named in sabotage.seen_by:
        path, _, name = named.partition("::")
        assert (ROOT / path).exists(), named
        plain = name.partition("[")[0]
        assert not name or re.search(rf"^(?:async )?def {plain}\(", (ROOT / path).read_text(), re.M), named


def test_their_names_tell_them_apart() -> None:
    assert len({sabotage.name for sabotage in SABOTAGES}) == len(SABOTAGES) >= 20

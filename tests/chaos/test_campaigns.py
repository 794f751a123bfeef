"""Everything that can break breaks, on every shape, while people ask and read: nothing is lost, and everything ends.

``CHAOS=full`` is a hundred kills and more a shape; else a few. A failure names its seed: ``CHAOS_SEED=…`` asks and
breaks the same again.
"""

import os
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.campaign import campaign
from tests.chaos.checker import anomalies
from tests.chaos.history import Evidence
from tests.chaos.shapes import PLANS, Shape
from tests.chaos.table import row_of
from tests.support.services import missing_services

pytestmark = [pytest.mark.long, pytest.mark.process, pytest.mark.timeout(1200)]
FULL = os.environ.get("CHAOS") == "full"
KILLS = int(os.environ.get("CHAOS_KILLS", "90" if FULL else "4"))
SECONDS = 400 if FULL else 40


def seed() -> int:
    return int(os.environ.get("CHAOS_SEED") or random.randrange(1_000_000))


@pytest.mark.parametrize("name", PLANS)
async def test_nothing_is_lost_and_everything_ends(name: str, record_property: Callable[[str, object], None]) -> None:
    plan = PLANS[name]
    for what in (["PostgreSQL"] if plan.postgres else []) + (["Redis"] if plan.redis else []):
        if any(missing.startswith(what) for missing in missing_services()):
            pytest.skip(f"this machine has no {what}")
    with Shape(plan) as shape:
        outcome = await campaign(shape, seed=seed(), kills=KILLS, seconds=SECONDS)
        print(outcome)
        record_property("campaign", row_of(outcome))
        assert not outcome.found, "\n".join([str(outcome), *map(str, outcome.found[:20])])
        assert outcome.tokens_lost == 0
        assert outcome.kills >= min(KILLS, 3), "too little was broken for this to prove anything"
        assert outcome.events > 20 * outcome.kills, "too little was seen for this to prove anything"
        assert _forged(outcome.evidence), "the judge is blind"
        if not plan.postgres:
            assert shape.database.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]


def _forged(evidence: Evidence) -> bool:
    """The positive control: whether one letter more in one of all stored answers is found."""
    row = next(iter(evidence.rows.values()))
    evidence.rows[row.run_id] = replace(row, content=row.content + "x")
    return bool(anomalies(evidence))

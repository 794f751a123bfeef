"""The fold, held to the recorded transcripts that the page's twin is held to as well."""

import json
from pathlib import Path
from typing import Any

import pytest

from streaming.protocol.codec import Entry, decode, dumps, encode
from streaming.protocol.snapshot import RunState

TRANSCRIPTS = sorted((Path(__file__).resolve().parents[2] / "transcripts").glob("*.json"))


def shown(state: RunState) -> Any:
    snapshot = json.loads(encode(state.as_snapshot(False, ""), state.last))["data"]
    return {name: snapshot.get(name) for name in ("run", "messages", "steps", "approvals", "as_of")}


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_a_recorded_transcript_folds_to_the_states_that_were_recorded(path: Path) -> None:
    recorded = json.loads(path.read_text())
    state, compared = RunState(), 0
    for envelope in recorded["events"]:
        if "id" not in envelope:
            continue
        state.extend([Entry(envelope["id"], dumps(envelope))])
        if (snapshot := recorded["snapshots"].get(str(envelope["id"]))) is not None:
            assert shown(state) == {name: snapshot.get(name) for name in shown(state)}
            assert decode(dumps(envelope))[1] is not None
            compared += 1
    assert compared > 3
    assert state.terminal

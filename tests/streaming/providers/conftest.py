import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.standin import OpenAIStandIn, StandIn

WIRES = Path(__file__).resolve().parents[2] / "wires"


@pytest.fixture(scope="session")
def expected() -> dict[str, Any]:
    return json.loads((WIRES / "expected.json").read_bytes())


@pytest.fixture(scope="session")
def http_errors() -> dict[str, Any]:
    return json.loads((WIRES / "http-errors.json").read_bytes())


@pytest.fixture(scope="session")
def endpoints() -> dict[str, Any]:
    return json.loads((WIRES / "endpoints.json").read_bytes())


@pytest.fixture(scope="session")
def prompts() -> dict[str, Any]:
    return json.loads((WIRES / "requests.json").read_bytes())


@pytest.fixture(scope="session")
def _standin_process():
    with StandIn() as standin:
        yield standin


@pytest.fixture
def standin(_standin_process):
    """A model server in a process of its own, with nothing counted yet."""
    _standin_process.reset()
    return _standin_process


@pytest.fixture(scope="session")
def _compatible_process():
    with OpenAIStandIn() as compatible:
        yield compatible


@pytest.fixture
def compatible(_compatible_process):
    """An OpenAI-compatible model server in a process of its own, with nothing counted yet."""
    _compatible_process.reset()
    return _compatible_process

"""docs/configuration.md names every variable that the settings read, and no other, with the right numbers."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS = (ROOT / "chatserver" / "settings.py").read_text()
LINES = re.findall(r"^\| `([A-Z_]+)` \| ([^|]*) \|", (ROOT / "docs" / "configuration.md").read_text(), re.M)
ROWS = dict(LINES)
READ = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', SETTINGS))
NUMBERS = dict(re.findall(r'env\.(?:whole|number)\(\s*"([A-Z_]+)", ([\d._* ]+)[,)]', SETTINGS))
SWITCHES = dict(re.findall(r'env\.flag\(\s*"([A-Z_]+)", (True|False)\)', SETTINGS))
WORDS = dict(re.findall(r'env\.(?:choice|http_url|text)\(\s*"([A-Z_]+)", "([^"]+)"', SETTINGS))


def product(text: str) -> float:
    value = 1.0
    for factor in text.replace("_", "").split("*"):
        value *= float(factor)
    return value


def test_the_variables_are_those_that_are_read() -> None:
    assert len(READ) > 30
    assert set(ROWS) == READ


def test_a_variable_has_one_row() -> None:
    assert len(LINES) == len(ROWS)


@pytest.mark.parametrize(("name", "default"), NUMBERS.items())
def test_a_number_has_its_default(name: str, default: str) -> None:
    assert float(ROWS[name]) == product(default)


@pytest.mark.parametrize(("name", "default"), SWITCHES.items())
def test_a_switch_has_its_default(name: str, default: str) -> None:
    assert ROWS[name] == {"True": "on", "False": "off"}[default]


@pytest.mark.parametrize(("name", "default"), WORDS.items())
def test_a_word_has_its_default(name: str, default: str) -> None:
    assert f"`{default}`" in ROWS[name]

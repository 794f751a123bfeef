import json
import logging
import logging.config

import pytest
import structlog
from django.core.exceptions import ImproperlyConfigured

from chatserver.logs import logging_config, parse_levels


def test_a_level_for_all_and_levels_of_components():
    assert parse_levels("info") == ("info", {})
    assert parse_levels("warning, providers=debug,transports=info") == (
        "warning",
        {"streaming.providers": "debug", "streaming.transports": "info"},
    )


@pytest.mark.parametrize("text", ["loud", "providers=loud", "nobody=info"])
def test_an_unknown_level_or_component_is_refused(text: str):
    with pytest.raises(ImproperlyConfigured, match="LOG_LEVEL"):
        parse_levels(text)


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31mred", "\u2028", 'quote"'])
def test_no_text_can_forge_a_line_or_reach_the_terminal(text: str, capsys: pytest.CaptureFixture[str]):
    handler = logging_config("info")
    formatter = handler["formatters"]["json"]
    made = structlog.stdlib.ProcessorFormatter(**{name: value for name, value in formatter.items() if name != "()"})
    record = logging.LogRecord("x", logging.INFO, "f", 1, text, (), None)
    line = made.format(record)
    assert "\n" not in line
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["event"] == text

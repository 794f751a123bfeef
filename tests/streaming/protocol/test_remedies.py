"""The page's table of what can be done about an error, held to the server's error tree."""

import re
from collections.abc import Iterator
from pathlib import Path

from streaming.engine.calls import MAX_STEPS, REPEAT_LIMIT
from streaming.protocol.errors import ChatError, PullUnknown, RequestError, UpstreamDiskFull
from streaming.tools.base import ToolError

ROOT = Path(__file__).resolve().parents[3]
SOURCE = (ROOT / "conversations/static/conversations/remedies.js").read_text()
DOCUMENT = (ROOT / "docs/protocol.md").read_text()


def table(name: str) -> dict[str, str]:
    found = re.search(rf"^const {name} = {{\n(.*?)^}};", SOURCE, re.M | re.S)
    assert found, name
    return dict(re.findall(r"^  (\w+): (.+),$", found[1], re.M))


def classes(base: type[ChatError]) -> Iterator[type[ChatError]]:
    yield base
    for each in base.__subclasses__():
        if each.__module__.startswith("streaming."):
            yield from classes(each)


def of_runs() -> dict[str, type[ChatError]]:
    """Whatever may become the error of a run: not of a call, a tool or a pull."""
    elsewhere = {*classes(RequestError), *classes(ToolError), PullUnknown, UpstreamDiskFull}
    return {each.code: each for each in classes(ChatError) if each not in elsewhere}


def test_every_error_of_a_run_has_its_remedy_and_no_other() -> None:
    assert table("OF_RUNS").keys() == of_runs().keys()


def test_whatever_the_server_calls_worth_another_try_can_be_tried_again() -> None:
    offered = {code for code, words in table("OF_RUNS").items() if words.endswith("again: true }")}
    assert {code for code, each in of_runs().items() if each.retryable} <= offered


def test_every_error_of_a_step_has_its_remedy_and_no_other() -> None:
    """The protocol's document is held to the code elsewhere."""
    steps = DOCUMENT.partition("Errors of a **step**")[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `(\w+)` \|", steps, re.M))
    assert table("OF_STEPS").keys() == documented
    assert {each.code for each in classes(ToolError)} | {MAX_STEPS, REPEAT_LIMIT} <= documented

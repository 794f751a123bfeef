"""What a person should know of how a run was asked: what did not fit, and what its model could not be given.

A notice is no error: the answer came, of less than was wished for.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

MOST_NAMES = 20  # in one notice: it is a line under an answer


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """``code`` is stable, ``message`` one sentence for a person. ``details`` are small: counts and names."""

    code: str
    message: str
    details: dict[str, Any] | None = None


def noted(earlier: Sequence[Notice], more: Iterable[Notice]) -> list[Notice]:
    """``earlier`` with ``more``: one a code, the newest, because a run that is asked again is told again."""
    return list({notice.code: notice for notice in (*earlier, *more)}.values())


def attachment_shortened(names: Iterable[str]) -> Notice:
    listed = sorted(set(names))[:MOST_NAMES]
    sentence = f"There was not enough room for all of {_listed(listed)}; the model was given the beginning."
    return Notice(code="attachment_shortened", message=sentence, details={"names": listed})


def attachments_left_out(names: Iterable[str]) -> Notice:
    listed = sorted(set(names))[:MOST_NAMES]
    sentence = f"There was no room for {_listed(listed)}, or it could not be read; the model was asked without."
    return Notice(code="attachments_left_out", message=sentence, details={"names": listed})


def left_out(names: Iterable[str]) -> Notice:
    """What the model server refused to take, and was asked without."""
    listed = sorted(names)
    sentence = f"The model server does not take {', '.join(listed)}; it was asked without."
    return Notice(code="not_taken", message=sentence, details={"names": listed})


def tools_left_out(names: Iterable[str], *, able: bool) -> Notice:
    """Tools that were asked for by name, of a model that cannot call any; where it is ``able``, that there are not."""
    listed = sorted({*names})[:MOST_NAMES]
    sentence = f"This model cannot call tools; it was asked without {_listed(listed)}."
    if able:
        sentence = f"There is no tool called {_listed(listed, 'or')}; the model was asked without."
    return Notice(code="tools_left_out", message=sentence, details={"names": listed})


def thinking_left_out(sentence: str, *, asked: bool | str, given: bool | str | None) -> Notice:
    """What was asked for of the model's thinking, and what it was told instead; None is nothing."""
    return Notice(code="thinking_left_out", message=sentence, details={"asked": asked, "given": given})


def parameters_left_out(names: Iterable[str], *, window: int | None = None) -> Notice:
    """Parameters for which the model server has no word; ``window`` where a longer context was asked for than that."""
    listed = sorted(names)
    unsaid = [name for name in listed if window is None or name != "context_length"]
    sentences = []
    if unsaid:
        sentences.append(f"This model server has no setting for {_listed(unsaid)}; it was asked without.")
    if window is not None:
        sentences.append(f"This model reads at most {window:,} tokens at once here, less than was asked for.")
    return Notice(code="parameters_left_out", message=" ".join(sentences), details={"names": listed})


def images_left_out(count: int) -> Notice:
    """Images of a thread, of a model that cannot see."""
    sentence = f"This model cannot see images; {_counted(count, 'an image was', 'images were')} left out."
    return Notice(code="images_left_out", message=sentence, details={"images": count})


def context_dropped(*, messages: int, turns: int, window: int | None, at_least: bool = False) -> Notice:
    """The oldest of a thread: ``messages`` questions and answers, in ``turns`` exchanges. ``window``: what the model
    reads at once. ``at_least``: and what comes before those, which nobody has counted.
    """
    oldest = "oldest messages" if at_least else _counted(messages, "oldest message", "oldest messages")
    details: dict[str, Any] = {"messages": messages, "turns": turns, "window": window, "at_least": at_least}
    return Notice(code="context_dropped", message=f"The {oldest} did not fit; {_reads(window)}", details=details)


def tool_results_shortened(names: Iterable[str], *, window: int | None) -> Notice:
    """Of these tools the model was given the beginning and the end of a result."""
    listed = sorted(names)[:MOST_NAMES]
    sentence = f"Long results of {_listed(listed)} were shortened to fit; {_reads(window)}"
    return Notice(code="tool_results_shortened", message=sentence, details={"names": listed, "window": window})


def _reads(window: int | None) -> str:
    if window is None:
        return "the model reads only so much at once."
    return f"the model reads at most {window:,} tokens at once."


def _listed(names: Sequence[str], word: str = "and") -> str:
    *others, last = names
    return f"{', '.join(others)} {word} {last}" if others else last


def _counted(count: int, one: str, many: str) -> str:
    return one if count == 1 else f"{count:,} {many}"

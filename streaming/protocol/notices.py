"""What a person should know of how a run was asked: what did not fit, and what its model could not be given.

A notice is no error: the answer came, of less than was wished for.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """``code`` is stable, ``message`` one sentence for a person. ``details`` are small: counts and names."""

    code: str
    message: str
    details: dict[str, Any] | None = None


def noted(earlier: Sequence[Notice], more: Iterable[Notice]) -> list[Notice]:
    """``earlier`` with ``more``: one a code, the newest, because a run that is asked again is told again."""
    return list({notice.code: notice for notice in (*earlier, *more)}.values())


def left_out(names: Iterable[str]) -> Notice:
    """What the model server refused to take, and was asked without."""
    listed = sorted(names)
    sentence = f"The model server does not take {', '.join(listed)}; it was asked without."
    return Notice(code="not_taken", message=sentence, details={"names": listed})

"""The list of threads as a client keeps it up from the feed. The page has the same fold in thread_list.js; both are
held to the same recorded transcript.
"""

from dataclasses import dataclass, field
from typing import Any

Thread = dict[str, Any]
Place = tuple[bool, str, str]
_ENDS = {f"thread.run.{status}" for status in ("completed", "incomplete", "failed", "cancelled", "expired")}


def place(thread: Thread) -> Place:
    """Where it stands: the highest first."""
    return thread["pinned"], thread["updated_at"], thread["id"]


@dataclass
class ThreadList:
    """The threads down to ``floor``, the place of the last one that was read; all of them where there is none.

    ``lacks`` is a thread that has moved into the list by the end of a run, and of which nothing else is known.
    """

    items: list[Thread]
    last: int
    floor: Place | None = None
    lacks: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, page: dict[str, Any], *, cursor: int | None = None) -> "ThreadList":
        """``page`` as it was read; ``cursor`` where that was read long before."""
        floor = place(page["results"][-1]) if page["next"] else None
        return cls(items=page["results"], last=page["feed_cursor"] if cursor is None else cursor, floor=floor)

    def apply(self, envelope: dict[str, Any]) -> None:
        if envelope["feed"] <= self.last:
            return
        assert envelope["feed"] == self.last + 1, f"a gap: {envelope['feed']} after {self.last}"
        self.last = envelope["feed"]
        name, data = envelope["event"], envelope["data"]
        if name in ("thread.created", "thread.updated"):
            self._put(data["thread"])
        elif name == "thread.deleted":
            self._without(data["thread_id"])
            self.lacks.discard(data["thread_id"])
        elif name == "thread.queue.updated":
            self._queue(data["thread_id"], data["waiting"])
        elif name == "thread.run.created" or name in _ENDS:
            self._run(data["thread_id"], data["run"], ended=name in _ENDS)

    def _put(self, thread: Thread) -> None:
        self._without(thread["id"])
        self.lacks.discard(thread["id"])
        if not thread["archived"] and (self.floor is None or place(thread) >= self.floor):
            self.items.append(thread)
            self.items.sort(key=place, reverse=True)

    def _without(self, thread_id: str) -> None:
        self.items = [thread for thread in self.items if thread["id"] != thread_id]

    def _queue(self, thread_id: str, waiting: list[dict[str, Any]]) -> None:
        thread = next((thread for thread in self.items if thread["id"] == thread_id), None)
        if thread is not None:
            self._put({**thread, "waiting_runs": [run["id"] for run in waiting]})

    def _run(self, thread_id: str, run: dict[str, Any], *, ended: bool) -> None:
        thread = next((thread for thread in self.items if thread["id"] == thread_id), None)
        if thread is None:
            if ended and self.floor is not None and (False, run["finished_at"], thread_id) >= self.floor:
                self.lacks.add(thread_id)  # or it is archived: only the server knows
            return
        others = [each for each in thread["active_runs"] if each != run["id"]]
        if ended:
            self._put({**thread, "active_runs": others, "updated_at": run["finished_at"]})
        else:
            self._put({**thread, "active_runs": [*others, run["id"]]})

"""The questions: what is stored, asked in few queries. They check no rights; what they are given has passed a gate."""

from conversations.selectors.access import AccessPage, access_page
from conversations.selectors.afterthoughts import Standing, standing
from conversations.selectors.feed import FeedPiece, feed_after, feed_cursor, feed_heads, feed_news
from conversations.selectors.known_values import known_values
from conversations.selectors.messages import MessagePage, all_below, message_page, newest_below, path_ids, siblings
from conversations.selectors.pulls import pull, pulls
from conversations.selectors.queue import (
    Load,
    Place,
    held_at,
    in_turn,
    loads,
    places,
    runs_under_way,
    somebody_waits,
    still_claimable,
    waiting_of,
)
from conversations.selectors.run_ends import RunEnds, first_of_the_end, log_heads, run_ends, told_by_rows
from conversations.selectors.runs import (
    RunRecord,
    history_before,
    open_approvals,
    record_of,
    recorded_run,
    run_to_work_on,
    steps_before,
    stored_entries,
)
from conversations.selectors.search import Found, SearchPage, search_page, threads_saying
from conversations.selectors.threads import ThreadPage, UnderWay, runs_of, thread_page, under_way, waiting_runs

__all__ = [
    "AccessPage",
    "FeedPiece",
    "Found",
    "Load",
    "MessagePage",
    "Place",
    "RunEnds",
    "RunRecord",
    "SearchPage",
    "Standing",
    "ThreadPage",
    "UnderWay",
    "access_page",
    "all_below",
    "feed_after",
    "feed_cursor",
    "feed_heads",
    "feed_news",
    "first_of_the_end",
    "held_at",
    "history_before",
    "in_turn",
    "known_values",
    "loads",
    "log_heads",
    "message_page",
    "newest_below",
    "open_approvals",
    "path_ids",
    "places",
    "pull",
    "pulls",
    "record_of",
    "recorded_run",
    "run_ends",
    "run_to_work_on",
    "runs_of",
    "runs_under_way",
    "search_page",
    "siblings",
    "somebody_waits",
    "standing",
    "steps_before",
    "still_claimable",
    "stored_entries",
    "thread_page",
    "threads_saying",
    "told_by_rows",
    "under_way",
    "waiting_of",
    "waiting_runs",
]

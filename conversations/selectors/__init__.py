"""The questions: what is stored, asked in few queries. They check no rights; what they are given has passed a gate."""

from conversations.selectors.access import AccessPage, access_page
from conversations.selectors.feed import FeedPiece, feed_after, feed_cursor, feed_heads, feed_news
from conversations.selectors.messages import MessagePage, all_below, message_page, newest_below, path_ids, siblings
from conversations.selectors.runs import (
    RunRecord,
    history_before,
    open_approvals,
    record_of,
    recorded_run,
    steps_before,
    stored_entries,
)
from conversations.selectors.threads import ThreadPage, active_run_ids, thread_page

__all__ = [
    "AccessPage",
    "FeedPiece",
    "MessagePage",
    "RunRecord",
    "ThreadPage",
    "access_page",
    "active_run_ids",
    "all_below",
    "feed_after",
    "feed_cursor",
    "feed_heads",
    "feed_news",
    "history_before",
    "message_page",
    "newest_below",
    "open_approvals",
    "path_ids",
    "record_of",
    "recorded_run",
    "siblings",
    "steps_before",
    "stored_entries",
    "thread_page",
]

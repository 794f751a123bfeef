import pytest

from streaming.transports.attach import FromSnapshot, NothingMore, Replay, Standing, Wish, attach


def standing(*, head: int = 100, ended: bool = False, first: int = 1, backlog_bytes: int = 0) -> Standing:
    return Standing(head=head, ended=ended, first=first, backlog_bytes=backlog_bytes)


CASES = [
    # the beginning, the log still there: everything, however long
    (standing(), 0, "auto", Replay(after=0)),
    (standing(head=10_000, backlog_bytes=10**7), 0, "auto", Replay(after=0)),
    (standing(), 0, "never", Replay(after=0)),
    (standing(), 0, "always", FromSnapshot(gap=False, reason="asked")),
    # in the middle
    (standing(), 40, "auto", Replay(after=40)),
    (standing(), 99, "auto", Replay(after=99)),
    (standing(), 100, "auto", Replay(after=100)),
    (standing(ended=True), 40, "auto", Replay(after=40)),
    # far behind
    (standing(head=297), 40, "auto", FromSnapshot(gap=False, reason="far_behind")),
    (standing(head=296), 40, "auto", Replay(after=40)),
    (standing(backlog_bytes=128 * 1024 + 1), 40, "auto", FromSnapshot(gap=False, reason="far_behind")),
    (standing(backlog_bytes=128 * 1024), 40, "auto", Replay(after=40)),
    (standing(head=10_000), 40, "never", Replay(after=40)),
    # the end: only 204 stops a browser
    (standing(ended=True), 100, "auto", NothingMore()),
    (standing(ended=True), 100, "always", NothingMore()),
    (standing(ended=True), 500, "auto", NothingMore()),
    (standing(ended=True), 40, "always", FromSnapshot(gap=False, reason="asked")),
    # pruned or lost
    (standing(ended=True, first=100), 40, "auto", FromSnapshot(gap=False, reason="log_pruned")),
    (standing(ended=True, first=100), 0, "never", FromSnapshot(gap=False, reason="log_pruned")),
    (standing(ended=True, first=100), 99, "auto", Replay(after=99)),
    (standing(ended=True, first=0), 40, "auto", FromSnapshot(gap=False, reason="log_pruned")),
    (standing(first=0), 40, "auto", FromSnapshot(gap=True, reason="log_lost")),
    (standing(first=60), 40, "auto", FromSnapshot(gap=True, reason="log_lost")),
    (standing(first=60), 40, "never", FromSnapshot(gap=True, reason="log_lost")),
    # ahead of a live run
    (standing(), 101, "auto", FromSnapshot(gap=True, reason="cursor_ahead")),
]


@pytest.mark.parametrize(("stands", "after", "wish", "answer"), CASES)
def test_a_reader_gets_what_the_protocols_table_says(stands: Standing, after: int, wish: Wish, answer: object):
    assert attach(stands, after=after, wish=wish) == answer

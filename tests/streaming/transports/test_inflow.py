from streaming.transports.inflow import BURST, FRAME_BYTES, MOST_WAITING, PER_SECOND, Inflow


def taken(inflow: Inflow, *, size: int, now: float = 0.0) -> int:
    """How many frames of this size come in at once, each done before the next."""
    count = 0
    while inflow.takes(size, now=now):
        inflow.done(size)
        count += 1
        assert count < 10 * BURST
    return count


def test_so_many_frames_come_in_at_once_and_no_more():
    assert taken(Inflow(now=0.0), size=100) == BURST


def test_large_frames_count_by_their_size():
    assert taken(Inflow(now=0.0), size=15 * FRAME_BYTES) == BURST // 16


def test_time_brings_new_tokens_but_never_more_than_the_burst():
    inflow = Inflow(now=0.0)
    taken(inflow, size=1)
    inflow = Inflow(now=0.0)
    assert taken(inflow, size=1, now=3600.0) == BURST


def test_whoever_keeps_to_the_pace_is_never_refused():
    inflow = Inflow(now=0.0)
    for frame in range(20_000):
        assert inflow.takes(100, now=frame / PER_SECOND)
        inflow.done(100)


def test_a_pace_above_it_is_refused_in_the_end():
    inflow = Inflow(now=0.0)
    assert not all(inflow.takes(0, now=frame / (2 * PER_SECOND)) for frame in range(20_000))


def test_what_waits_is_bounded_in_bytes():
    inflow = Inflow(now=0.0)
    assert inflow.takes(MOST_WAITING, now=0.0)
    assert not inflow.takes(1, now=100.0)
    inflow.done(MOST_WAITING)
    assert inflow.takes(1, now=100.0)

"""The verbs: every change of state is one, keyword-only, in one transaction, compare-and-set where two could race.

The feed's number is taken last in each, so that numbers are committed in order. Rows are locked in one order: the
thread, its runs and leases, the head of the feed (``locks.py``).
"""

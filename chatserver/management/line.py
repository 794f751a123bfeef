"""The words that the launcher and a worker have for each other, a byte each. An end of the line says the most: the
other one is gone.
"""

READY = b"r"  # from the worker: it serves
DRAIN = b"d"  # from the launcher: finish what runs, then end
AT_ONCE = b"x"  # from the launcher: end now

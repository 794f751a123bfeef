"""Primary keys of every table: UUIDv7, so that ids sort by the time they were made and indexes grow at their end."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    # One function of ours, because migrations name it and must survive a change of library.
    return uuid7()

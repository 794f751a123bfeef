"""Which values a column of runs has, out of an index: a leap to each, however many rows have it."""

from typing import Literal

from django.db import connection

MOST = 100
_LEAPS = """
WITH RECURSIVE leap(value, number) AS (
    SELECT MIN({column}), 1 FROM conversations_run WHERE {column} > ''
    UNION ALL
    SELECT (SELECT MIN({column}) FROM conversations_run WHERE {column} > leap.value), leap.number + 1
    FROM leap WHERE leap.value IS NOT NULL AND leap.number < %s
)
SELECT value FROM leap WHERE value IS NOT NULL
"""


def known_values(column: Literal["model", "error_code"]) -> list[str]:
    """In order, at most 100, without the empty one."""
    with connection.cursor() as cursor:
        cursor.execute(_LEAPS.replace("{column}", column), [MOST])
        return [value for (value,) in cursor.fetchall()]

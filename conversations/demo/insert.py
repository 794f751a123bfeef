"""Rows into a table, without what the ORM does for each of their values: with a million messages most of the time."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC
from functools import cache
from typing import Any

from django.db import connection, models

Convert = Callable[[Any], Any]


def insert(model: type[models.Model], rows: Iterable[models.Model]) -> None:
    """As ``bulk_create``, for models without defaults that the database makes."""
    names, converts = _columns(model, connection.vendor)
    table = connection.ops.quote_name(model._meta.db_table)
    columns = ", ".join(connection.ops.quote_name(name) for name, _ in names)
    values = [
        [
            value if value is None else convert(value)
            for convert, value in zip(converts, _values(row, names), strict=True)
        ]
        for row in rows
    ]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({', '.join(['%s'] * len(names))})", values)
            return
        with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for each in values:
                copy.write_row(each)


def _values(row: models.Model, names: list[tuple[str, str]]) -> Iterable[Any]:
    known = row.__dict__
    return [known[attribute] for _, attribute in names]


@cache
def _columns(model: type[models.Model], vendor: str) -> tuple[list[tuple[str, str]], list[Convert]]:
    fields = [field for field in model._meta.concrete_fields if not isinstance(field, models.CompositePrimaryKey)]
    return [(str(field.column), field.attname) for field in fields], [_convert(field, vendor) for field in fields]


def _convert(field: Any, vendor: str) -> Convert:
    while isinstance(field, models.ForeignKey):  # a OneToOneField is one as well
        field = field.target_field
    match field:
        case models.JSONField():
            return json.dumps
        case models.UUIDField() if vendor == "sqlite":
            return lambda value: value.hex
        case models.DateTimeField() if vendor == "sqlite":
            return lambda value: str(value.astimezone(UTC).replace(tzinfo=None))
        case models.CharField() | models.TextField():
            return str  # of an enumeration, its value
    return lambda value: value

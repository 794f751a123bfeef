"""Reading and writing a model's rows by statements that are put together once.

The ORM makes a statement anew each time it is asked, which for a small one costs ten times what its execution does. For
what every question does the statements are kept here, one set for each database; values are turned by the fields' own
methods, so that rows are the same whichever way they went. No signals are sent, and no defaults of the database are
waited for. Everything else belongs to the ORM.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

M = TypeVar("M", bound=models.Model)
_Convert = tuple[int, Sequence[Callable[..., Any]], Any]


# Fields that store a text as it is. Nothing at all is stored as it is by every field.
_OF_TEXT = frozenset({models.CharField, models.TextField})


class Rows(Generic[M]):
    """The rows of one model. Conditions are SQL in which the columns are named in full; their values are given as the
    database has them (``stored_id`` for ids). Of ``only`` some columns, rows are read and changed, but not added.
    """

    def __init__(self, model: type[M], *, only: Collection[str] = ()) -> None:
        self._model = model
        self._fields = [field for field in model._meta.concrete_fields if not only or field.attname in only]
        self._names = [field.attname for field in self._fields]
        self._kept: dict[tuple[str, ...], Any] = {}
        self.table = model._meta.db_table
        self.columns = ", ".join(f'{self.table}."{field.column}"' for field in self._fields)
        self.width = len(self._fields)

    def find(self, condition: str, *values: object) -> list[M]:
        """The rows that a condition (with what may follow it: an order, a limit, a lock) holds for. One query."""
        return self.made_by(f"SELECT {self.columns} FROM {self.table} WHERE {condition}", values)

    def first(self, condition: str, *values: object) -> M | None:
        found = self.find(condition, *values)
        return found[0] if found else None

    def made_by(self, sql: str, values: Sequence[Any]) -> list[M]:
        """The rows that a statement returns, whose columns are ``columns``."""
        connection = connections[DEFAULT_DB_ALIAS]
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return [self.made(row, connection) for row in cursor.fetchall()]

    def made(self, row: Sequence[Any], connection: BaseDatabaseWrapper) -> M:
        """The object whose columns a row begins with."""
        values = list(row[: self.width])
        for position, converters, expression in self._converters(connection):
            value = values[position]
            for convert in converters:
                value = convert(value, expression, connection)
            values[position] = value
        return self._model.from_db(DEFAULT_DB_ALIAS, self._names, values)

    def add(self, objects: Sequence[M]) -> None:
        """Write new rows. One query."""
        if not objects:
            return
        connection = connections[DEFAULT_DB_ALIAS]
        values = [_stored(field, field.pre_save(each, True), connection) for each in objects for field in self._fields]
        columns = ", ".join(f'"{field.column}"' for field in self._fields)
        row = f"({', '.join(['%s'] * self.width)})"
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {self.table} ({columns}) VALUES {', '.join([row] * len(objects))}", values)
        for each in objects:
            each._state.adding, each._state.db = False, DEFAULT_DB_ALIAS

    def save(self, each: M, *names: str) -> None:
        """Write these columns of an object whose key is its id. One query."""
        fields = map(self._field, names)
        changes = {field.attname: field.pre_save(each, False) for field in fields}
        self.change("id = %s", stored_id(each.pk), **changes)

    def change(self, condition: str, *values: object, **changes: object) -> int:
        """Set columns of the rows that a condition holds for; returns how many rows that were. One query."""
        connection = connections[DEFAULT_DB_ALIAS]
        with connection.cursor() as cursor:
            cursor.execute(*self._changing(condition, values, changes, connection))
            return int(cursor.rowcount)

    def changed(self, condition: str, *values: object, **changes: object) -> list[M]:
        """The same; returns the rows as they are now."""
        sql, parameters = self._changing(condition, values, changes, connections[DEFAULT_DB_ALIAS])
        return self.made_by(f"{sql} RETURNING {self.columns}", parameters)

    def _changing(
        self, condition: str, values: Sequence[object], changes: dict[str, object], connection: BaseDatabaseWrapper
    ) -> tuple[str, list[Any]]:
        kept = self._kept.get(tuple(changes))
        if kept is None:
            fields = list(map(self._field, changes))
            columns = ", ".join(f'"{field.column}" = %s' for field in fields)
            kept = self._kept[tuple(changes)] = (fields, f"UPDATE {self.table} SET {columns} WHERE ")
        fields, sql = kept
        stored = [_stored(field, value, connection) for field, value in zip(fields, changes.values(), strict=True)]
        return sql + condition, [*stored, *values]

    def _field(self, name: str) -> "models.Field[Any, Any]":
        field = self._model._meta.get_field(name)
        assert isinstance(field, models.Field)
        return field

    def _converters(self, connection: BaseDatabaseWrapper) -> Sequence[_Convert]:
        kept: list[_Convert] | None = self._kept.get((connection.vendor,))
        if kept is None:
            kept = []
            for position, field in enumerate(self._fields):
                expression = field.get_col(self.table)
                converters = [
                    *connection.ops.get_db_converters(expression),
                    *expression.get_db_converters(connection),
                ]
                if converters:
                    kept.append((position, converters, expression))
            self._kept[(connection.vendor,)] = kept
        return kept


def _stored(field: "models.Field[Any, Any]", value: object, connection: BaseDatabaseWrapper) -> Any:
    if value is None or (type(value) is str and type(field) in _OF_TEXT):
        return value
    return field.get_db_prep_save(value, connection=connection)


def stored_ids() -> Callable[[UUID], UUID | str]:
    """How an id is a parameter of a statement that is written in SQL."""
    return _as_it_is if connections[DEFAULT_DB_ALIAS].features.has_native_uuid_field else _hex


def stored_id(id: UUID) -> UUID | str:
    return stored_ids()(id)


def as_uuid(value: UUID | str) -> UUID:
    """An id as a statement that is written in SQL returns it: SQLite has ids as text."""
    return value if isinstance(value, UUID) else UUID(value)


def marks(values: Sequence[object]) -> str:
    """The places of ``values`` behind IN."""
    return f"({', '.join(['%s'] * len(values))})"


def for_update(lock: str = "FOR UPDATE") -> str:
    """The end of a statement that keeps the rows it finds; SQLite has one writer, and nothing to say."""
    return f" {lock}" if connections[DEFAULT_DB_ALIAS].features.has_select_for_update else ""


def _as_it_is(id: UUID) -> UUID:
    return id


def _hex(id: UUID) -> str:
    return id.hex

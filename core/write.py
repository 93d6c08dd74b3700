"""One statement for a whole unit of work: inserts and conditional changes collected, then run.

Placing an order writes a dozen tables. Through the ORM each is a round trip and a few hundred
microseconds of Python; a `Write` sends the unsaved model instances as one JSON parameter per table
in one data-modifying statement. Used for placing only; everywhere else the ORM is the better read.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection, models
from django.utils.functional import Promise

from core.errors import ProgrammingMistake


@dataclass(frozen=True, slots=True)
class Addition:
    """`column += amount` for rows by id, each only `where` its condition holds.

    `where` is SQL over the row `r` and the amount `a.amount`.
    """

    model: type[models.Model]
    column: str
    amounts: Mapping[int, int]
    where: str


class Write:
    """Collects rows to insert and to change and one addition to counters; runs one statement."""

    def __init__(self) -> None:
        self._rows: dict[type[models.Model], list[models.Model]] = {}
        self._updates: list[tuple[models.Model, dict[str, Any]]] = []
        self._addition: Addition | None = None

    def update(self, row: models.Model, **fields: Any) -> None:
        """Adds plain columns to set on one row that this transaction has locked."""
        self._updates.append((row, fields))

    def insert(self, *rows: models.Model) -> None:
        """Adds unsaved rows with their ids set."""
        for row in rows:
            self._rows.setdefault(type(row), []).append(row)

    def add(self, addition: Addition) -> None:
        """Adds the counters to move; there is one such step in a write."""
        if self._addition:
            raise ProgrammingMistake("a write moves the counters of one table")
        self._addition = addition

    def run(self) -> set[int]:
        """Sends the statement; answers the ids whose counters could not be moved.

        The caller must roll back when the answer is not empty: the rows are inserted by then.
        The counters' rows are locked in id order by the same statement, after nothing else that
        waits. Foreign keys are deferred: an IntegrityError may come at COMMIT.
        """
        parts: list[str] = []
        parameters: list[Any] = []
        for model, rows in self._rows.items():
            parts.append(_insert_sql(model, len(parts)))
            parameters.append(_as_json(model, rows))
        for row, fields in self._updates:
            parts.append(_update_sql(row, fields, f"update_{len(parts)}"))
            parameters.extend([*fields.values(), row.pk])
        if not self._addition:
            return self._execute(parts, parameters, "SELECT 0 WHERE false")
        addition = self._addition
        parts.append(_addition_sql(addition))
        parameters.append(json.dumps([[i, n] for i, n in sorted(addition.amounts.items())]))
        moved = self._execute(parts, parameters, "SELECT id FROM moved")
        return set(addition.amounts) - moved

    def _execute(self, parts: list[str], parameters: list[Any], select: str) -> set[int]:
        with connection.cursor() as cursor:
            cursor.execute(f"WITH {', '.join(parts)} {select}", parameters)
            return {row[0] for row in cursor.fetchall()}


@cache
def _columns(model: type[models.Model]) -> tuple[tuple[str, str, str], ...]:
    """(attribute, column, SQL type) of every stored field."""
    return tuple(
        (field.attname, str(field.column), str(field.db_type(connection)))
        for field in model._meta.local_concrete_fields
    )


@cache
def _insert_sql(model: type[models.Model], position: int) -> str:
    names = ", ".join(f'"{column}"' for _, column, _ in _columns(model))
    typed = ", ".join(f'"{column}" {kind}' for _, column, kind in _columns(model))
    return (
        f'insert_{position} AS (INSERT INTO "{model._meta.db_table}" ({names}) '  # noqa: S608
        f"SELECT {names} FROM jsonb_to_recordset(%s::jsonb) AS given({typed}))"
    )


def _update_sql(row: models.Model, fields: Mapping[str, Any], name: str) -> str:
    column_of = {attribute: column for attribute, column, _ in _columns(type(row))}
    columns = [column_of[field] for field in fields]
    settings = ", ".join(f'"{column}" = %s' for column in columns)
    key = row._meta.pk.column
    return f'{name} AS (UPDATE "{row._meta.db_table}" SET {settings} WHERE "{key}" = %s)'  # noqa: S608


def _addition_sql(addition: Addition) -> str:
    table = connection.ops.quote_name(addition.model._meta.db_table)
    column = connection.ops.quote_name(addition.column)
    return (  # the sub-select locks in id order, so that two writes never wait in a ring
        "wanted AS (SELECT (pair->>0)::bigint AS id, (pair->>1)::bigint AS amount "  # noqa: S608
        "FROM jsonb_array_elements(%s::jsonb) AS pair), "
        f"held AS (SELECT r.*, a.amount FROM {table} r JOIN wanted a USING (id) "
        "ORDER BY r.id FOR NO KEY UPDATE OF r), "
        f"moved AS (UPDATE {table} target SET {column} = target.{column} + a.amount "
        f"FROM held r JOIN wanted a USING (id) WHERE target.id = r.id AND ({addition.where}) "
        "RETURNING target.id)"
    )


def _as_json(model: type[models.Model], rows: list[models.Model]) -> str:
    columns = _columns(model)
    return json.dumps(
        [{column: getattr(row, attribute) for attribute, column, _ in columns} for row in rows],
        default=_plain,
    )


def _plain(value: Any) -> str:
    """Text that keeps microseconds, which DjangoJSONEncoder would cut."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID | Promise):
        return str(value)
    raise TypeError(f"{value!r} has no place in a Write")

"""The same rows as a placed order, written by one call, and statement by statement.

The rows are read back from a real placing by its transaction id, so the baselines write just what
the product writes, with new ids, numbers and tokens each time, and none of its reads.
"""

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import psycopg
from django.apps import apps
from django.db import connection
from psycopg.types.json import Jsonb

from core.ids import new_id, uuid7
from inventory.models import StockItem
from orders.models import Cart, OrderGroup

Rows = dict[str, list[dict[str, Any]]]
ONE_CALL = "SELECT bench_place(%s::jsonb, %s::bigint, %s::bigint[])"


@dataclass(frozen=True, slots=True)
class Template:
    """The inserted rows of one order as JSON text, cut where something must be new each time."""

    parts: list[str]
    shard_keys: dict[str, int]  # ids → gene
    stock_item_ids: list[int]
    round_trips: int

    def as_json(self) -> str:
        """For another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Template":
        """What `as_json` gave."""
        return cls(**json.loads(text))

    def fresh(self) -> str:
        """The rows of a new order."""
        new: dict[str, str] = {}
        for part in self.parts[1::2]:
            if part not in new:
                new[part] = self._another(part)
        return "".join(
            new[part] if position % 2 else part for position, part in enumerate(self.parts)
        )

    def _another(self, text: str) -> str:
        if text in self.shard_keys:
            return str(new_id(self.shard_keys[text]))
        return str(uuid7()) if _is_uuid(text) else secrets.token_hex(8)


def record(group: OrderGroup, round_trips: int) -> Template:
    """The template of a placed group: every row that its transaction wrote."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin::text FROM orders_ordergroup WHERE id = %s", [group.pk])
        transaction_id = cursor.fetchone()[0]
        written = {
            model._meta.db_table: _written(cursor, model._meta.db_table, transaction_id)
            for model in apps.get_models()
        }
    stock = written.pop(StockItem._meta.db_table)
    written.pop(Cart._meta.db_table)
    rows: Rows = {table: found for table, found in written.items() if found}
    ids = {str(row["id"]): row.get("shard_key", 0) for found in rows.values() for row in found}
    changing = [*ids, group.number, group.checkout_token]
    pattern = "|".join(sorted(map(re.escape, changing), key=len, reverse=True))
    return Template(
        parts=re.split(f"({pattern})", json.dumps(rows)),
        shard_keys={key: gene for key, gene in ids.items() if key.isdigit()},
        stock_item_ids=sorted(row["id"] for row in stock),
        round_trips=round_trips,
    )


def _written(cursor: Any, table: str, transaction_id: str) -> list[dict[str, Any]]:
    cursor.execute(
        f'SELECT to_jsonb(t) FROM "{table}" t WHERE t.xmin::text = %s',
        [transaction_id],
    )
    return [json.loads(row[0]) for row in cursor.fetchall()]


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def install_one_call(template: Template) -> None:
    """Creates the function that writes all of it in one call."""
    inserts = "\n".join(
        f'INSERT INTO "{table}" SELECT * FROM jsonb_populate_recordset(NULL::"{table}",'
        f" rows->'{table}');"
        for table in json.loads(template.fresh())
    )
    with connection.cursor() as cursor:
        cursor.execute(f"""
            CREATE OR REPLACE FUNCTION bench_place(rows jsonb, cart bigint, items bigint[])
            RETURNS void LANGUAGE plpgsql AS $$
            BEGIN
                UPDATE orders_cart SET placed_group_id = 1 WHERE id = cart;
                {inserts}
                PERFORM FROM inventory_stockitem WHERE id = ANY(items) ORDER BY id
                    FOR NO KEY UPDATE;
                UPDATE inventory_stockitem SET reserved = reserved + 1
                    WHERE id = ANY(items) AND on_hand - reserved >= 1;
            END $$""")


def one_call(template: Template) -> Callable[[int], None]:
    """Writes an order by one call on a connection of its own."""
    session = _connect()

    def write(cart_id: int) -> None:
        session.execute(ONE_CALL, [template.fresh(), cart_id, template.stock_item_ids])

    return write


def statement_by_statement(template: Template) -> Callable[[int], None]:
    """Writes an order as a careful program without us would: a statement per row, prepared."""
    session = _connect()

    def write(cart_id: int) -> None:
        with session.transaction():
            session.execute("UPDATE orders_cart SET placed_group_id = 1 WHERE id = %s", [cart_id])
            for table, rows in json.loads(template.fresh()).items():
                for row in rows:
                    session.execute(_insert(table, tuple(row)), _values(row))
            for item_id in template.stock_item_ids:
                session.execute(
                    "UPDATE inventory_stockitem SET reserved = reserved + 1"
                    " WHERE id = %s AND on_hand - reserved >= 1",
                    [item_id],
                )

    return write


def _connect() -> "psycopg.Connection[Any]":
    parameters = connection.get_connection_params()
    wanted = {
        key: parameters[key] for key in ("dbname", "user", "host", "port") if key in parameters
    }
    return psycopg.connect(**wanted, autocommit=True, prepare_threshold=1)


def _insert(table: str, columns: tuple[str, ...]) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    return f'INSERT INTO "{table}" ({names}) VALUES ({", ".join(["%s"] * len(columns))})'


def _values(row: dict[str, Any]) -> list[Any]:
    return [Jsonb(value) if isinstance(value, dict | list) else value for value in row.values()]

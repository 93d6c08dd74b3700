"""The file of a day: every movement with its fee and what is left, and differences on demand."""

import csv
import io
import sqlite3
from collections import defaultdict
from datetime import date, timedelta
from http import HTTPStatus
from typing import Any

from . import fields, transactions
from .book import Book
from .server import Answer, Request, Route, bad_request, json_answer

SCHEMA = """
CREATE TABLE IF NOT EXISTS planted_difference (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    day TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('missing', 'extra', 'amount', 'fee')),
    ref TEXT NOT NULL
);
"""
KINDS = ("missing", "extra", "amount", "fee", "none")
COLUMNS = ("id", "kind", "key", "ref", "currency", "gross_minor", "fee_minor", "net_minor", "at")
OF_DAY = "SELECT * FROM movement WHERE at >= ? AND at < ? ORDER BY id"
TOTAL = "total"

Row = dict[str, Any]


class Settlements:
    def __init__(self, book: Book) -> None:
        self._book = book

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/settlements/{}.csv", self.file),
            Route("POST", "/control/settlements", self.plant),
        ]

    def file(self, request: Request) -> Answer:
        """What was captured counts up, what was refunded down; each currency has its total."""
        day = _day(request.name)
        with self._book.transaction() as database:
            rows = _spoiled(database, day, _rows(database, day))
        text = io.StringIO(newline="")
        sheet = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        sheet.writeheader()
        sheet.writerows([*rows, *_totals(rows)])
        return Answer(HTTPStatus.OK, text.getvalue().encode(), "text/csv; charset=utf-8")

    def plant(self, request: Request) -> Answer:
        """The day's file is wrong by one difference more; `none` makes it right again.

        `ref` names the movement; an `extra` row is about a payment that there never was.
        """
        members = request.members()
        day, kind = _day(str(members.get("day"))), fields.choice(members, "kind", KINDS)
        with self._book.transaction() as database:
            if kind == "none":
                database.execute("DELETE FROM planted_difference WHERE day = ?", (str(day),))
                return json_answer({"planted": 0})
            ref = "" if kind == "extra" else fields.key(members, "ref")
            if kind != "extra" and ref not in {row["ref"] for row in _rows(database, day)}:
                raise bad_request("ref must be that of a movement of the day.")
            values = (str(day), kind, ref)
            database.execute(
                "INSERT INTO planted_difference (day, kind, ref) VALUES (?, ?, ?)", values
            )
        return json_answer({"planted": 1}, HTTPStatus.CREATED)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise bad_request("day must be a date such as 2026-01-31.") from None


def _rows(database: sqlite3.Connection, day: date) -> list[Row]:
    bounds = (day.isoformat(), (day + timedelta(days=1)).isoformat())
    return [_row(movement) for movement in database.execute(OF_DAY, bounds)]


def _row(movement: sqlite3.Row) -> Row:
    kind, amount_minor = movement["kind"], movement["amount_minor"]
    gross_minor = -amount_minor if kind == "refund" else amount_minor
    row = {name: movement[name] for name in ("kind", "key", "ref", "currency", "at")}
    fee_minor = transactions.fee_minor(kind, amount_minor)
    return _with_net(row | {"id": f"txn_{movement['id']}"}, gross_minor, fee_minor)


def _with_net(row: Row, gross_minor: int, fee_minor: int) -> Row:
    sums = {"gross_minor": gross_minor, "fee_minor": fee_minor}
    return {**row, **sums, "net_minor": gross_minor - fee_minor}


def _spoiled(database: sqlite3.Connection, day: date, rows: list[Row]) -> list[Row]:
    planted = database.execute(
        "SELECT * FROM planted_difference WHERE day = ? ORDER BY id", (str(day),)
    )
    for plant in planted.fetchall():
        rows = _with(plant, day, rows)
    return rows


def _with(plant: sqlite3.Row, day: date, rows: list[Row]) -> list[Row]:
    kind, ref = plant["kind"], plant["ref"]
    if kind == "missing":
        return [row for row in rows if row["ref"] != ref]
    if kind == "extra":
        name = f"planted_{plant['id']}"
        row = {"id": name, "kind": "capture", "key": name, "ref": name, "currency": "EUR"}
        return [*rows, _with_net(row | {"at": f"{day}T12:00:00.000Z"}, 1234, 42)]
    more_gross, more_fee = (100, 0) if kind == "amount" else (0, 3)
    return [
        _with_net(row, row["gross_minor"] + more_gross, row["fee_minor"] + more_fee)
        if row["ref"] == ref
        else row
        for row in rows
    ]


def _totals(rows: list[Row]) -> list[Row]:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        sums[row["currency"]][0] += row["gross_minor"]
        sums[row["currency"]][1] += row["fee_minor"]
    return [
        _with_net({"id": TOTAL, "currency": currency}, gross_minor, fee_minor)
        for currency, (gross_minor, fee_minor) in sorted(sums.items())
    ]

"""The replay, as a process with the shop's real processes around it, on a made-up set of data."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from orders.management.replay.read import read
from orders.models import Order, OrderGroup
from tests import reset
from tests.ports import free_ports

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = Path(__file__).with_name("olist_like")
PATIENCE_SECONDS = 180
ORDERS = "olist_orders_dataset.csv"
ITEMS = "olist_order_items_dataset.csv"

Replay = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def replay(process_environment: dict[str, str], tmp_path: Path) -> Iterator[Replay]:
    """Starts `manage.py replay` with a state folder and ports of its own."""
    environment = process_environment | {"STATE_DIR": str(tmp_path), "PORT": str(free_ports(3))}
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "manage.py", "replay", str(DATA), "--json", *arguments],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=20)
        process.kill()


def finish(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """The table of a replay in which all is well."""
    output, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, errors + output
    table: dict[str, Any] = json.loads(output)
    return table


def row_counts() -> dict[str, int]:
    """How many rows each filled table has; what the broker holds is no table of ours."""
    with connection.cursor() as cursor:
        counts = {}
        for table in sorted(reset.filled_tables()):
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")
            counts[table] = cursor.fetchone()[0]
    return counts


def order_id(number: int) -> str:
    return f"0d{number:030}"


@pytest.mark.django_db(transaction=True)
def test_every_order_reaches_its_state_and_a_second_replay_changes_nothing(replay: Replay) -> None:
    table = finish(replay())
    assert table["orders"] == table["driven"] == 22
    assert table["counts"] == {
        state: {"expected": count, "actual": count}
        for state, count in {
            "expired": 2,
            "paid": 2,
            "acknowledged": 2,
            "packing": 2,
            "shipped": 3,
            "delivered": 8,
            "cancelled": 3,
        }.items()
    }
    assert table["data"]["unavailable"] == 3
    assert table["skipped"] == {"canceled": 1, "created": 1, "unavailable": 2}
    assert table["differences"] == table["pending"] == table["parked_streams"] == []
    assert [found["order_id"] for found in table["payments_differ"]] == [order_id(19), order_id(20)]
    assert table["payments_differ"][0] == {
        "order_id": order_id(19),
        "expected_minor": 655,
        "data_paid_minor": 700,
    }
    for sums in table["sums"]:
        assert sums["currency"] == "BRL"
        assert sums["placed_minor"] == sums["expected_minor"]
        is_paid, is_called_off = sums["state"] != "expired", sums["state"] == "cancelled"
        assert sums["captured_minor"] == sums["expected_minor"] * is_paid
        assert sums["refunded_minor"] == sums["expected_minor"] * is_called_off
    assert sum(sums["expected_minor"] for sums in table["sums"]) == sum(
        order.total_minor for order in read(DATA).orders
    )
    call_command("audit", "--once", "--final")

    before = row_counts()
    again = finish(replay())
    assert again["driven"] == 0
    assert again["counts"] == table["counts"]
    assert again["sums"] == table["sums"]
    assert row_counts() == before


@pytest.mark.django_db(transaction=True)
def test_a_replay_that_is_stopped_goes_on_where_it_was(replay: Replay) -> None:
    stopped = replay()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while OrderGroup.objects.count() < 3:
        assert time.monotonic() < deadline
        assert stopped.poll() is None
        time.sleep(0.01)
    stopped.send_signal(signal.SIGTERM)
    output, errors = stopped.communicate(timeout=PATIENCE_SECONDS)
    assert stopped.returncode == 130, errors
    assert "run it again" in errors
    assert output == ""
    assert OrderGroup.objects.count() < 22

    table = finish(replay())
    assert table["differences"] == []
    assert OrderGroup.objects.count() == 22
    assert Order.objects.count() == sum(len(order.freight_minor) for order in read(DATA).orders)
    call_command("audit", "--once", "--final")


BROKEN = [
    (ORDERS, 2, "order_status", "lost", "is unknown"),
    (ORDERS, 2, "customer_id", "c7", "is unknown"),
    (ORDERS, 3, "order_id", order_id(1), "comes twice"),
    (ORDERS, 2, "order_id", "1; DROP TABLE", "is not an id"),
    (ORDERS, 2, "order_purchase_timestamp", "2017-02-30 09:00:00", "is not a time"),
    (ORDERS, 2, "order_approved_at", "yesterday", "is not a time"),
    (ITEMS, 2, "order_id", "0d9", "is unknown"),
    (ITEMS, 2, "product_id", "f9", "is unknown"),
    (ITEMS, 2, "seller_id", "5e9", "is unknown"),
    (ITEMS, 2, "price", "12,50", "is not an amount of BRL"),
    (ITEMS, 2, "price", "1e3", "is not an amount of BRL"),
    (ITEMS, 2, "price", "0.001", "is not an amount of BRL"),
    (ITEMS, 2, "price", "-1.00", "is too little or too much"),
    (ITEMS, 2, "price", "0.00", "is too little or too much"),
    (ITEMS, 2, "freight_value", "-0.01", "is too little or too much"),
    (ITEMS, 2, "freight_value", "90000000000.00", "is too little or too much"),
    (ITEMS, 2, "shipping_limit_date", "", "is not a time"),
    (ITEMS, 5, "order_item_id", "1", "comes twice in its order"),
    ("olist_order_payments_dataset.csv", 2, "payment_value", "NaN", "is not an amount of BRL"),
    ("olist_order_payments_dataset.csv", 2, "order_id", "0d9", "is unknown"),
    ("olist_customers_dataset.csv", 2, "customer_unique_id", "", "is not an id"),
    ("olist_sellers_dataset.csv", 3, "seller_id", "5e" + "1".rjust(30, "0"), "comes twice"),
    ("olist_products_dataset.csv", 2, "product_weight_g", "-5", "is not a whole number"),
    ("olist_products_dataset.csv", 2, "product_weight_g", "10000001", "is too much"),
]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The data, to be broken."""
    return shutil.copytree(DATA, tmp_path / "data")


def change_cell(path: Path, line: int, column: str, value: str) -> None:
    """Sets one value; the lines that are broken here quote nothing before it."""
    lines = path.read_text(encoding="utf-8").split("\n")
    cells = lines[line - 1].split(",")
    cells[lines[0].split(",").index(column)] = f'"{value}"' if "," in value else value
    lines[line - 1] = ",".join(cells)
    path.write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.django_db
@pytest.mark.parametrize(("file", "line", "column", "value", "problem"), BROKEN)
def test_a_broken_row_is_named_and_nothing_is_written(
    copied: Path, file: str, line: int, column: str, value: str, problem: str
) -> None:
    before = row_counts()
    change_cell(copied / file, line, column, value)
    with pytest.raises(CommandError) as refused:
        call_command("replay", str(copied))
    assert str(refused.value) == (
        f"Nothing was changed. {file}, line {line}, column '{column}': {value!r} {problem}"
    )
    assert row_counts() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("order_id,order_item_id\n", "line 1, column 'product_id': '' is not there"),
        ("", "line 1, column 'order_id': '' is not there"),
        ("{header}a,1,b\n", "line 2, column 'seller_id': '' is not there"),
        ("{header}a,1,b,c,d,e,f,surplus\n", "line 2, column '': 'surplus' belongs to no column"),
        ('{header}"a,1,b,c,d,e,f\n', "line 2, column '': '' can't be read: unexpected end of data"),
    ],
)
def test_a_broken_file_is_named_and_nothing_is_written(
    copied: Path, broken: str, message: str
) -> None:
    path = copied / ITEMS
    header = path.read_text().split("\n", 1)[0] + "\n"
    path.write_text(broken.format(header=header))
    with pytest.raises(CommandError, match="Nothing was changed") as refused:
        call_command("replay", str(copied))
    assert message in str(refused.value)


@pytest.mark.django_db
def test_a_missing_file_and_one_that_is_no_text_are_named(copied: Path) -> None:
    (copied / ORDERS).write_bytes(b"order_id\xff\n")
    with pytest.raises(CommandError, match=f"{ORDERS}, line 1"):
        call_command("replay", str(copied))
    (copied / ORDERS).unlink()
    with pytest.raises(CommandError, match=f"{ORDERS}, line 1.*No such file"):
        call_command("replay", str(copied))


def test_equal_items_are_a_quantity_and_freight_is_summed_per_seller() -> None:
    [order] = [order for order in read(DATA).orders if order.id == order_id(2)]
    [line] = order.lines
    assert (line.unit_price_minor, line.quantity) == (2190, 3)
    assert order.freight_minor == {f"5e{1:030}": 3 * 710}
    assert order.total_minor == 3 * 2190 + 3 * 710 == order.paid_minor


def test_the_limit_takes_the_first_orders_that_have_items() -> None:
    assert [order.id for order in read(DATA).with_items(8)][-2:] == [order_id(7), order_id(9)]

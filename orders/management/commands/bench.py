"""`manage.py bench`: placing an order in process or over HTTP, beside baselines that only write.

Also how late unpaid groups expire, how soon notifications are answered, what ids cost, and the
order's page with everybody far away.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.management.bench import baselines, expiry, hooks, ids, order_page, over_http, shop
from orders.management.bench.measure import Result, Way, run

BEGIN_AND_COMMIT = 2
PROCESSES = (1, 4)
LEAST_SHARE_OF_STATEMENTS = 0.30
MOST_ROUND_TRIPS = 8
HTTP_PORTS_FROM = 10  # behind the demo's own
IDS_SECONDS = 2.0

Table = Callable[[dict[str, Any]], Iterable[str]]


class Command(BaseCommand):
    """Uses a database of its own, made for the run and dropped after it."""

    help = "Measures placing an order (two lines) beside two baselines that write the same rows."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--orders",
            type=int,
            default=300,
            help="or notifications, per process and round, or per round",
        )
        parser.add_argument("--rounds", type=int, default=5)
        parser.add_argument("--http", action="store_true", help="by web servers on PORT + 10, 11")
        parser.add_argument("--ids", action="store_true", help="ids and order numbers alone")
        parser.add_argument(
            "--order-page", action="store_true", help="with all that it asks far away"
        )
        parser.add_argument("--expiry", action="store_true", help="how late unpaid groups expire")
        parser.add_argument("--hooks", action="store_true", help="how soon they are answered")
        parser.add_argument("--groups", type=int, default=3000, help="with --expiry")
        parser.add_argument("--minutes", type=float, default=1.0, help="with --expiry")
        parser.add_argument("--output", type=Path, default=settings.STATE_DIR / "bench.json")

    def handle(self, *args: Any, **options: Any) -> None:
        before = connection.settings_dict["NAME"]
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            figures, table = self.chosen(options)
        finally:
            connection.creation.destroy_test_db(before, verbosity=0)
        options["output"].write_text(json.dumps(figures, indent=2) + "\n")
        self.stdout.write("\n".join(table(figures)))
        self.stdout.write(f"written to {options['output']}")

    def chosen(self, options: dict[str, Any]) -> tuple[dict[str, Any], Table]:
        """The figures that are asked for, and what makes a table of them."""
        orders, rounds = options["orders"], options["rounds"]
        if options["expiry"]:
            figures = expiry.measure(groups=options["groups"], minutes=options["minutes"])
            return figures, expiry.table
        if options["hooks"]:
            port = settings.PORT + HTTP_PORTS_FROM
            return hooks.measure(hooks=orders, rounds=rounds, port=port), hooks.table
        if options["ids"]:
            return ids.measure(IDS_SECONDS), ids.table
        if options["order_page"]:
            return order_page.measure(rounds), order_page.table
        if options["http"]:
            return self.measure_http(orders, rounds), over_http.table
        return self.measure(orders, rounds), table

    def measure(self, orders: int, rounds: int) -> dict[str, Any]:
        """Rounds of place, one call, statements, in turn, so that a drifting machine hits all."""
        goods = shop.build_shop()
        template = self.record(goods)
        baselines.install_one_call(template)
        ways: dict[str, Callable[[], Way]] = {
            "place": lambda: shop.place,
            "one_call": lambda: baselines.one_call(template),
            "statements": lambda: baselines.statement_by_statement(template),
        }
        results: dict[str, dict[int, list[Result]]] = {
            name: {processes: [] for processes in PROCESSES} for name in ways
        }
        for _ in range(rounds):
            for processes in PROCESSES:
                for name, make in ways.items():
                    carts = shop.build_carts(goods, orders * processes)
                    results[name][processes].append(run(make, carts, processes))
        return summary(results, template.round_trips)

    def measure_http(self, orders: int, rounds: int) -> dict[str, Any]:
        """The same shop, asked from outside."""
        goods = shop.build_shop()
        template = self.record(goods)
        baselines.install_one_call(template)
        port = settings.PORT + HTTP_PORTS_FROM
        return over_http.measure(goods, template, orders=orders, rounds=rounds, port=port)

    def record(self, goods: shop.Shop) -> baselines.Template:
        """Places one order, counts its round trips and keeps its rows."""
        first, second = shop.build_carts(goods, 2)
        shop.place(first)
        with CaptureQueriesContext(connection) as queries:
            group = shop.place(second)
        begins = any(query["sql"].startswith("BEGIN") for query in queries)
        round_trips = len(queries) + (0 if begins else BEGIN_AND_COMMIT)
        return baselines.record(group, round_trips)


def table(figures: dict[str, Any]) -> Iterator[str]:
    """For people."""
    yield f"round trips per order: {figures['round_trips_per_order']}"
    yield f"{'processes':>9} {'way':<11} {'orders/s':>9} {'CPU ms':>7} {'ratio':>6}"
    for processes, ways in figures["processes"].items():
        for name, way in ways.items():
            yield (
                f"{processes:>9} {name:<11} {way['orders_per_second']:>9.0f}"
                f" {way['cpu_ms_per_order']:>7.2f} {way['place_is']:>6.2f}"
            )


def summary(results: dict[str, dict[int, list[Result]]], round_trips: int) -> dict[str, Any]:
    """Medians over the rounds; `place_is` is placing's share of each way's orders per second."""
    return {
        "round_trips_per_order": round_trips,
        "round_trips_limit": MOST_ROUND_TRIPS,
        "least_share_of_statements": LEAST_SHARE_OF_STATEMENTS,
        "processes": {
            str(processes): {
                name: {
                    "orders_per_second": median(r.orders_per_second for r in rounds[processes]),
                    "cpu_ms_per_order": median(r.cpu_ms_per_order for r in rounds[processes]),
                    "place_is": median(
                        ours.orders_per_second / theirs.orders_per_second
                        for ours, theirs in zip(
                            results["place"][processes], rounds[processes], strict=True
                        )
                    ),
                }
                for name, rounds in results.items()
            }
            for processes in PROCESSES
        },
    }

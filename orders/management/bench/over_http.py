"""Placing over HTTP: by the shop's pages, by one call of the API, and by the least there can be."""

import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from accounts.keys import api_key_create
from catalog.models import Sku
from orders.management.bench import baselines
from orders.management.bench.browser import TIMEOUT_SECONDS, Browser
from orders.management.bench.measure import run
from orders.management.bench.server import Server, serving
from orders.management.bench.shop import (
    BENCH,
    LINES,
    TOTAL_MINOR,
    Shop,
    build_carts,
    build_checkouts,
)
from orders.management.bench.shopper import ORDER, go_to_review, put_into_basket

CLIENTS = (1, 4, 16)
LEAST = "one_call"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one order took."""

    requests: int
    statements: int


@dataclass(frozen=True, slots=True)
class Way:
    """A way to order: at which server, out of what, and one shopper's work."""

    server: Server
    prepare: Callable[[int], list[int]]  # so many orders' beginnings, which are not measured
    start: Callable[[], Callable[[int], Cost]]  # a client, in its own process


@contextmanager
def ways(goods: Shop, template: baselines.Template, port: int) -> Iterator[dict[str, Way]]:
    """The ways, with their servers running."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving("orders.management.bench.counting", port=port, environment=POOL) as shop,
    ):
        rows = Path(folder) / "rows.json"
        rows.write_text(template.as_json())
        environment = POOL | {"BENCH_TEMPLATE": str(rows)}
        with serving(
            "orders.management.bench.minimal_wsgi", port=port + 1, environment=environment
        ) as least:
            secret = api_key_create(
                merchant_id=None, name="Bench", scopes=["checkouts:write"], actor=BENCH
            ).secret
            yield {
                "api": Way(
                    shop,
                    lambda count: build_checkouts(goods, count),
                    lambda: by_api(shop.url, secret),
                ),
                "pages": Way(shop, numbers, lambda: by_pages(shop.url, goods.skus)),
                LEAST: Way(
                    least, lambda count: build_carts(goods, count), lambda: by_one_call(least.url)
                ),
            }


POOL = {"DATABASE_POOL": "8"}  # as the demo's web processes have it


def numbers(count: int) -> list[int]:
    """An order by pages begins with nothing; the number picks its goods."""
    return list(range(count))


def by_pages(url: str, skus: list[Sku]) -> Callable[[int], Cost]:
    """A new guest each time: two articles, the checkout, the order."""

    def order(number: int) -> Cost:
        with Browser(url) as browser:
            for line in range(LINES):
                put_into_basket(browser, skus[(LINES * number + line) % len(skus)])
            browser.submit(go_to_review(browser))
            require(browser.answer, browser.path.startswith(ORDER))
            return Cost(browser.requests, browser.statements)

    return order


def by_api(url: str, secret: str) -> Callable[[int], Cost]:
    """One call of a shop front, for a checkout whose questions are answered."""
    client = httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {secret}"}, timeout=TIMEOUT_SECONDS
    )
    body = {"expected_total": {"amount": TOTAL_MINOR, "currency": "EUR"}}

    def order(checkout_id: int) -> Cost:
        answer = client.post(
            f"/api/v1/checkouts/{checkout_id}/complete",
            json=body,
            headers={"Idempotency-Key": secrets.token_hex(16)},
        )
        require(answer, answer.status_code == HTTPStatus.CREATED)
        return Cost(1, int(answer.headers["Statements"]))

    return order


def by_one_call(url: str) -> Callable[[int], Cost]:
    """One request, and nothing else."""
    client = httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS)

    def order(cart_id: int) -> Cost:
        answer = client.get(f"/place/{cart_id}")
        require(answer, answer.is_success)
        return Cost(1, int(answer.headers["Statements"]))

    return order


def require(answer: httpx.Response, placed: bool) -> None:
    """Raises RuntimeError with the answer where no order came of it."""
    if not placed:
        raise RuntimeError(f"{answer.url.path}: {answer.status_code} {answer.text}")


def measure(
    goods: Shop, template: baselines.Template, *, orders: int, rounds: int, port: int
) -> dict[str, Any]:
    """Rounds of every way in turn, so that a drifting machine hits all."""
    figures: dict[str, Any] = {str(clients): {} for clients in CLIENTS}
    with ways(goods, template, port) as all_ways:
        for _round in range(rounds):
            for clients in CLIENTS:
                for name, way in all_ways.items():
                    entry = figures[str(clients)].setdefault(name, {"rounds": []})
                    entry["rounds"].append(one_round(way, orders, clients))
        for name, way in all_ways.items():
            cost = way.start()(way.prepare(1)[0])
            for clients in CLIENTS:
                figures[str(clients)][name] |= {
                    "requests_per_order": cost.requests,
                    "statements_per_order": cost.statements,
                }
    return {"clients": {clients: summary(found) for clients, found in figures.items()}}


def one_round(way: Way, orders: int, clients: int) -> tuple[float, float]:
    """Orders per second, and the web server's CPU milliseconds per order."""
    beginnings = way.prepare((orders // clients + 1) * clients)
    before = way.server.cpu_seconds()
    result = run(way.start, beginnings, clients)
    cpu_seconds = way.server.cpu_seconds() - before
    return result.orders_per_second, 1000 * cpu_seconds / len(beginnings)


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """Medians over the rounds; `is` is the way's share of the least there can be."""
    least = median(speed for speed, _cpu in found[LEAST]["rounds"])
    return {
        name: {
            **{key: value for key, value in entry.items() if key != "rounds"},
            "orders_per_second": median(speed for speed, _cpu in entry["rounds"]),
            "web_cpu_ms_per_order": median(cpu for _speed, cpu in entry["rounds"]),
            "is": median(speed for speed, _cpu in entry["rounds"]) / least,
        }
        for name, entry in found.items()
    }


def table(figures: dict[str, Any]) -> Iterator[str]:
    """For people."""
    yield f"{'clients':>7} {'way':<9} {'orders/s':>9} {'web CPU ms':>11} {'requests':>9} {'SQL':>5}"
    for clients, found in figures["clients"].items():
        for name, entry in found.items():
            yield (
                f"{clients:>7} {name:<9} {entry['orders_per_second']:>9.1f}"
                f" {entry['web_cpu_ms_per_order']:>11.2f} {entry['requests_per_order']:>9}"
                f" {entry['statements_per_order']:>5}"
            )

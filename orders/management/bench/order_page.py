"""The order's page with everybody far away: its parts at once, beside one after the other."""

import base64
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings

from accounts.actors import Actor, Role
from accounts.models import MerchantMember, User
from accounts.services import member_add
from core import parallel, relay
from orders.management.bench import shop
from orders.management.bench.slow import Address, SlowRoad
from orders.models import Order
from orders.services.fulfil import order_acknowledge, order_ship, order_start_packing
from orders.services.pay import payment_start
from payments.services.collect import fact_record

DATABASE_SECONDS, OUTSIDE_SECONDS = 0.030, 0.200
SANDBOXES = {"payments": "SANDBOX_PAYMENT_URL", "delivery": "SANDBOX_CARRIER_URL"}
PATIENCE_SECONDS = 30
MOST_RATIO = 1.2
MOST_STATEMENTS_BEFORE = 4
BUYER, MERCHANT = Actor(Role.BUYER, "bench"), Actor(Role.MERCHANT, "bench")


def measure(rounds: int) -> dict[str, Any]:
    """Rounds of both ways in turn, so that a drifting machine hits both."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as block:
        for app, setting in SANDBOXES.items():
            port = block.enter_context(sandbox(app, Path(folder)))
            road = block.enter_context(SlowRoad(("127.0.0.1", port), seconds=OUTSIDE_SECONDS))
            url = f"http://127.0.0.1:{road.port}"
            block.enter_context(override_settings(**{setting: url}))
        path, client = prepare()
        block.callback(parallel.end)
        block.enter_context(database_far_away())
        return compare(client, path, rounds)


def compare(client: Client, path: str, rounds: int) -> dict[str, Any]:
    ways: dict[str, list[dict[str, float]]] = {"at_once": [], "one_after_the_other": []}
    for number in range(rounds + 2):  # connections and plans are made in the first two
        for way, found in ways.items():
            with override_settings(PARALLEL_LOADING=way == "at_once"):
                figures = look(client, path)
            if number >= 2:
                found.append(figures)
    told: dict[str, Any] = {
        way: {name: median(each[name] for each in found) for name in found[0]}
        for way, found in ways.items()
    }
    return {
        **told,
        "statements_before": statements_before(client, path),
        "most_ratio": MOST_RATIO,
        "most_statements_before": MOST_STATEMENTS_BEFORE,
    }


def look(client: Client, path: str) -> dict[str, float]:
    """One visit, in milliseconds. Raises where a part is missing: then nothing is measured."""
    began = time.monotonic()
    answer: Any = client.get(path)
    page_seconds = time.monotonic() - began
    loaded = answer.context_data["loaded"]
    if answer.status_code != 200 or loaded.missing:
        raise RuntimeError(f"{answer.status_code}, missing: {loaded.missing}")
    slowest = max(loaded.seconds.values())
    return {
        "page_ms": 1000 * page_seconds,
        "parts_ms": 1000 * loaded.all_seconds,
        "slowest_part_ms": 1000 * slowest,
        "ratio": loaded.all_seconds / slowest,
    }


def statements_before(client: Client, path: str) -> int:
    """Of the request's own connection, up to the parts: the first statement of any part ends them."""
    with override_settings(PARALLEL_LOADING=False), CaptureQueriesContext(connection) as queries:
        client.get(path)
    return next(
        position
        for position, query in enumerate(queries.captured_queries)
        if "orders_orderline" in query["sql"] and "orders_ordergroup" not in query["sql"]
    )


def prepare() -> tuple[str, Client]:
    """An order of two lines on its way with the sandbox's carrier, and its merchant's owner."""
    [cart_id] = shop.build_carts(shop.build_shop(), 1)
    group = shop.place(cart_id)
    attempt = payment_start(
        group_id=group.id,
        channel="sandbox",
        token="tok_ok",  # noqa: S106 a sandbox's outcome
        return_url="http://127.0.0.1/",
        actor=BUYER,
    )
    tell()
    fact_record(
        attempt_id=attempt.id,
        kind="captured",
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        channel_ref="bench",
        origin="webhook",
        actor=Actor(Role.CHANNEL, "sandbox"),
    )
    tell()
    order = Order.objects.get(group=group)
    order_acknowledge(order_id=order.id, actor=MERCHANT)
    order_start_packing(order_id=order.id, actor=MERCHANT)
    order_ship(order_id=order.id, actor=MERCHANT)
    tell()
    user = User.objects.create_user(email="owner@bench.example")
    owner = MerchantMember.Role.OWNER
    member_add(merchant_id=order.merchant_id, user_id=user.pk, role=owner, actor=shop.BENCH)
    client = Client(SERVER_NAME="127.0.0.1", HTTP_X_FORWARDED_PROTO="https")
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return f"/merchant/orders/order/{order.pk}/change/", client


def tell() -> None:
    """What relay and worker do."""
    while relay.deliver(relay.deliver_external):
        pass


@contextmanager
def sandbox(app: str, folder: Path) -> Iterator[int]:
    """The app's sandbox as a process of its own, whose notifications nobody takes; its port."""
    with SlowRoad("", seconds=0) as free:
        port = free.port
    command = [sys.executable, "-m", f"{app}.sandbox", f"--port={port}"]
    command += [f"--book={folder / app}.sqlite3", f"--notify-url=http://127.0.0.1:{port}/nothing"]
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    with (folder / f"{app}.log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603 our own
            command,
            cwd=settings.BASE_DIR,
            env={**os.environ, "SANDBOX_SECRET": secret},
            stderr=log,
        )
    try:
        wait(f"http://127.0.0.1:{port}/healthz")
        yield port
    finally:
        process.terminate()
        process.wait()


def wait(url: str) -> None:
    """Until it answers."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{url} does not answer")


@contextmanager
def database_far_away() -> Iterator[None]:
    """Every connection that is opened in the block goes the slow road to the same database."""
    given = connection.settings_dict
    host, port = given["HOST"], given["PORT"]
    with SlowRoad(address(host, port), seconds=DATABASE_SECONDS) as road:
        connection.close()
        given["HOST"], given["PORT"] = "127.0.0.1", str(road.port)
        try:
            yield
        finally:
            parallel.end()
            connection.close()
            given["HOST"], given["PORT"] = host, port


def address(host: str, port: str) -> Address:
    """Where PostgreSQL listens, by Django's settings: a folder of sockets, or a machine."""
    if host.startswith("/"):
        return f"{host}/.s.PGSQL.{port or 5432}"
    return host or "127.0.0.1", int(port or 5432)


def table(figures: dict[str, Any]) -> Iterator[str]:
    """For people."""
    yield f"statements before the parts: {figures['statements_before']}"
    yield f"{'way':<20} {'page ms':>8} {'parts ms':>9} {'slowest ms':>11} {'ratio':>6}"
    for way in ("at_once", "one_after_the_other"):
        each = figures[way]
        yield (
            f"{way:<20} {each['page_ms']:>8.0f} {each['parts_ms']:>9.0f}"
            f" {each['slowest_part_ms']:>11.0f} {each['ratio']:>6.2f}"
        )

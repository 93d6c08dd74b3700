"""Looking changes nothing: every address of both consoles, asked for by GET and HEAD."""

import pytest
from django.db.models import Model
from django.test import Client

from accounts.consoles import ConsoleSite, merchant_site, platform_site
from orders.admin.acts import Acknowledge
from orders.models import Order
from orders.services.fulfil import order_acknowledge
from tests.consoles.world import (
    database,
    make_stall,
    member_client,
    order_in,
    paths,
    platform_rows,
    staff_client,
)
from tests.factories.story import MERCHANT

pytestmark = pytest.mark.django_db


def written_by_looking(site: ConsoleSite, client: Client, rows: list[Model]) -> list[str]:
    """The tables that have changed after every page was asked for."""
    client.get(f"/{site.name}/")
    before = database()
    shown = set()
    for name, path in paths(site, rows):
        for answer in (client.get(path), client.head(path)):
            assert answer.status_code in (200, 302, 403, 404, 405), (path, answer.status_code)
            if answer.status_code == 200:
                shown.add(name)
    tables = {model._meta.label_lower.replace(".", "_") for model in site._registry}
    assert {f"{table}_changelist" for table in tables} <= shown, "it has to have looked"
    after = database()
    return [table for table in before if before[table] != after[table]]


def test_a_member_who_looks_at_everything_changes_nothing() -> None:
    stall = make_stall("Alpha")
    assert written_by_looking(merchant_site, member_client(stall.merchant), stall.rows) == []


def test_staff_who_look_at_everything_change_nothing() -> None:
    rows = platform_rows(make_stall("Alpha"))
    assert written_by_looking(platform_site, staff_client(), rows) == []


def test_an_act_that_is_put_on_get_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def acts(act: Acknowledge, row: Order) -> list[str]:
        order_acknowledge(order_id=row.pk, actor=MERCHANT)
        return []

    monkeypatch.setattr(Acknowledge, "preview", acts)
    order = order_in("paid")
    written = written_by_looking(merchant_site, member_client(order.merchant), [order])
    assert "orders_order" in written
    assert "core_statechange" in written

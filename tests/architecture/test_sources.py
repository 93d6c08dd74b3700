"""The rules of the house that the source text shows, each with a proof that it can fail."""

from collections.abc import Callable

import pytest

from tests.architecture import sources

RULES = [
    sources.locks_elsewhere,
    sources.status_writes,
    sources.second_lists_of_states,
    sources.told_writes,
    sources.save_overrides,
    sources.signals,
    sources.transactions_elsewhere,
    sources.network_elsewhere,
    sources.too_long,
    sources.services_without_actor,
]
Rule = Callable[[sources.Sources], list[str]]


@pytest.fixture(scope="module")
def ours() -> sources.Sources:
    return sources.ours()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_code_keeps_the_rule(rule: Rule, ours: sources.Sources) -> None:
    assert rule(ours) == []


PLANTED = [
    (sources.locks_elsewhere, "Order.objects.select_for_update().get(pk=1)"),
    (sources.status_writes, "order.status = 'paid'"),
    (sources.status_writes, "order.__dict__['status'] = 'paid'"),
    (sources.status_writes, "setattr(order, 'status', 'paid')"),
    (sources.status_writes, "Order.objects.filter(pk=1).update(status='paid')"),
    (sources.status_writes, "Order.objects.bulk_update(orders, ['status'])"),
    (sources.status_writes, "order.save(update_fields=['status'])"),
    (sources.status_writes, "sql = 'UPDATE orders_order o SET version = 2, status = 5'"),
    (sources.status_writes, "order.status, order.version = 'paid', 2"),
    (sources.status_writes, "Order.objects.update(**{'status': 'paid'})"),
    (sources.status_writes, "Order.objects.update_or_create(pk=1, defaults={'status': 'paid'})"),
    (sources.status_writes, "Order(status='paid')"),
    (sources.status_writes, "Order.build(7, status='paid')"),
    (sources.status_writes, "Payment.objects.create(status='captured')"),
    (sources.status_writes, "sql = f'UPDATE {table} SET status = 5'"),
    (sources.second_lists_of_states, "LIVE = (states.PACKING, states.SHIPPED)"),
    (sources.second_lists_of_states, "order.status in {'packing', 'shipped'}"),
    (sources.second_lists_of_states, "rows.filter(status__in=['sent', 'failed'])"),
    (sources.told_writes, "group.pay_before = later"),
    (sources.told_writes, "OrderGroup.objects.filter(pk=1).update(email='a@example.com')"),
    (sources.told_writes, "rows.update(pay_before=later)"),
    (sources.told_writes, "Order.objects.bulk_update(orders, ['return_until'])"),
    (sources.told_writes, "row.save(update_fields=['shipping_address'])"),
    (sources.told_writes, "sql = 'UPDATE orders_order SET x = 1, first_left_at = now()'"),
    (sources.told_writes, "write.update(group, link_version=2)"),
    (sources.save_overrides, "class Order:\n    def save(self): ..."),
    (sources.signals, "from django.db.models.signals import post_save"),
    (sources.signals, "from django.dispatch import Signal"),
    (sources.signals, "from django.db.models import signals"),
    (sources.signals, "import django.dispatch"),
    (sources.transactions_elsewhere, "with transaction.atomic(): pass"),
    (sources.network_elsewhere, "import httpx"),
    (sources.network_elsewhere, "from urllib.request import urlopen"),
    (sources.network_elsewhere, "from urllib import request"),
    (sources.transactions_elsewhere, "from django.db.transaction import atomic"),
    (sources.too_long, "def f():\n" + "    pass\n" * 60),
    (sources.too_long, "\n" * 401),
    (sources.services_without_actor, "@command\ndef order_pay(*, order_id): ..."),
    (sources.services_without_actor, "@command\ndef order_pay(order_id, *, actor): ..."),
]


@pytest.mark.parametrize(("rule", "text"), PLANTED)
def test_the_rule_finds_a_planted_fault(rule: Rule, text: str) -> None:
    assert rule({"orders/services/planted.py": text})


ALLOWED = [
    (sources.locks_elsewhere, "orders/locks.py", "rows.select_for_update()"),
    (sources.status_writes, "core/fsm.py", "row.status = 'paid'"),
    (sources.status_writes, "orders/selectors.py", "Order.objects.filter(status='paid')"),
    (sources.status_writes, "orders/selectors.py", "Answer(status='captured')"),
    (sources.second_lists_of_states, "orders/states.py", "Edge('pay', ('open', 'closed'))"),
    (sources.second_lists_of_states, "orders/x.py", "(*GROUP.waiting, states.EXPIRED)"),
    (sources.second_lists_of_states, "orders/words.py", "{'packing': 'Packing', 'sent': 'Sent'}"),
    (sources.told_writes, "core/fsm.py", "rows.update(pay_before=later)"),
    (sources.told_writes, "orders/services/x.py", "fire(group, fields={'pay_before': later})"),
    (sources.told_writes, "orders/services/x.py", "Customer.objects.update(email='a')"),
    (sources.network_elsewhere, "orders/pages.py", "from urllib.parse import urlsplit"),
    (sources.network_elsewhere, "payments/channels/sandbox.py", "import httpx"),
    (sources.save_overrides, "orders/api/x.py", "class Line:\n    def delete(self): ..."),
    (sources.services_without_actor, "orders/services/x.py", "@command\ndef f(*, actor): ..."),
]


@pytest.mark.parametrize(("rule", "path", "text"), ALLOWED)
def test_the_rule_leaves_the_right_place_alone(rule: Rule, path: str, text: str) -> None:
    assert rule({path: text}) == []

"""Random histories of groups that are paid by card and store credit: the books are exact after each."""

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from django.db.models import Sum

from core import clock
from core.errors import DomainError
from orders.models import Order, OrderGroup
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.expire import expire_due, order_group_expire
from orders.services.refund import RefundParts, order_refund
from payments.models import Attempt, Chargeback, CreditAccount, CreditEntry, Payment, Refund
from payments.services.approval import refund_redirect
from payments.services.refund import refund_send
from tests.audit.plant import broken
from tests.factories import TESTER, fresh, make_customer
from tests.factories.money import dispute, say, say_of_refund
from tests.factories.story import (
    BUYER,
    MERCHANT,
    capture,
    deliver_events,
    issue_credit,
    make_stocked_sku,
    place,
    start_payment,
    start_with_credit,
)

pytestmark = pytest.mark.django_db

SEED = 20261122


class Tale:
    """Two groups of one customer, who shares their credit, and whatever happens to them."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        goods = [make_stocked_sku(units=50), make_stocked_sku(units=50)]
        customer = make_customer()
        self.groups = [
            place([(sku, self.chance.randint(1, 3)) for sku in goods], customer) for _ in range(2)
        ]
        issue_credit(self.groups[0], self.chance.randint(1, 4000))
        self.done: list[str] = []

    def go(self, steps: int) -> None:
        """What is refused changes nothing, and the tale goes on."""
        for _ in range(steps):
            step = self.chance.choice(STEPS)
            with suppress(DomainError):
                step(self)
                self.done.append(step.__name__)
            if self.chance.random() < 0.6:
                deliver_events()
        expire_due()  # those of tales before, too
        deliver_events()

    @property
    def group(self) -> OrderGroup:
        return OrderGroup.objects.get(pk=self.chance.choice(self.groups).pk)

    @property
    def order(self) -> Order:
        return self.chance.choice(list(self.group.orders.order_by("id")))

    @property
    def attempt(self) -> Attempt | None:
        found = list(Attempt.objects.filter(payment__reference=self.group.pk).order_by("id"))
        return self.chance.choice(found) if found else None


def pay_with_credit(tale: Tale) -> None:
    group = tale.group
    account = CreditAccount.objects.get(customer=group.customer_id)
    most = min(account.balance_minor, group.payable_minor)
    start_with_credit(group, tale.chance.choice([most, tale.chance.randint(1, max(1, most))]))


def pay_without(tale: Tale) -> None:
    start_payment(tale.group)


def be_refused(tale: Tale) -> None:
    if attempt := tale.attempt:
        say(attempt, tale.chance.choice(["failed", "closed"]), channel_ref=f"no_{attempt.pk}")


def be_captured(tale: Tale) -> None:
    if attempt := tale.attempt:
        capture(attempt)


def expire(tale: Tale) -> None:
    clock.advance(timedelta(minutes=40))
    group = tale.group
    while order_group_expire(group_id=group.pk, actor=TESTER):
        pass


def cancel_group(tale: Tale) -> None:
    order_group_cancel(group_id=tale.group.pk, actor=BUYER, reason="mind")


def cancel_units(tale: Tale) -> None:
    order = tale.order
    one = {order.lines.get().pk: 1}
    quantities = one if tale.chance.random() < 0.6 else None
    order_cancel(order_id=order.pk, actor=MERCHANT, reason="broken", quantities=quantities)


def refund(tale: Tale) -> None:
    order = tale.order
    parts = RefundParts(
        units={order.lines.get().pk: 1} if tale.chance.random() < 0.4 else {},
        delivery_minor=tale.chance.choice([0, 0, 199]),
        goodwill_minor=tale.chance.randint(0, 700),
    )
    order_refund(
        order_id=order.pk, parts=parts, reason="late", request_key=fresh("k{}"), actor=MERCHANT
    )


def settle_refund(tale: Tale) -> None:
    for row in Refund.objects.filter(status="approved").order_by("id")[:1]:
        sent = refund_send(refund_id=row.pk, actor=TESTER)
        say_of_refund(sent, tale.chance.choice(["refund_succeeded", "refund_failed"]))


def redirect_refund(tale: Tale) -> None:
    for row in Refund.objects.filter(status="failed").order_by("id")[:1]:
        refund_redirect(
            refund_id=row.pk,
            destination="store_credit",
            customer_id=tale.groups[0].customer_id,
            actor=TESTER,
        )


def take_back(tale: Tale) -> None:
    if attempt := tale.attempt:
        minor = tale.chance.randint(1, attempt.amount_minor)
        dispute(attempt, "opened", fresh("dp_{}"), amount_minor=minor)


def decide(tale: Tale) -> None:
    for row in Chargeback.objects.filter(status="opened").order_by("id")[:1]:
        kind = tale.chance.choice(["won", "lost"])
        dispute(row.attempt, kind, row.channel_ref, amount_minor=row.amount_minor)


STEPS: list[Callable[[Tale], None]] = [
    *([pay_with_credit, be_captured, be_captured, refund] * 2),
    *(pay_without, be_refused, be_refused, expire, cancel_group, cancel_units),
    *(settle_refund, redirect_refund, take_back, decide),
]


def tell(seed: int) -> Tale:
    tale = Tale(seed)
    tale.go(22)
    found = broken(final=True) - {"inv_21_outbox_undelivered"}
    assert found == set(), (seed, tale.done)
    for payment in Payment.objects.filter(tender="store_credit"):
        entries = CreditEntry.objects.filter(payment=payment).aggregate(minor=Sum("amount_minor"))
        assert payment.captured_minor - payment.refunded_minor == -(entries["minor"] or 0)
    return tale


def test_whatever_happens_the_books_are_exact() -> None:
    done = {name for seed in range(5) for name in tell(SEED + seed).done}
    assert {"pay_with_credit", "be_captured", "be_refused"} <= done


@pytest.mark.long
def test_in_five_hundred_histories_too() -> None:
    done = {name for seed in range(500) for name in tell(SEED + seed).done}
    assert done == {step.__name__ for step in STEPS}

"""Refunds by line, delivery and goodwill: capped, rehearsed, approved by two, sent elsewhere."""

from functools import partial
from typing import Any

import pytest
from pytest_django import Settings

from accounts.actors import Actor, Role
from core.errors import Conflict, Denied, Invalid, NotFound
from orders.models import Order, OrderRefund
from orders.services.cancel import order_cancel
from orders.services.refund import (
    OrderRefunded,
    RefundParts,
    order_refund,
    order_refund_approve,
    order_refund_decline,
)
from payments.models import Refund
from payments.selectors import balance_minor, credit_minor
from payments.services.approval import refund_redirect
from payments.services.refund import refund_send
from tests.audit.plant import broken
from tests.concurrency.threads import at_once
from tests.factories import TESTER
from tests.factories.money import accrue, say_of_refund
from tests.factories.story import (
    MERCHANT,
    deliver_events,
    make_paid_group,
    only_order,
    payment_of,
)

pytestmark = pytest.mark.django_db

ANNA, BERT = Actor(Role.STAFF, "user:1"), Actor(Role.STAFF, "user:2")


def paid_order(units: int = 3) -> Order:
    """Of 10.00 a unit, and 5.00 for delivery."""
    return only_order(make_paid_group(units=units))


def ask(order: Order, key: str = "k", actor: Actor = MERCHANT, **parts: Any) -> OrderRefunded:
    units = {order.lines.get().pk: parts.pop("units")} if "units" in parts else {}
    dry_run = parts.pop("dry_run", False)
    return order_refund(
        order_id=order.pk,
        parts=RefundParts(units=units, **parts),
        reason="scratched",
        reason_code="damaged",
        request_key=key,
        actor=actor,
        dry_run=dry_run,
    )


def code_of(order: Order, **parts: Any) -> str:
    with pytest.raises(Invalid) as refusal:
        ask(order, **parts)
    return refusal.value.code


def clean() -> None:
    deliver_events()
    assert broken(final=True) - {"inv_21_outbox_undelivered"} == set()


def test_parts_sum_to_what_goes_back() -> None:
    order = paid_order()
    told = ask(order, units=2, delivery_minor=300, goodwill_minor=45)
    assert told.amount_minor == 2345
    [refund] = told.refunds
    assert (refund.amount_minor, refund.status) == (2345, "approved")
    kept = OrderRefund.objects.get()
    assert (kept.reason_code, kept.units) == ("damaged", {str(order.lines.get().pk): 2})
    clean()


def test_no_line_goes_back_beyond_its_worth() -> None:
    order = paid_order()
    ask(order, units=2)
    assert code_of(order, key="l", units=2) == "refund.units"
    ask(order, key="m", units=1)
    assert code_of(order, key="n", units=1) == "refund.units"
    assert code_of(order, key="o", units=0) == "refund.units"


def test_units_that_were_called_off_are_refunded_already() -> None:
    order = paid_order()
    one = {order.lines.get().pk: 1}
    order_cancel(order_id=order.pk, actor=MERCHANT, reason="broken", quantities=one)
    assert code_of(order, units=3) == "refund.units"
    ask(order, units=2)
    assert sum(refund.amount_minor for refund in Refund.objects.all()) == 3000


def test_delivery_goes_back_once() -> None:
    order = paid_order()
    ask(order, delivery_minor=300)
    assert code_of(order, key="l", delivery_minor=201) == "refund.delivery"
    assert code_of(order, key="l", delivery_minor=-1) == "refund.delivery"
    ask(order, key="l", delivery_minor=200)


def test_a_line_of_another_order_is_no_part() -> None:
    order, other = paid_order(), paid_order()
    with pytest.raises(Invalid) as refusal:
        order_refund(
            order_id=order.pk,
            parts=RefundParts(units={other.lines.get().pk: 1}),
            reason="r",
            request_key="k",
            actor=MERCHANT,
        )
    assert refusal.value.code == "refund.units"


def test_goodwill_is_capped_by_what_is_left() -> None:
    order = paid_order()
    assert code_of(order, goodwill_minor=3501) == "refund.exceeds_captured"
    assert code_of(order, goodwill_minor=-1) == "refund.amount"
    assert code_of(order) == "refund.amount"
    ask(order, goodwill_minor=3500)
    assert not OrderRefund.objects.filter(amount_minor=3501).exists()


def test_the_rehearsal_tells_the_same_and_leaves_nothing() -> None:
    order = paid_order()
    told = ask(order, units=1, dry_run=True)
    assert not Refund.objects.exists()
    assert not OrderRefund.objects.exists()
    done = ask(order, units=1)
    assert (told.amount_minor, told.merchant_minor, told.fee_minor) == (1000, 900, 100)
    assert (done.amount_minor, done.merchant_minor, done.fee_minor) == (1000, 900, 100)


def test_after_completion_the_book_says_who_pays() -> None:
    order = paid_order()
    payment = payment_of(order.group)
    accrue(payment, order.commission_minor, delivery_minor=500)
    told = ask(order, units=2)
    assert (told.amount_minor, told.merchant_minor, told.fee_minor) == (2000, 1800, 200)
    assert balance_minor("commission_income", "EUR") == -100


def test_the_same_request_twice_is_one_refund_and_another_under_its_key_is_refused() -> None:
    order = paid_order()
    first, again = ask(order, units=1), ask(order, units=1)
    assert first.refunds == again.refunds
    assert again.fee_minor == first.fee_minor
    with pytest.raises(Conflict) as refusal:
        ask(order, units=2)
    assert refusal.value.code == "refund.key_reused"


@pytest.fixture
def waiting(settings: Settings) -> OrderRefund:
    settings.REFUND_LIMIT_MINOR = 1999
    assert ask(paid_order(), actor=ANNA, units=2).waits
    return OrderRefund.objects.get()


def test_above_the_limit_a_second_person_lets_it_go(waiting: OrderRefund) -> None:
    [refund] = Refund.objects.all()
    assert refund.status == "pending"
    assert refund.payment.refunded_minor == 0
    clean()
    for actor in (ANNA, Actor(Role.MERCHANT, "7/user:1")):
        with pytest.raises(Denied):
            order_refund_approve(order_refund_id=waiting.pk, actor=actor)
    order_refund_approve(order_refund_id=waiting.pk, actor=BERT)
    order_refund_approve(order_refund_id=waiting.pk, actor=BERT)
    [refund] = Refund.objects.all()
    assert (refund.status, refund.payment.refunded_minor) == ("approved", 2000)
    with pytest.raises(Conflict):
        order_refund_decline(order_refund_id=waiting.pk, reason="no", actor=BERT)
    clean()


def test_what_was_declined_can_be_asked_for_anew(waiting: OrderRefund) -> None:
    order_refund_decline(order_refund_id=waiting.pk, reason="no photo", actor=BERT)
    order_refund_decline(order_refund_id=waiting.pk, reason="no photo", actor=BERT)
    with pytest.raises(Conflict):
        order_refund_approve(order_refund_id=waiting.pk, actor=BERT)
    assert ask(waiting.order, key="l", units=3).waits
    clean()


def test_what_waits_counts_as_gone_for_others_by_hand(waiting: OrderRefund) -> None:
    assert code_of(waiting.order, key="l", units=2) == "refund.units"
    assert code_of(waiting.order, key="l", goodwill_minor=1501) == "refund.exceeds_captured"


def test_what_went_meanwhile_can_not_be_approved(waiting: OrderRefund) -> None:
    order_cancel(order_id=waiting.order_id, actor=MERCHANT, reason="sold out")
    clean()
    with pytest.raises(Invalid) as refusal:
        order_refund_approve(order_refund_id=waiting.pk, actor=BERT)
    assert refusal.value.code == "refund.exceeds_captured"


def test_nobody_approves_what_is_not_there() -> None:
    with pytest.raises(NotFound):
        order_refund_approve(order_refund_id=1, actor=BERT)


def failed(order: Order) -> Refund:
    [refund] = ask(order, units=1).refunds
    say_of_refund(refund_send(refund_id=refund.pk, actor=TESTER), "refund_failed")
    return refund


def test_what_the_channel_can_not_give_back_becomes_store_credit() -> None:
    order = paid_order()
    refund, group = failed(order), order.group
    given = {"refund_id": refund.pk, "destination": "store_credit", "actor": BERT}
    for _ in range(2):
        made = refund_redirect(**given, customer_id=group.customer_id)
        assert made.status == "succeeded"
    left = credit_minor(
        customer_id=group.customer_id, shard_key=group.shard_key, currency=group.currency
    )
    assert left == 1000
    assert balance_minor("refunds_in_flight", "EUR") == 0
    assert balance_minor("store_credit", "EUR") == -1000
    clean()


def test_or_goes_to_a_bank_account() -> None:
    refund = failed(paid_order())
    made = refund_redirect(
        refund_id=refund.pk,
        destination="bank_account",
        account="DE02120300000000202051",
        actor=BERT,
    )
    assert (made.status, made.tries, made.account) == ("approved", 2, "DE02120300000000202051")
    clean()


def test_where_it_goes_has_to_be_said() -> None:
    order = paid_order()
    refund = failed(order)
    redirect = partial(refund_redirect, refund_id=refund.pk)
    for said in (
        {"destination": "bank_account"},
        {"destination": "store_credit"},
        {"destination": "original"},
        {"destination": "store_credit", "customer_id": 1, "account": "x"},
    ):
        with pytest.raises(Invalid) as refusal:
            redirect(actor=BERT, **said)
        assert refusal.value.code == "refund.destination"
    with pytest.raises(Denied):
        redirect(actor=MERCHANT, destination="bank_account", account="x")


@pytest.mark.django_db(transaction=True)
def test_of_fifty_refunds_of_three_fifths_at_once_one_succeeds() -> None:
    order = paid_order(units=1)
    hands = [partial(ask, order, f"k{n}", goodwill_minor=900) for n in range(50)]
    assert at_once(hands) == {"done": 1, "refund.exceeds_captured": 49}
    assert sum(refund.amount_minor for refund in Refund.objects.all()) == 900

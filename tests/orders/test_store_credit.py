"""Store credit as a tender: spent first, given back when the channel's part fails, taken again late."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from core import clock
from core.errors import Conflict, Denied, DomainError, Invalid
from orders.links import link_path
from orders.models import OrderGroup
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.expire import order_group_expire
from orders.services.mail import mail_write
from orders.services.pay import payment_start_with_credit
from payments.models import Attempt, PaymentShare, Refund
from payments.selectors import balance_minor, credit_minor
from payments.services.credit import credit_issue
from tests.audit.plant import broken
from tests.factories import TESTER, make_customer
from tests.factories.money import say
from tests.factories.story import (
    BUYER,
    MERCHANT,
    attempt_beside,
    capture,
    deliver_events,
    fresh_row,
    issue_credit,
    make_stocked_sku,
    payment_of,
    place,
    start_payment,
    start_with_credit,
)

pytestmark = pytest.mark.django_db

TOTAL = 3000  # two orders of 10.00 and 5.00 for delivery


def two_orders() -> OrderGroup:
    return place([(make_stocked_sku(), 1), (make_stocked_sku(), 1)])


def left(group: OrderGroup) -> int:
    return credit_minor(
        customer_id=group.customer_id, shard_key=group.shard_key, currency=group.currency
    )


def clean() -> None:
    """The auditor finds nothing; what is for channels alone is not delivered here."""
    deliver_events()
    assert broken(final=True) - {"inv_21_outbox_undelivered"} == set()


def test_credit_pays_first_and_the_channel_the_rest() -> None:
    group = two_orders()
    issue_credit(group, 1001)
    credit = start_with_credit(group, 1001)
    assert left(group) == 0
    assert [share.amount_minor for share in credit.shares.order_by("pk")] == [501, 500]
    assert attempt_beside(credit).amount_minor == payment_of(group).amount_minor == TOTAL - 1001
    capture(attempt_beside(credit))
    deliver_events()
    assert fresh_row(group).status == "paid"
    assert balance_minor("store_credit", "EUR") == 0
    assert balance_minor("escrow", "EUR") == -TOTAL
    assert balance_minor("goodwill", "EUR") == 1001
    clean()


def test_nobody_is_paid_before_the_channels_part_is_here() -> None:
    group = two_orders()
    issue_credit(group, 1000)
    start_with_credit(group, 1000)
    deliver_events()
    assert fresh_row(group).status == "pending_payment"


def test_credit_that_is_enough_pays_alone() -> None:
    group = two_orders()
    issue_credit(group, 5000)
    credit = start_with_credit(group, TOTAL)
    assert credit.beside is None
    assert (payment_of(group).status, payment_of(group).amount_minor) == ("closed", 0)
    deliver_events()
    assert fresh_row(group).status == "paid"
    assert left(group) == 5000 - TOTAL
    assert not Attempt.objects.exists()
    clean()


@pytest.mark.parametrize("outcome", ["failed", "closed"])
def test_an_attempt_that_comes_to_nothing_gives_the_credit_back(outcome: str) -> None:
    group = two_orders()
    issue_credit(group, 1001)
    credit = start_with_credit(group, 1001)
    say(attempt_beside(credit), outcome)
    assert left(group) == 1001
    assert fresh_row(credit).status == "closed"
    assert payment_of(group).amount_minor == TOTAL
    assert [share.amount_minor for share in payment_of(group).shares.all()] == [1500, 1500]
    assert balance_minor("escrow", "EUR") == 0
    clean()
    again = start_with_credit(group, 500)
    capture(attempt_beside(again))
    deliver_events()
    assert fresh_row(group).status == "paid"
    assert left(group) == 501
    clean()


def test_the_shopper_may_start_again_without_credit() -> None:
    group = two_orders()
    issue_credit(group, 1001)
    say(attempt_beside(start_with_credit(group, 1001)), "failed")
    capture(start_payment(group))
    deliver_events()
    assert fresh_row(group).status == "paid"
    assert left(group) == 1001
    clean()


def test_said_twice_it_is_given_back_once() -> None:
    group = two_orders()
    issue_credit(group, 1000)
    attempt = attempt_beside(start_with_credit(group, 1000))
    say(attempt, "failed")
    say(attempt, "failed")
    say(attempt, "closed")
    assert left(group) == 1000
    clean()


def test_money_that_comes_after_the_failure_takes_the_credit_again() -> None:
    group = two_orders()
    issue_credit(group, 1001)
    credit = start_with_credit(group, 1001)
    say(attempt_beside(credit), "failed")
    capture(attempt_beside(credit))
    deliver_events()
    assert fresh_row(group).status == "paid"
    assert left(group) == 0
    assert fresh_row(credit).status == "captured"
    clean()


def test_money_that_comes_when_the_credit_is_gone_goes_back() -> None:
    group = two_orders()
    issue_credit(group, 1001)
    credit = start_with_credit(group, 1001)
    say(attempt_beside(credit), "failed")
    other = place([(make_stocked_sku(), 1)], group.customer)
    capture(attempt_beside(start_with_credit(other, 900)))
    capture(attempt_beside(credit))
    deliver_events()
    [refund] = Refund.objects.all()
    assert (refund.amount_minor, refund.status) == (TOTAL - 1001, "approved")
    assert fresh_row(group).status == "pending_payment"
    assert left(group) == 101


def test_money_of_the_first_try_while_a_second_one_with_credit_runs_goes_back() -> None:
    group = two_orders()
    issue_credit(group, 2000)
    first = start_with_credit(group, 1500)
    say(attempt_beside(first), "failed")
    second = start_with_credit(group, 200)
    capture(attempt_beside(first))
    assert fresh_row(attempt_beside(first)).is_excess
    capture(attempt_beside(second))
    deliver_events()
    assert fresh_row(group).status == "paid"
    assert left(group) == 1800


def test_more_than_is_asked_for_by_now_goes_back() -> None:
    """The first try had no credit and seemed to fail; the second has, and is closed then."""
    group = two_orders()
    issue_credit(group, 1000)
    first = start_payment(group)
    say(first, "failed")
    second = start_with_credit(group, 1000)
    capture(first)
    deliver_events()
    say(attempt_beside(second), "closed")
    deliver_events()
    assert fresh_row(group).status == "paid"
    [refund] = Refund.objects.all()
    assert refund.amount_minor == 1000
    assert left(group) == 0


def test_a_group_that_expires_gives_the_credit_back() -> None:
    group = two_orders()
    issue_credit(group, 1000)
    start_with_credit(group, 1000)
    clock.advance(timedelta(minutes=36))
    while order_group_expire(group_id=group.pk, actor=TESTER):
        pass
    assert fresh_row(group).status == "expired"
    assert left(group) == 1000
    deliver_events()


def expire(group: OrderGroup) -> None:
    clock.advance(timedelta(minutes=36))
    while order_group_expire(group_id=group.pk, actor=TESTER):
        pass


def test_late_money_brings_the_group_back_with_its_credit() -> None:
    group = two_orders()
    issue_credit(group, 1000)
    credit = start_with_credit(group, 1000)
    expire(group)
    capture(attempt_beside(credit))
    deliver_events()
    assert fresh_row(group).status == "paid"
    assert left(group) == 0
    clean()


def test_late_money_without_its_credit_goes_back() -> None:
    group = two_orders()
    issue_credit(group, 1000)
    credit = start_with_credit(group, 1000)
    expire(group)
    other = place([(make_stocked_sku(), 1)], group.customer)
    start_with_credit(other, 1000)
    capture(attempt_beside(credit))
    deliver_events()
    assert fresh_row(group).status == "expired"
    clean()
    [refund] = Refund.objects.filter(payment__reference=group.pk)
    assert refund.amount_minor == 2000


def test_late_money_of_a_cancelled_group_goes_back_with_its_credit() -> None:
    group = two_orders()
    issue_credit(group, 1000)
    credit = start_with_credit(group, 1000)
    order_group_cancel(group_id=group.pk, actor=BUYER, reason="mind")
    assert left(group) == 1000
    capture(attempt_beside(credit))
    deliver_events()
    assert fresh_row(group).status == "cancelled"
    assert left(group) == 1000
    assert {r.amount_minor: r.status for r in Refund.objects.all()} == {
        2000: "approved",
        1000: "succeeded",
    }


def test_a_group_paid_with_credit_alone_and_cancelled_at_once() -> None:
    group = two_orders()
    issue_credit(group, TOTAL)
    start_with_credit(group, TOTAL)
    order_group_cancel(group_id=group.pk, actor=BUYER, reason="mind")
    deliver_events()
    assert left(group) == TOTAL
    clean()


def test_an_order_that_is_cancelled_goes_back_to_the_channel_first_then_to_credit() -> None:
    group = two_orders()
    issue_credit(group, 1001)
    credit = start_with_credit(group, 1001)
    capture(attempt_beside(credit))
    deliver_events()
    order = group.orders.order_by("number")[0]
    share = PaymentShare.objects.get(payment=credit, order_id=order.pk)
    order_cancel(order_id=order.pk, actor=MERCHANT, reason="sold out")
    assert left(group) == share.amount_minor
    assert {r.payment.tender: r.amount_minor for r in Refund.objects.all()} == {
        "channel": 1500 - share.amount_minor,
        "store_credit": share.amount_minor,
    }


def test_units_go_back_to_the_channel_as_far_as_it_has_paid_them() -> None:
    group = place([(make_stocked_sku(), 3)])
    issue_credit(group, 1000)
    capture(attempt_beside(start_with_credit(group, 1000)))
    deliver_events()
    order = group.orders.get()
    one = {order.lines.get().pk: 1}
    for _ in range(3):
        order_cancel(order_id=order.pk, actor=MERCHANT, reason="broken", quantities=one)
    assert sum(r.amount_minor for r in Refund.objects.all()) == 3500
    assert left(group) == 1000


def test_less_is_called_off_only_where_the_channel_is_to_bring_it() -> None:
    group = place([(make_stocked_sku(), 3)])
    issue_credit(group, 3000)
    start_with_credit(group, 3000, channel="sandbox_transfer")
    order = group.orders.get()
    one = {order.lines.get().pk: 1}
    with pytest.raises(Conflict, match="being paid"):
        order_cancel(order_id=order.pk, actor=BUYER, reason="mind", quantities=one)
    assert left(group) == 0


def test_only_the_proved_owner_spends_it() -> None:
    group = two_orders()
    issue_credit(group, 1000)
    for owner in (None, make_customer().pk):
        with pytest.raises(Denied, match="Sign in"):
            payment_start_with_credit(
                group_id=group.pk,
                store_credit_minor=1000,
                owner_id=owner,
                channel="sandbox",
                token="tok_ok",
                return_url="http://shop.invalid/return",
                actor=BUYER,
            )
    assert left(group) == 1000


@pytest.mark.parametrize("amount", [0, -1, TOTAL + 1])
def test_no_more_and_no_less_than_there_is_to_pay(amount: int) -> None:
    group = two_orders()
    issue_credit(group, 10_000)
    with pytest.raises(Invalid, match="no more store credit"):
        start_with_credit(group, amount)
    assert left(group) == 10_000


def test_more_than_there_is_changes_nothing() -> None:
    group = two_orders()
    issue_credit(group, 999)
    with pytest.raises(Conflict, match="not that much"):
        start_with_credit(group, 1000)
    assert (left(group), payment_of(group).amount_minor) == (999, TOTAL)
    assert not Attempt.objects.exists()


def test_while_a_payment_is_made_another_one_waits() -> None:
    group = two_orders()
    issue_credit(group, 1000)
    start_with_credit(group, 500)
    with pytest.raises(Conflict, match="being made"):
        start_with_credit(group, 500)
    start_all = two_orders()
    issue_credit(start_all, TOTAL)
    start_with_credit(start_all, TOTAL)
    with pytest.raises(Conflict, match="any more"):
        start_with_credit(start_all, 1)


def test_issuing_needs_the_platform_a_reason_and_an_amount() -> None:
    group = two_orders()
    given: dict[str, Any] = {
        "customer_id": group.customer_id,
        "currency": "EUR",
        "request_key": "k",
    }
    with pytest.raises(Denied):
        credit_issue(**given, amount_minor=1, reason="r", actor=MERCHANT)
    with pytest.raises(Invalid, match="why"):
        credit_issue(**given, amount_minor=1, reason=" ", actor=TESTER)
    with pytest.raises(Invalid, match="above zero"):
        credit_issue(**given, amount_minor=0, reason="r", actor=TESTER)
    first = credit_issue(**given, amount_minor=7, reason="r", actor=TESTER)
    assert credit_issue(**given, amount_minor=7, reason="r", actor=TESTER) == first
    with pytest.raises(Conflict, match="another amount"):
        credit_issue(**given, amount_minor=8, reason="r", actor=TESTER)
    assert left(group) == 7
    clean()


@pytest.mark.django_db(transaction=True)
def test_groups_of_one_customer_do_not_spend_the_same_credit() -> None:
    customer = make_customer()
    sku = make_stocked_sku(units=50)
    groups = [place([(sku, 1)], customer) for _ in range(8)]
    issue_credit(groups[0], 2500)

    def spend(group: OrderGroup) -> str:
        try:
            start_with_credit(group, 1000)
        except DomainError as refusal:
            return refusal.code
        finally:
            connection.close()
        return "spent"

    with ThreadPoolExecutor(8) as threads:
        ends = sorted(threads.map(spend, groups))
    assert ends == ["credit.short"] * 6 + ["spent"] * 2
    assert left(groups[0]) == 500
    clean()


def test_the_mail_and_the_orders_page_say_that_it_is_store_credit() -> None:
    group = two_orders()
    issue_credit(group, TOTAL)
    start_with_credit(group, TOTAL)
    deliver_events()
    order = group.orders.order_by("number")[0]
    order_cancel(order_id=order.pk, actor=MERCHANT, reason="sold out")
    refund = Refund.objects.get()
    [mail] = mail_write(
        event_id=uuid4(),
        template="refund_sent",
        group_id=group.pk,
        object_id=refund.pk,
        actor=TESTER,
    )
    assert "It is store credit now" in mail.text
    assert "Your bank" not in mail.text
    assert "is back as store credit" in Client().get(link_path(group)).content.decode()

"""A walk through the story by its services, so that every one of them is called."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.test import override_settings

from accounts.actors import Actor, Role
from accounts.models import Merchant
from core import clock
from core.hooks import hook_store
from core.models import Hook
from delivery.models import Shipment
from delivery.services import (
    method_activate,
    method_deactivate,
    parcel_event_record,
    quote_record,
    tracking_record,
)
from delivery.services.hook import hook_process as carrier_hook_process
from inventory.models import Location, StockItem
from inventory.services import (
    Receipt,
    stock_adjust,
    stock_receive_many,
    stock_restock,
    stock_transfer,
)
from orders.models import OrderGroup, OrderRefund
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.capture import order_capture, order_captured, order_group_lapse
from orders.services.cart import (
    cart_identify,
    cart_line_remove,
    cart_line_set,
    cart_merge,
    cart_open,
    cart_settle,
)
from orders.services.checkout import checkout_complete, checkout_open, checkout_update
from orders.services.complete import order_complete
from orders.services.expire import order_group_expire, order_groups_expire
from orders.services.extend import order_group_extend
from orders.services.fulfil import order_deliver, order_ship
from orders.services.mail import mail_sent, mail_write
from orders.services.note import note_add
from orders.services.pay import order_group_pay
from orders.services.refill import cart_refill
from orders.services.refund import order_refund, order_refund_approve, order_refund_decline
from orders.services.remind import merchant_remind
from orders.services.request import (
    cancel_request_approve,
    cancel_request_decline,
    cancel_request_open,
    cancel_request_withdraw,
)
from orders.services.resume import order_group_resume
from orders.services.summary import order_group_summarise
from orders.services.take_back import order_take_back
from orders.services.voucher import cart_voucher_remove, cart_voucher_set
from orders.services.voucher_terms import voucher_amend, voucher_resume, voucher_stop
from payments.channels.base import Answer, Movement
from payments.models import Attempt, ChannelFact, Difference, ManualTransfer, Payout, Refund
from payments.services.approval import refund_redirect
from payments.services.bank import (
    line_assign,
    line_dismiss,
    line_give_back,
    line_match,
    receipts_settle,
)
from payments.services.capture import capture_retry
from payments.services.collect import attempt_answer_record
from payments.services.day import day_certify
from payments.services.difference import difference_settle
from payments.services.hooks import hook_process as channel_hook_process
from payments.services.payee import merchant_account_change, payout_hold, payout_release
from payments.services.payout import payout_approve, payout_retry, payout_send
from payments.services.reconcile import (
    fact_missing_record,
    movement_record,
    run_record,
)
from payments.services.refund import (
    refund_answer_record,
    refund_fact_record,
    refund_retry,
    refund_send,
)
from payments.services.statement import statement_close, statement_open
from payments.services.transfer import (
    transfer_direct,
    transfer_fail,
    transfer_request,
    transfer_retry,
)
from payments.statements import due_statement_ids
from tests.factories import TESTER, make_customer, make_merchant, settlement
from tests.factories.bank import (
    SENDERS_IBAN,
    make_awaited,
    receive,
    send,
    settle_channel,
)
from tests.factories.money import dispute, make_sent_refund, say
from tests.factories.parcels import SCANNED_AT, make_method
from tests.factories.story import (
    BUYER,
    CHANNEL,
    MERCHANT,
    answer_capture,
    attempt_beside,
    authorise,
    capture,
    deliver_events,
    expire_for_good,
    fill_cart,
    issue_credit,
    make_delivering_merchant,
    make_group,
    make_paid_group,
    make_promised_group,
    make_stocked_sku,
    only_order,
    pack,
    pay,
    payment_of,
    place,
    ship,
    start_payment,
    start_with_credit,
)
from tests.factories.vouchers import counting, make_voucher, place_with

LATE = timedelta(minutes=31)
FINANCE = Actor(Role.STAFF, "finance")
STAFF = Actor(Role.STAFF, "user:1")


def walk() -> None:
    """Everything that can happen to orders, forward and back."""
    fill_carts()
    check_out()
    take_goods_in()
    ship_in_two_parcels_and_complete()
    give_money_back()
    keep_a_promise()
    come_back_unpaid()
    pay_with_credit()
    refund_by_two_people()
    be_disputed()
    call_off_before_payment()
    call_off_after_payment()
    call_off_some_units()
    ask_to_cancel()
    run_out_of_time()
    capture_twice()
    take_up_again()
    use_vouchers()
    pay_merchants()
    hear_from_outside()
    reconcile_with_a_channel()
    pay_by_hand()
    deliver_events()
    tell_by_mail()


def fill_carts() -> None:
    sku = make_stocked_sku()
    basket = fill_cart([(sku, 1)])
    cart_line_set(cart_id=basket.cart_id, sku_id=sku.pk, quantity=2, actor=BUYER)
    cart_settle(cart_id=basket.cart_id, actor=BUYER)
    cart_line_remove(cart_id=basket.cart_id, sku_id=sku.pk, actor=BUYER)
    customer = make_customer()
    fill_cart([(sku, 1)], customer)
    guests = cart_open(customer=None, actor=BUYER)
    cart_merge(guest_cart_id=guests.pk, customer=customer, actor=BUYER)
    cart_identify(cart_id=guests.pk, email=customer.email, name="Ada", actor=BUYER)
    merchant = make_delivering_merchant()
    method = make_method(merchant, "quoted")
    quote_record(
        cart_id=basket.cart_id,
        merchant_id=merchant.pk,
        method_id=method.pk,
        amount_minor=500,
        valid_until=clock.now() + LATE,
        actor=TESTER,
    )
    method_deactivate(method_id=method.pk, actor=TESTER)
    method_activate(method_id=method.pk, actor=TESTER)


def check_out() -> None:
    basket = fill_cart([(make_stocked_sku(), 1)])
    answers = {
        "email": "ada@example.com",
        "name": "Ada",
        "line1": "Am Kai 1",
        "city": "Bremen",
        "postcode": "28195",
        "country": "DE",
    }
    checkout_open(cart_id=basket.cart_id, actor=BUYER)
    record = checkout_update(
        cart_id=basket.cart_id, answers=answers, delivery_methods={}, actor=BUYER
    )
    checkout_complete(token=record.token, expected_total_minor=basket.total_minor, actor=BUYER)


def take_goods_in() -> None:
    sku = make_stocked_sku()
    item = StockItem.objects.get(sku_id=sku.pk)
    place = Location.objects.create(merchant_id=sku.merchant_id, code="second", name="Second")
    receipt = Receipt(sku_id=sku.pk, quantity=5, dedup_key="five")
    stock_receive_many(receipts=[receipt], actor=TESTER)
    stock_adjust(
        stock_item_id=item.pk, change=-1, reason_note="broken", dedup_key="one", actor=TESTER
    )
    stock_transfer(
        stock_item_id=item.pk, to_location_id=place.pk, quantity=2, dedup_key="two", actor=TESTER
    )


def ship_in_two_parcels_and_complete() -> None:
    order = only_order(make_paid_group(units=3))
    pack(order)
    [line] = order.lines.all()
    order_ship(order_id=order.pk, actor=MERCHANT, quantities={line.pk: 1})
    order_ship(order_id=order.pk, actor=MERCHANT)
    stock_restock(quantity=1, dedup_key="back", actor=TESTER, reference=line.pk)
    for shipment in Shipment.objects.filter(reference=order.pk):
        number = f"T{shipment.pk}"
        tracking_record(shipment_id=shipment.pk, tracking_number=number, actor=TESTER)
        scan(shipment, "delivered")
    deliver_events()
    order_deliver(order_id=order.pk, actor=BUYER)
    clock.advance(timedelta(days=15))
    order_complete(order_id=order.pk, actor=TESTER)


def scan(shipment: Shipment, code: str) -> None:
    parcel_event_record(
        shipment_id=shipment.pk,
        code=code,
        at=SCANNED_AT,
        event_id=f"{code}-{shipment.pk}",
        actor=TESTER,
    )


def give_money_back() -> None:
    """Of an order that was cancelled: it fails, is sent once more and arrives."""
    order = only_order(make_paid_group())
    order_refund(order_id=order.pk, amount_minor=1, reason="late", request_key="k", actor=MERCHANT)
    order_cancel(order_id=order.pk, actor=MERCHANT, reason="out of stock")
    refund = Refund.objects.filter(reference=order.pk).latest("pk")
    refund_send(refund_id=refund.pk, actor=TESTER)
    say_of_refund(refund, "refund_failed")
    refund_retry(refund_id=refund.pk, actor=TESTER)
    refund_send(refund_id=refund.pk, actor=TESTER)
    answer = Answer(status="succeeded", amount_minor=refund.amount_minor, currency=refund.currency)
    refund_answer_record(refund_id=refund.pk, answer=answer, actor=CHANNEL)


def keep_a_promise() -> None:
    """One order's money is taken at the second try; then the promise lapses, and the other ends."""
    with override_settings(PAYMENT_CAPTURE_AT={"sandbox": "shipment"}):
        group = make_promised_group(orders=2)
    first = group.orders.order_by("id")[0]
    ship(first)
    deliver_events()
    order_capture(order_id=first.pk, actor=TESTER)
    capture_retry(capture_id=answer_capture(first, "failed").pk, actor=TESTER)
    taken = answer_capture(first)
    order_captured(order_id=first.pk, capture_id=taken.pk, actor=TESTER)
    say(payment_of(group).attempts.get(), "closed")
    order_group_lapse(group_id=group.pk, actor=TESTER)


def come_back_unpaid() -> None:
    """What was to be paid at the door is refused there."""
    group = make_group()
    Merchant.objects.filter(pk=only_order(group).merchant_id).update(accepts_cash=True)
    authorise(start_payment(group, channel="cash_on_delivery"))
    deliver_events()
    order = only_order(group)
    ship(order)
    scan(Shipment.objects.get(reference=order.pk), "returned")
    order_take_back(order_id=order.pk, actor=TESTER)


def pay_with_credit() -> None:
    """Beside an attempt that fails and is paid late, and alone; called off, it is credit again."""
    group, other = make_group(orders=2), make_group()
    issue_credit(group, 1001)
    issue_credit(other, other.total_minor)
    attempt = attempt_beside(start_with_credit(group, 1001))
    answered(attempt, "failed")
    capture(attempt)
    start_with_credit(other, other.total_minor)
    deliver_events()
    order_cancel(order_id=group.orders.all()[0].pk, actor=MERCHANT, reason="sold out")
    order_group_cancel(group_id=other.pk, actor=BUYER, reason="mind")
    late = make_group()
    issue_credit(late, 100)
    start_with_credit(late, 100)
    order_group_cancel(group_id=late.pk, actor=BUYER, reason="mind")


def refund_by_two_people() -> None:
    """One waits and goes, one is declined, one fails and becomes store credit."""
    order = only_order(pay(place([(make_stocked_sku(units=70), 70)])))
    asked: dict[str, Any] = {"order_id": order.pk, "reason": "broken", "actor": MERCHANT}
    order_refund(**asked, amount_minor=50_001, request_key="first", dry_run=True)
    order_refund(**asked, amount_minor=50_001, request_key="first")
    declined = OrderRefund.objects.get(order=order)
    order_refund_decline(order_refund_id=declined.pk, reason="no", actor=STAFF)
    order_refund(**asked, amount_minor=50_001, request_key="second")
    waiting = OrderRefund.objects.filter(order=order).latest("pk")
    order_refund_approve(order_refund_id=waiting.pk, actor=STAFF)
    refund = Refund.objects.get(reference=order.pk, status="approved")
    refund_send(refund_id=refund.pk, actor=TESTER)
    say_of_refund(refund, "refund_failed")
    refund_redirect(
        refund_id=refund.pk,
        destination="store_credit",
        customer_id=order.group.customer_id,
        actor=TESTER,
    )


def be_disputed() -> None:
    """The bank takes all of it, then gives it back."""
    group = make_paid_group(orders=2)
    attempt = payment_of(group).attempts.get()
    for kind in ("opened", "lost", "won"):
        dispute(attempt, kind, f"dispute-{attempt.pk}")


def say_of_refund(refund: Refund, kind: str) -> None:
    refund_fact_record(
        refund_id=refund.pk,
        kind=kind,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        channel_ref=f"ref_{refund.channel_key}",
        origin="webhook",
        actor=CHANNEL,
    )


def call_off_before_payment() -> None:
    group = make_group(orders=2)
    attempt = start_payment(group)
    order_group_cancel(group_id=group.pk, actor=BUYER, reason="mind")
    capture(attempt)  # all the same
    deliver_events()


def call_off_after_payment() -> None:
    group = make_paid_group(orders=2)
    pack(group.orders.all()[0])
    order_group_cancel(group_id=group.pk, actor=MERCHANT, reason="sold out")
    order_group_summarise(group_id=group.pk, actor=TESTER)


def call_off_some_units() -> None:
    """Rehearsed and done, before and after payment, and down to the last parcel."""
    group = make_group(orders=2, units=5)
    for order in group.orders.all():
        one = {order.lines.get().pk: 1}
        asked: dict[str, Any] = {"order_id": order.pk, "reason": "mind", "quantities": one}
        order_cancel(**asked, actor=BUYER, dry_run=True)
        order_cancel(**asked, actor=BUYER)
        if order.number.endswith("2"):
            order_cancel(order_id=order.pk, reason="mind", actor=BUYER)
    capture(start_payment(group))
    deliver_events()
    order = group.orders.order_by("number")[0]
    asked["order_id"], asked["quantities"] = order.pk, {order.lines.get().pk: 1}
    order_cancel(**asked, actor=BUYER, dry_run=True)
    order_cancel(**asked, actor=MERCHANT, restock=False)
    pack(order)
    order_ship(order_id=order.pk, actor=MERCHANT, quantities=asked["quantities"])
    order_cancel(order_id=order.pk, actor=MERCHANT, reason="broken")


def ask_to_cancel() -> None:
    order = only_order(make_paid_group(units=3))
    pack(order)
    one = {order.lines.get().pk: 1}
    asked: dict[str, Any] = {"order_id": order.pk, "reason": "late", "actor": BUYER}
    cancel_request_withdraw(request_id=cancel_request_open(**asked).pk, actor=BUYER)
    request = cancel_request_open(**asked, quantities=one)
    cancel_request_decline(request_id=request.pk, answer="It is packed.", actor=MERCHANT)
    cancel_request_approve(
        request_id=cancel_request_open(**asked, quantities=one).pk, actor=MERCHANT
    )
    cancel_request_open(**asked)
    order_cancel(order_id=order.pk, actor=MERCHANT, reason="sold out")


def come_too_late_or_just_in_time() -> None:
    """Of two groups that ran out of time one comes back; the other's goods are gone by its last."""
    sku, scarce = make_stocked_sku(), make_stocked_sku(units=1)
    lucky, unlucky = place([(sku, 1)]), place([(sku, 1), (scarce, 1)])
    attempts = [say(start_payment(group), "closed") for group in (lucky, unlucky)]
    clock.advance(LATE)
    for group in (lucky, unlucky):
        order_group_expire(group_id=group.pk, actor=TESTER)
    place([(scarce, 1)])
    for attempt in attempts:
        capture(attempt)
    deliver_events()
    for group, status in ((lucky, "paid"), (unlucky, "expired")):
        assert OrderGroup.objects.get(pk=group.pk).status == status


def run_out_of_time() -> None:
    come_too_late_or_just_in_time()
    extended = make_group()
    clock.advance(timedelta(minutes=26))
    order_group_extend(group_id=extended.pk, actor=BUYER)
    group, tried, untried = make_group(orders=2), make_group(), make_group(orders=2)
    attempt = start_payment(tried)
    expire_for_good(group)
    order_groups_expire(group_ids=[make_group().pk, untried.pk], actor=TESTER)
    for late in (group, tried):
        order_group_expire(group_id=late.pk, actor=TESTER)
        order_group_expire(group_id=late.pk, actor=TESTER)
        cart_refill(group_id=late.pk, cart_id=None, actor=BUYER)
    capture(attempt)
    order_group_pay(group_id=tried.pk, payment_id=payment_of(tried).pk, actor=TESTER)


def capture_twice() -> None:
    group = make_group()
    first = start_payment(group)
    answered(first, "processing")
    answered(first, "failed")
    second = start_payment(group)
    capture(second)
    order_group_pay(group_id=group.pk, payment_id=payment_of(group).pk, actor=TESTER)
    capture(first)


def take_up_again() -> None:
    group = make_paid_group(orders=2)
    order_group_resume(group_id=group.pk, actor=TESTER)
    for order in group.orders.all():
        merchant_remind(order_id=order.pk, after="paid", actor=TESTER)


def use_vouchers() -> None:
    """Entered, taken out, used, given back by all that ends a group, and taken again by late money."""
    voucher = make_voucher(total_limit=100, per_customer_limit=1)
    basket = fill_cart([(make_stocked_sku(), 1)])
    cart_voucher_set(cart_id=basket.cart_id, code=voucher.code, actor=BUYER)
    cart_voucher_remove(cart_id=basket.cart_id, actor=BUYER)
    cancelled, paid, late, expired, untried = (
        place_with(voucher, [(make_stocked_sku(), 1)]) for _ in range(5)
    )
    order_group_cancel(group_id=cancelled.pk, actor=BUYER, reason="mind")
    order_group_cancel(group_id=pay(paid).pk, actor=BUYER, reason="mind")
    attempt = say(start_payment(late), "closed")
    clock.advance(LATE)
    for group in (late, expired):
        order_group_expire(group_id=group.pk, actor=TESTER)
    order_groups_expire(group_ids=[untried.pk], actor=TESTER)
    capture(attempt)
    deliver_events()
    voucher_amend(
        voucher_id=voucher.pk, ends_at=None, per_customer_limit=2, total_limit=None, actor=TESTER
    )
    voucher_stop(voucher_id=voucher.pk, reason="enough", actor=TESTER)
    voucher_resume(voucher_id=voucher.pk, reason="not yet", actor=TESTER)
    assert counting(voucher) == 1


def pay_merchants() -> None:
    """A payout is held and released, fails once, and another statement nets what was given back."""
    merchant = make_merchant()
    payment = settlement.sell(merchant)
    statement_open(merchant_id=merchant.pk, currency="EUR", actor=TESTER)
    clock.advance(settlement.WEEK)
    [statement_id] = due_statement_ids()
    statement_close(statement_id=statement_id, actor=TESTER)
    payout_hold(merchant_id=merchant.pk, reason="a check", until=None, actor=TESTER)
    payout_release(merchant_id=merchant.pk, actor=TESTER)
    merchant_account_change(
        merchant_id=merchant.pk, holder="Ada", iban=settlement.IBAN, actor=TESTER
    )
    payout = Payout.objects.get(statement=statement_id)
    for status in ("failed", "paid"):
        payout_approve(payout_id=payout.pk, actor=settlement.ANNA)
        payout_send(payout_id=payout.pk, actor=TESTER)
        payout = settlement.answered(payout, status)
        if status == "failed":
            payout = payout_retry(payout_id=payout.pk, actor=settlement.ANNA)
    make_sent_refund(payment, 50_000)
    settlement.end_period()


def reconcile_with_a_channel() -> None:
    """Money, a refund and a stranger's payment in the list, money that it lacks, and a day's end."""
    moment = clock.now()
    paid = make_paid_group()
    attempt = start_payment(make_group())
    fact = ChannelFact.objects.get(attempt__payment=payment_of(paid))
    rows = [
        Movement(
            kind="captured",
            key=key,
            ref=f"row-{key}",
            amount_minor=attempt.amount_minor,
            currency=attempt.currency,
            fee_minor=fee_minor,
            at=moment,
        )
        for key, fee_minor in ((attempt.channel_key, 39), (attempt.channel_key, 40), ("typo", 0))
    ]
    for row in rows:
        movement_record(channel="sandbox", movement=row, actor=TESTER)
    named: dict[str, Any] = {"channel": "sandbox", "actor": TESTER}
    fact_missing_record(fact_id=fact.pk, said="not found", **named)
    run_record(since=moment, until=moment, records=len(rows), **named)
    day_certify(day=moment.date(), report=rows[1:], **named)
    for difference in Difference.objects.filter(kind="fee"):
        difference_settle(
            difference_id=difference.pk, verdict="theirs", reason="their tariff", actor=FINANCE
        )


def answered(attempt: Attempt, status: str) -> None:
    answer = Answer(
        status=status,
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        ref=f"ref-{attempt.pk}",
    )
    attempt_answer_record(attempt_id=attempt.pk, answer=answer, actor=CHANNEL)


def hear_from_outside() -> None:
    attempt = start_payment(make_group())
    amount = {"amount_minor": attempt.amount_minor, "currency": attempt.currency}
    key = attempt.channel_key
    notice = hook("sandbox", kind="payment.captured", key=key, ref=f"ref-{key}", **amount)
    channel_hook_process(hook_id=notice.pk, actor=TESTER)
    deliver_events()

    order = only_order(OrderGroup.objects.get(pk=attempt.payment.reference))
    pack(order)
    order_ship(order_id=order.pk, actor=MERCHANT)
    parcel = {"key": str(Shipment.objects.get(reference=order.pk).pk), "tracking_number": "T1"}
    told = hook("carrier", kind="parcel.scan", code="delivered", at=str(SCANNED_AT), **parcel)
    carrier_hook_process(hook_id=told.pk, actor=TESTER)


def hook(channel: str, **document: object) -> Hook:
    event_id = f"evt-{document['key']}"
    hook_store(
        channel=channel,
        event_id=event_id,
        payload=json.dumps(document).encode(),
        headers={},
        event_type="test.stored",
    )
    return Hook.objects.get(event_id=event_id)


def pay_by_hand() -> None:
    """In parts, too much, for nothing and too late; what goes back is sent, fails and is sent again."""
    _, attempt = make_awaited()
    receive(400, attempt.channel_ref)
    receive(2000, attempt.channel_ref)
    unknown = [receive(minor, "for nothing") for minor in (1500, 100, 200)]
    _, other = make_awaited()
    line_assign(match_id=unknown[0].pk, attempt_id=other.pk, reason="by phone", actor=FINANCE)
    line_give_back(match_id=unknown[1].pk, reason="unknown", actor=FINANCE)
    line_dismiss(match_id=unknown[2].pk, reason="interest", actor=FINANCE)
    transfer = ManualTransfer.objects.earliest("pk")
    transfer_direct(transfer_id=transfer.pk, holder="Ada", iban=SENDERS_IBAN, actor=FINANCE)
    transfer_fail(transfer_id=transfer.pk, reason="closed account", actor=FINANCE)
    transfer_retry(transfer_id=transfer.pk, actor=FINANCE)
    send(transfer)
    order = only_order(OrderGroup.objects.get(pk=attempt.payment.reference))
    order_cancel(order_id=order.pk, actor=MERCHANT, reason="sold out")
    settle_channel()
    refund = Refund.objects.get(reference=order.pk)
    transfer_request(refund_id=refund.pk, actor=TESTER)
    send(ManualTransfer.objects.get(refund=refund))
    line_match(match_id=receive(-100, "a fee").pk, actor=TESTER)
    receipts_settle(attempt_id=attempt.pk, actor=TESTER)


def tell_by_mail() -> None:
    group = make_group()
    mails = mail_write(
        event_id=uuid4(),
        template="order_placed_unpaid",
        group_id=group.pk,
        object_id=group.pk,
        actor=TESTER,
    )
    mail_sent(mail_id=mails[0].pk, actor=TESTER)
    note_add(group_id=group.pk, order_id=only_order(group).pk, text="told", actor=TESTER)

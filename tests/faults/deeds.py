"""What parties do with one group, each by its name, so that a process of its own can do it.

Every deed may be done again by whoever got no answer: what is done already is left as it is.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import httpx
from django.conf import settings
from django.test import override_settings

from accounts.actors import Actor, Role
from accounts.models import Merchant
from core import clock
from core.errors import Conflict
from core.hooks import hook_store
from delivery.models import Shipment
from delivery.services import parcel_event_record
from orders.models import CancelRequest, CheckoutRecord, OrderGroup, OrderRefund
from orders.selectors.checkout import checkout_view
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.checkout import checkout_complete, checkout_update
from orders.services.complete import order_complete
from orders.services.expire import order_group_expire, order_groups_expire
from orders.services.extend import order_group_extend
from orders.services.fulfil import (
    order_acknowledge,
    order_deliver,
    order_ship,
    order_start_packing,
)
from orders.services.pay import payment_start, payment_start_with_credit
from orders.services.refund import order_refund, order_refund_approve, order_refund_decline
from orders.services.remind import merchant_remind
from orders.services.request import (
    cancel_request_approve,
    cancel_request_decline,
    cancel_request_open,
    cancel_request_withdraw,
)
from orders.services.resume import order_group_resume
from orders.services.voucher import cart_voucher_set
from payments.channels import cash_on_delivery
from payments.channels.base import channel_named
from payments.models import Attempt
from payments.services.credit import credit_issue
from tests.concurrency.scenes import deliver_all
from tests.factories import TESTER
from tests.factories.parcels import SCANNED_AT
from tests.factories.story import BUYER, MERCHANT, fill_cart, make_stocked_sku, only_order
from tests.factories.vouchers import make_voucher

Deed = Callable[[str], object]
FINANCE = Actor(Role.STAFF, "finance")

ANSWERS = {
    "email": "ada@example.com",
    "name": "Ada",
    "line1": "Am Kai 1",
    "city": "Bremen",
    "postcode": "28195",
    "country": "DE",
}


def fill() -> str:
    """A filled checkout; its token names the group that it becomes."""
    basket = fill_cart([(make_stocked_sku(), 2)])
    return checkout_update(
        cart_id=basket.cart_id, answers=ANSWERS, delivery_methods={}, actor=BUYER
    ).token


def group_of(token: str) -> OrderGroup:
    return OrderGroup.objects.get(checkout_token=token)


def order_id_of(token: str) -> int:
    return only_order(group_of(token)).id


def enter_voucher(token: str) -> None:
    """A code that nobody else has, good for one order."""
    voucher = make_voucher(total_limit=1)
    cart_id = CheckoutRecord.objects.get(token=token).cart_id
    cart_voucher_set(cart_id=cart_id, code=voucher.code, actor=BUYER)


def place(token: str) -> None:
    total_minor = checkout_view(CheckoutRecord.objects.get(token=token)).total_minor
    checkout_complete(token=token, expected_total_minor=total_minor, actor=BUYER)


def start(token: str) -> None:
    """The sandbox takes the money at once."""
    _start(token, "tok_ok")


def start_challenge(token: str) -> None:
    """The sandbox waits for the shopper, who never comes."""
    _start(token, "tok_3ds")


def start_promise(token: str) -> None:
    """The sandbox promises the money, to be taken when the goods leave."""
    with override_settings(PAYMENT_CAPTURE_AT={"sandbox": "shipment"}):
        _start(token, "tok_ok")


def start_cash(token: str) -> None:
    """The money is to be paid at the door."""
    sellers = Merchant.objects.filter(pk__in=group_of(token).orders.values("merchant_id"))
    sellers.update(accepts_cash=True)
    _start(token, "", channel=cash_on_delivery.NAME)


def _start(token: str, card: str, channel: str = "sandbox") -> None:
    with suppress(Conflict):  # it has been started
        payment_start(
            group_id=group_of(token).id,
            channel=channel,
            token=card,
            return_url="http://shop.invalid/return",
            actor=BUYER,
        )


def notify(token: str) -> None:
    """What the channel sends, until it is told that we have it."""
    attempt = Attempt.objects.get(payment__reference=group_of(token).id)
    said = channel_named("sandbox").query(attempt.channel_key)
    notice = {
        "kind": f"payment.{said.status}",
        "key": attempt.channel_key,
        "ref": said.ref,
        "amount_minor": said.amount_minor,
        "currency": said.currency,
    }
    hook_store(
        channel="sandbox",
        event_id=f"{said.status}-{attempt.channel_key}",
        payload=json.dumps(notice).encode(),
        headers={},
        event_type="payment_hook.received",
    )


def let_lapse(token: str) -> None:
    """The channel lets the promise go, and says so."""
    attempt = Attempt.objects.get(payment__reference=group_of(token).id)
    lapsed = httpx.post(
        f"{settings.SANDBOX_PAYMENT_URL}/control/lapse",
        json={"key": attempt.channel_key},
        trust_env=False,
    )
    lapsed.raise_for_status()
    notify(token)


def refuse_at_the_door(token: str) -> None:
    """The parcel is back with its sender."""
    shipment = Shipment.objects.get(reference=order_id_of(token))
    parcel_event_record(
        shipment_id=shipment.id,
        code="returned",
        at=SCANNED_AT,
        event_id=f"returned-{shipment.id}",
        actor=TESTER,
    )


def deliver(_token: str) -> None:
    """What relay and workers do, until all is still."""
    deliver_all()


def expire(token: str) -> None:
    """At the deadline."""
    group = group_of(token)
    clock.advance(max(group.pay_before - clock.now(), timedelta(0)))
    order_group_expire(group_id=group.id, actor=TESTER)


def expire_with_others(token: str) -> None:
    """The same by the batch, which takes whom nobody tried to pay."""
    group = group_of(token)
    clock.advance(max(group.pay_before - clock.now(), timedelta(0)))
    order_groups_expire(group_ids=[group.id], actor=TESTER)


def hesitate(_token: str) -> None:
    """Until little of the half hour to pay is left."""
    clock.advance(timedelta(minutes=26))


def extend_and_start(token: str) -> None:
    with suppress(Conflict):  # there is time enough again
        order_group_extend(group_id=group_of(token).id, actor=BUYER)
    start(token)


def cancel(token: str) -> None:
    order_group_cancel(group_id=group_of(token).id, actor=BUYER, reason="mind")


def call_off(token: str) -> None:
    order_cancel(order_id=order_id_of(token), actor=MERCHANT, reason="broken")


def ask_to_cancel(token: str) -> None:
    cancel_request_open(order_id=order_id_of(token), actor=BUYER, reason="mind")


def request_id_of(token: str) -> int:
    return CancelRequest.objects.get(order_id=order_id_of(token)).id


def approve_request(token: str) -> None:
    cancel_request_approve(request_id=request_id_of(token), actor=MERCHANT)


def decline_request(token: str) -> None:
    cancel_request_decline(request_id=request_id_of(token), answer="It is packed.", actor=MERCHANT)


def withdraw_request(token: str) -> None:
    cancel_request_withdraw(request_id=request_id_of(token), actor=BUYER)


def remind(token: str) -> None:
    merchant_remind(order_id=order_id_of(token), after="pay", actor=TESTER)


def resume(token: str) -> None:
    order_group_resume(group_id=group_of(token).id, actor=TESTER)


def refund(token: str) -> None:
    order_refund(
        order_id=order_id_of(token), amount_minor=1, reason="late", request_key="k", actor=MERCHANT
    )


def start_with_credit(token: str) -> None:
    """Store credit pays a part; the sandbox takes the rest at once."""
    group = group_of(token)
    credit_issue(
        customer_id=group.customer_id,
        currency=group.currency,
        amount_minor=100,
        reason="sorry",
        request_key=token,
        actor=TESTER,
    )
    with suppress(Conflict):  # it has been started
        payment_start_with_credit(
            group_id=group.id,
            store_credit_minor=100,
            owner_id=group.customer_id,
            channel="sandbox",
            token="tok_ok",
            return_url="http://shop.invalid/return",
            actor=BUYER,
        )


def ask_refund(token: str) -> None:
    """Above the limit: somebody else has to approve it."""
    with override_settings(REFUND_LIMIT_MINOR=0):
        refund(token)


def approve_refund(token: str) -> None:
    order_refund_approve(order_refund_id=_asked(token), actor=TESTER)


def decline_refund(token: str) -> None:
    order_refund_decline(order_refund_id=_asked(token), reason="too late", actor=FINANCE)


def _asked(token: str) -> int:
    return OrderRefund.objects.get(order=order_id_of(token)).pk


def acknowledge(token: str) -> None:
    order_acknowledge(order_id=order_id_of(token), actor=MERCHANT)


def start_packing(token: str) -> None:
    order_start_packing(order_id=order_id_of(token), actor=MERCHANT)


def ship(token: str) -> None:
    order_ship(
        order_id=order_id_of(token), actor=MERCHANT, carrier="manual", tracking_number=f"T{token}"
    )


def receive(token: str) -> None:
    order_deliver(order_id=order_id_of(token), actor=BUYER)


def keep(token: str) -> None:
    """The return window passes."""
    clock.advance(timedelta(days=15))
    order_complete(order_id=order_id_of(token), actor=TESTER)


DEEDS: dict[str, Deed] = {
    deed.__name__: deed
    for deed in (
        *(
            enter_voucher,
            place,
            start,
            start_challenge,
            notify,
            deliver,
            expire,
            cancel,
            call_off,
            refund,
        ),
        *(acknowledge, start_packing, ship, receive, keep),
        *(expire_with_others, hesitate, extend_and_start, remind, resume),
        *(start_promise, start_cash, let_lapse, refuse_at_the_door),
        *(start_with_credit, ask_refund, approve_refund, decline_refund),
        *(ask_to_cancel, approve_request, decline_request, withdraw_request),
    )
}

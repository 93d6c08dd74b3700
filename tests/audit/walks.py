"""Clean data: groups walked to every kind of end by their parties, and all that happened told.

Nothing is left to say to a channel when its streams are delivered: its word on each payment and
refund has come before, as a notification does that overtakes our call.
"""

import json
from collections.abc import Sequence
from datetime import timedelta

from catalog.models import Sku
from core import clock, relay
from core.hooks import hook_store
from delivery.models import Shipment
from orders.models import OrderGroup
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.complete import complete_due
from orders.services.expire import expire_due
from orders.services.fulfil import order_ship
from orders.services.refund import order_refund
from orders.services.request import cancel_request_open
from payments.channels.base import Answer
from payments.models import Attempt, ManualTransfer, Payout, Refund
from payments.services.collect import attempt_answer_record
from payments.services.refund import refund_retry, refund_send
from tests.factories import TESTER
from tests.factories.bank import make_awaited, receive, send, settle_channel
from tests.factories.money import dispute, say, say_of_refund
from tests.factories.parcels import scan
from tests.factories.settlement import end_period, give_account
from tests.factories.settlement import paid as have_paid
from tests.factories.story import (
    BUYER,
    CHANNEL,
    MERCHANT,
    attempt_beside,
    capture,
    issue_credit,
    make_stocked_sku,
    pack,
    payment_of,
    place,
    ship,
    start_payment,
    start_with_credit,
)
from tests.factories.vouchers import make_voucher, place_with

PAST_RETURN_WINDOW = timedelta(days=15)
PAST_DEADLINE = timedelta(minutes=31)
PAST_REINSTATEMENT = timedelta(hours=25)
Goods = Sequence[Sku]


def walk() -> dict[str, int]:
    """All walks; answers the id of each group, its payment, and its two orders, by name.

    The ones whose clock must pass come first, so that nothing else is overdue at the end.
    """
    goods = [make_stocked_sku(units=50), make_stocked_sku(units=50)]
    groups = {
        "completed": completed(goods),
        **expired_and_late(goods),
        "returned": partly_cancelled(goods),
        "twice": paid_twice(goods),
        "packing": partly_shipped(goods),
        "reduced": reduced(goods),
        "asked": asked(goods),
        "wired": wired(goods),
        "credited": credited(goods),
        "disputed": disputed(goods),
        "paid": paid(goods),
        "promised": promised(goods),
        "pending": placed(goods),
        **discounted(goods),
    }
    come_to_rest()
    return {name: id_ for group in groups.items() for name, id_ in _names(*group)}


def _names(name: str, group: OrderGroup) -> list[tuple[str, int]]:
    orders = group.orders.order_by("id").values_list("id", flat=True)
    return [
        (name, group.id),
        (f"{name}_payment", payment_of(group).id),
        *[(f"{name}_order{number}", id_) for number, id_ in enumerate(orders, start=1)],
    ]


def come_to_rest() -> None:
    """Delivers what has happened and lets the channel do what refunds ask for, until all is told."""
    handed: list[int] = []
    while relay.deliver(handed.append) or refund_all():
        pass
    for stream_id in handed:
        relay.deliver_external(stream_id)


def refund_all() -> int:
    """The channel gives back what it shall; answers how often."""
    waiting = Refund.objects.filter(status="approved", attempt__channel="sandbox")
    for refund in waiting:
        say_of_refund(refund_send(refund_id=refund.id, actor=TESTER), "refund_succeeded")
    return len(waiting)


def notify(attempt: Attempt) -> None:
    """The channel notifies us of a capture; nobody has processed it yet."""
    told = {
        "kind": "payment.captured",
        "key": attempt.channel_key,
        "ref": f"told_{attempt.id}",
        "amount_minor": attempt.amount_minor,
        "currency": attempt.currency,
    }
    hook_store(
        channel="sandbox",
        event_id=f"evt_{attempt.id}",
        payload=json.dumps(told).encode(),
        headers={},
        event_type="payment_hook.received",
    )


def placed(goods: Goods) -> OrderGroup:
    """Two units of one merchant's, one of the other's."""
    first, second = goods
    return place([(first, 2), (second, 1)])


def paid(goods: Goods) -> OrderGroup:
    group = placed(goods)
    capture(start_payment(group))
    come_to_rest()
    return group


def completed(goods: Goods) -> OrderGroup:
    group = paid(goods)
    for order in group.orders.all():
        ship(order)
    for shipment in Shipment.objects.filter(reference__in=group.orders.values("id")):
        scan(shipment, "delivered")
    come_to_rest()
    clock.advance(PAST_RETURN_WINDOW)
    complete_due()
    pay_merchants()
    return group


def pay_merchants() -> None:
    """Statements close, their payouts arrive, and the next ones close with nothing left."""
    end_period()
    for payout in Payout.objects.all():
        give_account(payout.merchant)
        have_paid(payout)
    end_period()
    come_to_rest()


def expired_and_late(goods: Goods) -> dict[str, OrderGroup]:
    """Groups run out of time, one after half of it was called off; the money of another brings it
    back, and that of the last is too late even for that.

    What came back leaves the house, so that no merchant is overdue with it.
    """
    names = ("expired", "lapsed", "reinstated", "late")
    groups = {name: placed(goods) for name in names}
    one = groups["lapsed"].orders.order_by("id")[0]
    order_cancel(order_id=one.id, actor=BUYER, reason="changed my mind")
    late, too_late = (say(start_payment(groups[name]), "closed") for name in ("reinstated", "late"))
    clock.advance(PAST_DEADLINE)
    expire_due()
    capture(late)
    come_to_rest()
    for order in groups["reinstated"].orders.all():
        ship(order)
    clock.advance(PAST_REINSTATEMENT)
    capture(too_late)
    come_to_rest()
    return groups


def discounted(goods: Goods) -> dict[str, OrderGroup]:
    """One carries a voucher, of which half was called off; one has given its own back, cancelled."""
    first, second = goods
    voucher = make_voucher(total_limit=5, per_customer_limit=1)
    kept, given_back = (place_with(voucher, [(first, 2), (second, 1)]) for _ in range(2))
    one = kept.orders.order_by("id")[0]
    order_cancel(order_id=one.id, actor=BUYER, reason="changed my mind")
    order_group_cancel(group_id=given_back.id, actor=BUYER, reason="changed my mind")
    return {"discounted": kept, "given_back": given_back}


def partly_cancelled(goods: Goods) -> OrderGroup:
    """One of two paid orders is called off; its refund fails once before it arrives."""
    group = paid(goods)
    order_cancel(order_id=group.orders.order_by("id")[0].id, actor=MERCHANT, reason="broken")
    [refund] = payment_of(group).refunds.all()
    say_of_refund(refund_send(refund_id=refund.id, actor=TESTER), "refund_failed")
    refund_retry(refund_id=refund.id, actor=TESTER)
    come_to_rest()
    return group


def paid_twice(goods: Goods) -> OrderGroup:
    """An attempt that had failed takes its money after another has paid."""
    group = placed(goods)
    failed = say(start_payment(group), "failed")
    capture(start_payment(group))
    come_to_rest()
    notify(failed)
    come_to_rest()
    return group


def partly_shipped(goods: Goods) -> OrderGroup:
    group = paid(goods)
    order = pack(group.orders.order_by("id")[0])
    line = order.lines.get()
    order_ship(order_id=order.id, actor=MERCHANT, quantities={line.id: 1}, carrier="manual")
    return group


def reduced(goods: Goods) -> OrderGroup:
    """Of four units one is called off unpaid, one paid, one has left, and the last one is broken."""
    first, second = goods
    group = place([(first, 4), (second, 1)])
    order = group.orders.order_by("id")[0]
    one = {order.lines.get().id: 1}
    order_cancel(order_id=order.id, actor=BUYER, reason="too many", quantities=one)
    capture(start_payment(group))
    come_to_rest()
    order_cancel(order_id=order.id, actor=BUYER, reason="too many", quantities=one)
    pack(order)
    order_ship(order_id=order.id, actor=MERCHANT, quantities=one, carrier="manual")
    order_cancel(order_id=order.id, actor=MERCHANT, reason="broken", restock=False)
    come_to_rest()
    return group


def asked(goods: Goods) -> OrderGroup:
    """The buyer asks to cancel a unit of what is being packed; nobody has answered."""
    group = paid(goods)
    order = pack(group.orders.order_by("id")[0])
    one = {order.lines.get().id: 1}
    cancel_request_open(order_id=order.id, reason="too many", actor=BUYER, quantities=one)
    return group


def credited(goods: Goods) -> OrderGroup:
    """Paid in part with store credit, after a try that failed; one order is called off."""
    group = placed(goods)
    issue_credit(group, 1500)
    say(attempt_beside(start_with_credit(group, 1500)), "failed")
    capture(attempt_beside(start_with_credit(group, 1001)))
    come_to_rest()
    order_cancel(order_id=group.orders.order_by("id")[0].id, actor=MERCHANT, reason="broken")
    come_to_rest()
    return group


def disputed(goods: Goods) -> OrderGroup:
    """The buyer's bank takes a part back for good, and another one for a time."""
    group = paid(goods)
    attempt = payment_of(group).attempts.get()
    for kind in ("opened", "lost"):
        dispute(attempt, kind, f"lost_{attempt.id}", amount_minor=1001)
    for kind in ("won", "opened"):
        dispute(attempt, kind, f"won_{attempt.id}", amount_minor=500)
    come_to_rest()
    return group


def promised(goods: Goods) -> OrderGroup:
    """Unpaid, and the channel does not know the outcome yet."""
    group = placed(goods)
    attempt = start_payment(group)
    answer = Answer(
        status="processing", amount_minor=attempt.amount_minor, currency=attempt.currency
    )
    attempt_answer_record(attempt_id=attempt.id, answer=answer, actor=CHANNEL)
    return group


def wired(goods: Goods) -> OrderGroup:
    """Sent by the buyer in two parts and 5.00 too much; 1.00 of it was a refund that has left, and
    there is money at the bank that nobody knows.
    """
    group, attempt = make_awaited(placed(goods))
    receive(1000, attempt.channel_ref)
    receive(attempt.amount_minor - 500, attempt.channel_ref)
    receive(700, "for nothing")
    order = group.orders.order_by("id")[0]
    order_refund(
        order_id=order.id, amount_minor=100, reason="late", request_key="k", actor=MERCHANT
    )
    settle_channel()
    send(ManualTransfer.objects.get(refund__reference=order.id))
    settle_channel()
    return group

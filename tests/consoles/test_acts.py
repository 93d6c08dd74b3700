"""What is done in the consoles: with a preview, once, on what was shown, in words."""

from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import Merchant, MerchantMember
from accounts.permissions import member_may
from core import clock
from core.intervene import stream_retry
from core.models import OutboxIntervention, OutboxStream
from delivery.models import Shipment
from inventory.models import StockItem, StockMovement
from orders import tasks
from orders.models import Order
from orders.services.cancel import order_cancel
from orders.services.fulfil import order_ship
from orders.services.request import cancel_request_open
from payments.models import Refund
from tests.consoles.world import (
    form_of,
    member_client,
    order_in,
    page,
    sent,
    staff_client,
)
from tests.factories.story import BUYER, MERCHANT, make_group, make_paid_group

pytestmark = pytest.mark.django_db

Role = MerchantMember.Role


def state_of(order: Order) -> str:
    return str(Order.objects.get(pk=order.pk).status)


def told(client: Client, path: str) -> str:
    return client.get(path).content.decode()


def test_an_order_goes_from_paid_to_shipped_in_the_merchants_console() -> None:
    order = order_in("paid")
    client = member_client(order.merchant)
    for verb in ("acknowledge", "start_packing", "ship"):
        assert page(order, verb) in told(client, page(order))
        answer = sent(client, page(order, verb))
        assert (answer.status_code, answer.headers["Location"]) == (302, page(order))
    assert state_of(order) == "shipped"
    assert page(order, "ship") not in told(client, page(order))


def test_a_part_of_an_order_is_shipped_with_its_number() -> None:
    order = order_in("packing")
    client = member_client(order.merchant)
    line = order.lines.get()
    sent(
        client,
        page(order, "ship"),
        **{f"units_{line.pk}": 1, "carrier": "manual", "tracking_number": "T 7"},
    )
    line.refresh_from_db()
    assert (line.shipped_quantity, state_of(order)) == (1, "packing")
    assert Shipment.objects.get(reference=order.pk).tracking_number == "T 7"


def test_a_form_that_is_sent_twice_ships_one_parcel() -> None:
    order = order_in("packing")
    client = member_client(order.merchant)
    path, line = page(order, "ship"), order.lines.get()
    form = {**form_of(client, path), f"units_{line.pk}": 1}
    answers = [client.post(path, form) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [302, 302]
    line.refresh_from_db()
    assert (line.shipped_quantity, Shipment.objects.count()) == (1, 1)


def test_a_form_that_was_sent_is_not_taken_with_other_values() -> None:
    order = order_in("packing")
    client = member_client(order.merchant)
    path, line = page(order, "ship"), order.lines.get()
    form = {**form_of(client, path), f"units_{line.pk}": 1}
    client.post(path, form)
    answer = client.post(path, {**form, "tracking_number": "other"})
    assert answer.status_code == 409
    assert "sent before with other values" in answer.content.decode()
    assert Shipment.objects.count() == 1


def test_what_has_changed_since_it_was_shown_is_told_and_not_done() -> None:
    order = order_in("packing")
    client = member_client(order.merchant)
    path, line = page(order, "ship"), order.lines.get()
    form = {**form_of(client, path), f"units_{line.pk}": 1}
    order_ship(order_id=order.pk, actor=MERCHANT, quantities={line.pk: 1})

    answer = client.post(path, form)

    assert answer.status_code == 409
    assert "has changed meanwhile" in answer.content.decode()
    assert Shipment.objects.count() == 1
    assert client.post(path, form_of(client, path)).status_code == 302


def test_a_form_without_its_token_is_refused() -> None:
    order = order_in("paid")
    client = member_client(order.merchant)
    answer = client.post(page(order, "acknowledge"), {"stamp": "1.0.0"})
    assert answer.status_code == 409
    assert state_of(order) == "paid"


def test_what_a_service_refuses_is_told_on_the_page_in_words() -> None:
    order = order_in("packing")
    client = member_client(order.merchant)
    line = order.lines.get()
    answer = sent(client, page(order, "ship"), **{f"units_{line.pk}": 9})
    assert answer.status_code == 409
    assert "units of the order that have not left yet" in answer.content.decode()
    assert not Shipment.objects.exists()


def test_what_the_state_does_not_allow_has_no_button() -> None:
    order = order_in("shipped")
    answer = member_client(order.merchant).get(page(order, "cancel"))
    assert "not possible in the present state" in answer.content.decode()
    assert b"<form method" not in answer.content


def test_cancelling_tells_first_what_goes_back() -> None:
    order = order_in("paid")
    client = member_client(order.merchant)
    preview = told(client, page(order, "cancel"))
    assert "25.00 EUR goes back to the buyer" in preview
    assert "2 × " in preview
    sent(client, page(order, "cancel"), reason="sold out")
    assert state_of(order) == "cancelled"
    assert Refund.objects.get().reason == "sold out"
    assert "sold out" in told(client, page(order))


def test_a_reason_is_asked_for() -> None:
    order = order_in("paid")
    answer = sent(member_client(order.merchant), page(order, "cancel"), reason=" ")
    assert answer.status_code == 200
    assert "reason" in answer.context["form"].errors
    assert state_of(order) == "paid"


def test_a_part_of_the_money_is_refunded_once() -> None:
    order = order_in("shipped")
    client = member_client(order.merchant)
    path = page(order, "refund")
    form = {**form_of(client, path), "amount": "4.20", "reason": "a scratch"}
    for _ in range(2):
        assert client.post(path, form).status_code == 302
    assert Refund.objects.get().amount_minor == 420
    text = told(client, page(order))
    assert "a scratch" in text
    assert "20.80 EUR" in text  # the net


@pytest.mark.parametrize("amount", ["25.01", "0", "-1"])
def test_no_more_than_was_paid_is_refunded(amount: str) -> None:
    order = order_in("shipped")
    client = member_client(order.merchant)
    answer = sent(client, page(order, "refund"), amount=amount, reason="generous")
    assert answer.status_code == 409
    assert not Refund.objects.exists()


def test_an_amount_must_be_one_of_the_currency() -> None:
    order = order_in("shipped")
    client = member_client(order.merchant)
    answer = sent(client, page(order, "refund"), amount="1,005", reason="typo")
    assert answer.status_code == 200
    assert "amount" in answer.context["form"].errors


def test_a_forged_form_is_refused() -> None:
    order = order_in("paid")
    browser = member_client(order.merchant)
    form = form_of(browser, page(order, "acknowledge"))
    forger = Client(enforce_csrf_checks=True)
    forger.cookies = browser.cookies
    assert forger.post(page(order, "acknowledge"), form).status_code == 403
    assert state_of(order) == "paid"


# Who may do what, by hand: the table in the code must say the same.
CELLS = {
    "acknowledge": {Role.OWNER, Role.MANAGER, Role.FULFILMENT},
    "start_packing": {Role.OWNER, Role.MANAGER, Role.FULFILMENT},
    "ship": {Role.OWNER, Role.MANAGER, Role.FULFILMENT},
    "cancel": {Role.OWNER, Role.MANAGER},
    "refund": {Role.OWNER, Role.MANAGER, Role.FINANCE},
    "deliver": set(),
}
BEFORE = {
    "acknowledge": "paid",
    "start_packing": "acknowledged",
    "ship": "packing",
    "cancel": "paid",
    "refund": "paid",
    "deliver": "shipped",
}


@pytest.mark.parametrize("verb", CELLS)
def test_each_role_does_what_it_may_and_nothing_else(verb: str) -> None:
    order = order_in(BEFORE[verb])
    for role in set(Role) - CELLS[verb]:
        client = member_client(order.merchant, role)
        assert page(order, verb) not in told(client, page(order))
        for answer in (client.get(page(order, verb)), client.post(page(order, verb))):
            assert answer.status_code == 403, role
    assert (state_of(order), Refund.objects.count()) == (BEFORE[verb], 0)
    for role in CELLS[verb]:
        client = member_client(order.merchant, role)
        assert client.get(page(order, verb)).status_code == 200, role
        if state_of(order) == BEFORE[verb]:
            given = {"cancel": {"reason": "why"}, "refund": {"reason": "why", "amount": "1.00"}}
            assert sent(client, page(order, verb), **given.get(verb, {})).status_code == 302, role


def test_a_verb_that_is_nowhere_is_nobodys() -> None:
    assert not member_may(MerchantMember(role=Role.OWNER), "rename")


def test_stock_is_adjusted_once_and_by_managers_alone() -> None:
    order = order_in("paid")
    item = StockItem.objects.get(merchant=order.merchant)
    for role in (Role.FULFILMENT, Role.FINANCE, Role.READ_ONLY):
        client = member_client(order.merchant, role)
        assert client.post(page(item, "adjust")).status_code == 403
    client = member_client(order.merchant, Role.MANAGER)
    form = {**form_of(client, page(item, "adjust")), "change": "-3", "reason": "counted"}
    for _ in range(2):
        assert client.post(page(item, "adjust"), form).status_code == 302
    assert StockItem.objects.get(pk=item.pk).on_hand == 7
    assert "counted" in told(client, page(item))
    assert StockMovement.objects.filter(reason="adjust").count() == 1


def test_stock_stays_above_what_is_promised() -> None:
    order = order_in("paid")
    item = StockItem.objects.get(merchant=order.merchant)
    client = member_client(order.merchant)
    answer = sent(client, page(item, "adjust"), change="-9", reason="counted")
    assert answer.status_code == 409
    assert "promised to orders" in answer.content.decode()


def test_staff_do_what_merchants_do_and_mark_as_delivered() -> None:
    order = order_in("shipped")
    client = staff_client()
    assert sent(client, page(order, "deliver", "platform")).status_code == 302
    assert state_of(order) == "delivered"


def test_staff_call_a_whole_group_off() -> None:
    group = make_paid_group(orders=2)
    client = staff_client()
    path = page(group, "cancel", "platform")
    assert "30.00 EUR goes back" in told(client, path)
    assert sent(client, path, reason="fraud").status_code == 302
    assert set(group.orders.values_list("status", flat=True)) == {"cancelled"}
    assert "fraud" in told(client, page(group, site="platform"))


def test_the_preview_names_no_order_that_is_called_off_already() -> None:
    group = make_paid_group(orders=2)
    gone, left = group.orders.order_by("pk")
    order_cancel(order_id=gone.pk, actor=MERCHANT, reason="sold out")
    preview = told(staff_client(), page(group, "cancel", "platform"))
    assert f"Order {left.number} is cancelled." in preview
    assert f"Order {gone.number} is cancelled." not in preview


def test_who_works_for_a_closed_merchant_only_looks() -> None:
    order = order_in("packing")
    client = member_client(order.merchant)
    Merchant.objects.filter(pk=order.merchant_id).update(state=Merchant.State.CLOSED)
    assert page(order, "ship") not in told(client, page(order))
    for verb in ("ship", "cancel", "refund"):
        assert client.get(page(order, verb)).status_code == 403
        assert client.post(page(order, verb), {"token": "x" * 20}).status_code == 403


def test_a_group_that_is_overdue_is_not_called_off_but_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(tasks.expire_group, "apply_async", lambda args, **_: asked.extend(args))
    group, client = make_group(), staff_client()
    path = page(group, "cancel", "platform")
    form = form_of(client, path)
    clock.advance(timedelta(minutes=31))
    answer = client.post(path, {**form, "reason": "fraud"})
    assert (answer.status_code, asked) == (409, [group.pk])


def test_a_group_that_has_changed_since_is_not_called_off() -> None:
    group = make_paid_group(orders=2)
    client = staff_client()
    path = page(group, "cancel", "platform")
    form = {**form_of(client, path), "reason": "fraud"}
    order_cancel(order_id=group.orders.all()[0].pk, actor=MERCHANT, reason="sold out")
    assert client.post(path, form).status_code == 409
    assert set(group.orders.values_list("status", flat=True)) == {"cancelled", "paid"}


def test_staff_suspend_and_activate_a_merchant() -> None:
    merchant = order_in("paid").merchant
    client = staff_client()
    for verb, state in (("suspend", "suspended"), ("activate", "active")):
        assert sent(client, page(merchant, verb, "platform"), reason="papers").status_code == 302
        assert Merchant.objects.get(pk=merchant.pk).state == state


def test_staff_skip_the_event_that_a_stream_stands_at() -> None:
    make_paid_group()
    stream = OutboxStream.objects.filter(last_seq__gt=0).latest("pk")
    OutboxStream.objects.filter(pk=stream.pk).update(
        delivered_seq=0, parked=True, last_error="ouch"
    )
    client = staff_client()
    listed = told(client, "/platform/core/outboxstream/?standing=parked")
    assert "ouch" in listed
    assert sent(client, page(stream, "skip", "platform"), reason="known").status_code == 302
    stream.refresh_from_db()
    assert (stream.delivered_seq, stream.parked) == (1, False)
    assert OutboxIntervention.objects.get().reason == "known"


def test_a_stream_that_went_on_meanwhile_is_not_skipped() -> None:
    make_paid_group()
    stream = OutboxStream.objects.filter(last_seq__gt=0).latest("pk")
    OutboxStream.objects.filter(pk=stream.pk).update(delivered_seq=0, parked=True)
    client = staff_client()
    path = page(stream, "skip", "platform")
    form = {**form_of(client, path), "reason": "known"}
    stream_retry(stream_id=stream.pk, reason="mended", actor="staff:other")
    assert client.post(path, form).status_code == 409
    assert OutboxStream.objects.get(pk=stream.pk).delivered_seq == 0


def test_some_units_are_cancelled_and_can_be_written_off() -> None:
    order = order_in("packing")
    client = member_client(order.merchant)
    line, item = order.lines.get(), StockItem.objects.get(merchant=order.merchant)
    assert "goes back to the buyer" in told(client, page(order, "cancel"))

    answer = sent(
        client,
        page(order, "cancel"),
        **{f"units_{line.pk}": 1, "reason": "broken", "restock": ""},
    )

    assert answer.status_code == 302
    line.refresh_from_db()
    assert (line.cancelled_quantity, state_of(order)) == (1, "packing")
    assert StockItem.objects.get(pk=item.pk).on_hand == item.on_hand - 1
    assert Refund.objects.get().amount_minor == line.unit_price_minor


@pytest.mark.parametrize(
    ("verb", "fields", "state"),
    [
        ("approve_cancel", {}, "cancelled"),
        ("decline_cancel", {"answer": "It is with the carrier"}, "packing"),
    ],
)
def test_a_buyer_who_wants_to_cancel_is_answered(
    verb: str, fields: dict[str, str], state: str
) -> None:
    order = order_in("packing")
    client = member_client(order.merchant)
    assert page(order, verb) not in told(client, page(order))
    cancel_request_open(order_id=order.pk, reason="too_slow", actor=BUYER)

    html = told(client, page(order))
    assert "The buyer wants to cancel" in html
    assert page(order, "ship") not in html
    assert sent(client, page(order, verb), **fields).status_code == 302

    assert state_of(order) == state
    assert page(order, verb) not in told(client, page(order))

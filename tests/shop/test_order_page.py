"""The order's page: where everything stands in words, and only what its buyer may do."""

import re

import pytest
from django.test import Client

from core.models import StateChange
from delivery.models import Shipment
from delivery.services import parcel_event_record
from orders.links import link_path
from orders.models import OrderGroup
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.fulfil import order_deliver, order_ship
from orders.services.refund import order_refund
from payments.models import Refund
from tests.factories.parcels import SCANNED_AT
from tests.factories.shopper import cost, visitor
from tests.factories.story import (
    BUYER,
    CARRIER,
    MERCHANT,
    capture,
    deliver_events,
    fresh_row,
    make_delivering_merchant,
    make_group,
    make_paid_group,
    make_stocked_sku,
    only_order,
    pack,
    pay,
    place,
    ship,
    start_payment,
)
from tests.orders.test_late_money import make_late_group

pytestmark = pytest.mark.django_db


def look(group: OrderGroup, path: str = "") -> str:
    response = Client().get(link_path(group) + path)
    assert response.status_code == 200
    return response.content.decode()


def headline(group: OrderGroup) -> str:
    [found] = re.findall(r"<h1>(.*?)</h1>", look(group))
    return str(found)


def steps(group: OrderGroup) -> list[str]:
    """The steps with what is said of them, as they are read out."""
    found = re.findall(r'<li class="stepper__step[^>]*>(.*?)</li>', look(group), re.DOTALL)
    return [" ".join(re.sub(r"<time.*?</time>|<[^>]+>", " ", step).split()) for step in found]


def cancel(group: OrderGroup, path: str = "cancel/", reason: str = "") -> Client:
    """The browser that has pressed the button, looking at the order again."""
    client = Client()
    response = client.post(link_path(group) + path, {"reason": reason})
    assert (response.status_code, response["Location"]) == (303, link_path(group))
    return client


def test_an_unpaid_order_can_be_paid_or_called_off() -> None:
    group = make_group(orders=2)
    html = look(group)
    assert headline(group) == "Your order waits for your payment"
    assert f'href="{link_path(group)}pay/"' in html
    assert f'href="{link_path(group)}cancel/"' in html
    assert "You have not been charged." in html
    assert f'href="{link_path(group)}cancel/1/"' in html
    assert group.number in html


def test_the_page_follows_the_order_to_its_buyer() -> None:
    group = make_paid_group()
    assert headline(group) == "Thank you. Your order is confirmed"
    assert steps(group)[:3] == ["Placed (done)", "Paid", "Preparing (to come)"]
    order = pack(only_order(group))
    assert headline(group) == "Your order is being prepared"
    order_ship(order_id=order.pk, actor=MERCHANT, carrier="manual", tracking_number="T1")
    assert headline(group) == "One parcel is on its way"
    order_deliver(order_id=order.pk, actor=BUYER)
    assert headline(group) == "Everything has been delivered"
    assert steps(group)[-1] == "Delivered"
    assert steps(group)[0] == "Placed (done)"


def test_each_step_has_the_time_at_which_it_was_reached() -> None:
    group = make_paid_group()
    html = look(group)
    for verb in ("place", "pay"):
        at = StateChange.objects.get(object_id=only_order(group).pk, verb=verb).at
        assert at.strftime("%H:%M") in html


def test_a_parcel_shows_its_number_its_contents_and_what_its_carrier_said() -> None:
    sku = make_stocked_sku(title="blue")
    group = pay(place([(sku, 2)]))
    ship(only_order(group))
    parcel = Shipment.objects.get()
    parcel_event_record(
        shipment_id=parcel.pk,
        code="in_transit",
        at=SCANNED_AT,
        event_id="scan-1",
        note="Sorted in Bremen",
        actor=CARRIER,
    )
    html = look(group)
    assert parcel.tracking_number in html
    assert f"2 × {sku.product.title} · blue" in html
    assert "On its way" in html
    assert "Sorted in Bremen" in html


def test_calling_off_shows_first_what_it_would_do() -> None:
    group = make_paid_group(orders=2)
    html = look(group, "cancel/")
    for order in group.orders.all():
        assert f"Goes back to you from {order.merchant.name}" in html
        assert fresh_row(order).status == "paid"
    assert "15.00 EUR" in html
    assert "You have not been charged" in look(make_group(), "cancel/")


def test_calling_off_promises_no_more_than_is_left_of_the_money() -> None:
    group = make_paid_group()
    order_refund(
        order_id=only_order(group).pk,
        amount_minor=400,
        reason="late",
        request_key="the first",
        actor=MERCHANT,
    )
    assert '<dd class="money">11.00 EUR</dd>' in look(group, "cancel/")
    cancel(group)
    sent_back = Refund.objects.values_list("amount_minor", flat=True)
    assert sorted(sent_back) == [400, 1100]


def test_money_that_came_too_late_is_not_called_no_charge() -> None:
    group = make_group()
    attempt = start_payment(group)
    order_group_cancel(group_id=group.pk, actor=BUYER, reason="")
    capture(attempt)
    deliver_events()
    html = look(group)
    assert "Refund of 15.00 EUR" in html
    assert "You have not been charged" not in html


def test_an_unpaid_order_is_called_off_at_once() -> None:
    group = make_group()
    html = cancel(group, reason="mistake").get(link_path(group)).content.decode()
    assert fresh_row(group).status == "cancelled"
    assert StateChange.objects.get(object_id=group.pk, verb="cancel").reason == "mistake"
    assert "Your order is cancelled. You have not been charged." in html
    assert headline(group) == "This order is cancelled"
    assert "Put these items back in my basket" in html


def test_one_merchants_order_is_called_off_and_its_money_goes_back() -> None:
    group = make_paid_group(orders=2)
    first, second = group.orders.order_by("number")
    html = cancel(group, "cancel/1/").get(link_path(group)).content.decode()
    deliver_events()
    assert (fresh_row(first).status, fresh_row(second).status) == ("cancelled", "paid")
    assert f"Cancelled with {first.merchant.name}. What you paid for it" in html
    assert "Refund of 15.00 EUR" in look(group)
    assert "Cancelled" in steps(group)
    # What is left is one merchant's, and has its own button.
    assert f'href="{link_path(group)}cancel/2/"' in look(group)
    assert f'href="{link_path(group)}cancel/"' not in look(group)


def test_a_reason_that_nobody_offers_is_not_kept() -> None:
    group = make_group()
    cancel(group, reason="<script>")
    assert StateChange.objects.get(object_id=group.pk, verb="cancel").reason == ""


def test_calling_off_twice_is_no_error() -> None:
    group = make_paid_group()
    cancel(group)
    cancel(group)
    assert fresh_row(only_order(group)).status == "cancelled"


def test_too_late_is_told_in_the_catalogues_words() -> None:
    merchant = make_delivering_merchant(name="Harbour Tea")
    group = pay(place([(make_stocked_sku(merchant), 1)]))
    pack(only_order(group))
    assert f'href="{link_path(group)}cancel/"' not in look(group)
    sentence = "Harbour Tea has already packed this. You can ask to cancel"
    assert sentence in look(group, "cancel/")
    response = Client().post(f"{link_path(group)}cancel/")
    assert response.status_code == 422
    assert response.content.decode().count(sentence) == 1
    assert fresh_row(only_order(group)).status == "packing"


def test_an_order_that_has_left_cant_be_called_off() -> None:
    group = make_paid_group()
    ship(only_order(group))
    assert Client().post(f"{link_path(group)}cancel/").status_code == 422
    assert fresh_row(only_order(group)).status == "shipped"


def test_what_a_merchant_called_off_is_shown_with_its_refund() -> None:
    group = make_paid_group()
    order_cancel(order_id=only_order(group).pk, actor=MERCHANT, reason="sold out")
    assert headline(group) == "This order is cancelled"
    assert "Refund of 15.00 EUR is being sent to your bank" in look(group)


def test_nobody_is_told_of_the_link_and_nobody_keeps_the_page() -> None:
    group = make_group()
    for path in ("", "pay/", "cancel/"):
        response = Client().get(link_path(group) + path)
        assert response["Referrer-Policy"] == "same-origin"
        assert response["X-Robots-Tag"] == "noindex"
        assert response["Cache-Control"] == "private, no-store"


def test_a_wrong_number_and_a_wrong_key_look_the_same() -> None:
    group = make_group()
    _, _, number, key, _ = link_path(group).split("/")
    wrong = [Client().get(f"/o/{number}/{'x' * 22}/"), Client().get(f"/o/none/{key}/")]
    assert [response.status_code for response in wrong] == [404, 404]
    assert wrong[0].content == wrong[1].content
    assert {response["Cache-Control"] for response in wrong} == {"private, no-store"}


def test_a_position_that_the_order_lacks_is_not_found() -> None:
    group = make_paid_group()
    assert Client().get(f"{link_path(group)}cancel/7/").status_code == 404
    assert Client().post(f"{link_path(group)}cancel/7/").status_code == 404
    assert fresh_row(only_order(group)).status == "paid"


def test_what_was_typed_is_shown_as_text() -> None:
    group = make_group()
    OrderGroup.objects.filter(pk=group.pk).update(
        shipping_address={"name": "<script>alert(1)</script>", "country": "DE"}
    )
    html = look(group)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "Germany" in html


def test_looking_changes_nothing() -> None:
    group = make_paid_group()
    before = StateChange.objects.count()
    for path in ("", "cancel/", "cancel/1/", "cancel/?reason=mistake"):
        look(group, path)
    assert Client().post(link_path(group)).status_code == 405
    assert StateChange.objects.count() == before


def test_the_page_keeps_its_budget() -> None:
    merchants = [make_delivering_merchant() for _ in range(4)]
    group = pay(place([(make_stocked_sku(merchant), 1) for merchant in merchants for _ in "ab"]))
    orders = list(group.orders.order_by("id"))
    for order in orders[:3]:
        ship(order)
    order_cancel(order_id=orders[3].pk, actor=BUYER, reason="")
    statements, size = cost(visitor(), link_path(group))
    assert statements <= 10
    assert size <= 18 * 1024


def test_what_late_money_brought_back_is_paid_on_its_page() -> None:
    group, attempt = make_late_group()
    capture(attempt)
    deliver_events()

    html = look(group)

    assert "You have not been charged" not in html
    assert "You paid 50.00 EUR by card on" in html
    paid = re.findall(r'<li class="stepper__step[^>]*>\s*Paid.*?</li>', html, re.DOTALL)
    assert [("aria-current" in step, "<time" in step) for step in paid] == [(True, True)] * 2

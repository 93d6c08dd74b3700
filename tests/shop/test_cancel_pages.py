"""Calling off behind the link: all of it, some units, or a word to the merchant who packs."""

import pytest
from django.test import Client

from core import clock
from orders.links import link_path
from orders.models import CancelRequest, OrderGroup, OrderLine
from orders.services.cancel import order_cancel
from orders.services.request import cancel_request_open
from payments.models import Refund
from tests.factories.story import (
    BUYER,
    MERCHANT,
    deliver_events,
    fresh_row,
    make_delivering_merchant,
    make_group,
    make_paid_group,
    make_stocked_sku,
    only_order,
    pack,
    pay,
    payment_of,
    place,
)

pytestmark = pytest.mark.django_db


def line_of(group: OrderGroup) -> OrderLine:
    return OrderLine.objects.get(order__group=group)


def send(group: OrderGroup, path: str, **posted: object) -> tuple[int, str]:
    """The answer, and the page that it leads to."""
    client = Client()
    response = client.post(link_path(group) + path, posted)
    if response.status_code == 303:
        return 303, client.get(response["Location"]).content.decode()
    return response.status_code, response.content.decode()


def test_some_units_are_called_off_after_a_look_at_what_goes_back() -> None:
    group = make_paid_group(units=3)
    line = line_of(group)
    chosen = {f"units_{line.pk}": "1"}

    status, html = send(group, "cancel/1/", **chosen)

    assert status == 200
    assert "Check what you cancel" in html
    assert f"1 × {line.title}" in html
    assert "10.00 EUR" in html
    assert not Refund.objects.exists(), "looking changes nothing"

    version = only_order(group).version
    sent = {**chosen, "confirm": "yes", "version": version, "reason": "mistake"}
    status, html = send(group, "cancel/1/", **sent)
    deliver_events()

    assert status == 303
    assert "What you paid for it goes back to you." in html
    assert (line_of(group).cancelled_quantity, Refund.objects.get().amount_minor) == (1, 1000)
    assert fresh_row(only_order(group)).status == "paid"
    html = Client().get(link_path(group)).content.decode()
    assert "(1 cancelled)" in html
    assert "Refund of 10.00 EUR" in html


def test_units_that_are_called_off_before_payment_need_not_be_paid() -> None:
    group = make_group(units=3)
    line = line_of(group)

    _status, html = send(group, "cancel/1/", **{f"units_{line.pk}": "2"})
    assert "You need not pay for them." in html
    chosen = {f"units_{line.pk}": "2", "confirm": "yes", "version": only_order(group).version}
    _status, html = send(group, "cancel/1/", **chosen)

    assert "You need not pay for it any more." in html
    assert "Pay 15.00 EUR" in html
    assert payment_of(group).amount_minor == 1500
    fresh_row(pay(group))
    assert fresh_row(group).status == "paid"


def test_one_order_of_an_unpaid_group_is_called_off_alone() -> None:
    group = make_group(orders=2)
    status, html = send(group, "cancel/2/")
    assert status == 303
    assert "Pay 15.00 EUR" in html
    first, second = group.orders.order_by("number")
    assert (fresh_row(first).status, fresh_row(second).status) == ("pending_payment", "cancelled")


@pytest.mark.parametrize("typed", ["x", "-1", "1.5", "99999999999", "7"])
def test_a_number_that_makes_no_sense_is_told_and_nothing_is_done(typed: str) -> None:
    group = make_paid_group(units=2)
    line = line_of(group)
    status, html = send(group, "cancel/1/", **{f"units_{line.pk}": typed})
    assert status == 422
    assert f"Enter how many of {line.title} to cancel, between 0 and 2" in html
    assert fresh_row(only_order(group)).status == "paid"


def test_a_field_that_was_emptied_keeps_its_line() -> None:
    merchant = make_delivering_merchant()
    kept, given_up = make_stocked_sku(merchant), make_stocked_sku(merchant)
    group = pay(place([(kept, 1), (given_up, 1)]))
    stays = OrderLine.objects.get(sku_id=kept.pk)
    status, html = send(group, "cancel/1/", **{f"units_{stays.pk}": ""})
    assert status == 200
    assert "Check what you cancel" in html
    assert stays.title not in html.split("<dl")[1].split("</dl>")[0]


def test_what_has_changed_since_the_check_is_checked_again() -> None:
    group = make_paid_group(units=3)
    line, order = line_of(group), only_order(group)
    order_cancel(order_id=order.pk, actor=MERCHANT, reason="", quantities={line.pk: 1})
    chosen = {f"units_{line.pk}": "1", "confirm": "yes", "version": str(order.version)}
    status, html = send(group, "cancel/1/", **chosen)
    assert status == 200
    assert "Check what you cancel" in html
    assert line_of(group).cancelled_quantity == 1


def test_pressing_twice_says_that_it_is_done() -> None:
    group = make_paid_group()
    send(group, "cancel/")
    _status, html = send(group, "cancel/")
    assert "You have not been charged" not in html


def test_no_unit_at_all_is_told_and_nothing_is_done() -> None:
    group = make_paid_group(units=2)
    status, html = send(group, "cancel/1/", **{f"units_{line_of(group).pk}": "0"})
    assert status == 422
    assert "There is a problem" in html
    assert fresh_row(only_order(group)).status == "paid"


def test_who_is_too_late_asks_the_merchant_and_may_take_it_back() -> None:
    merchant = make_delivering_merchant(name="Harbour Tea")
    group = pay(place([(make_stocked_sku(merchant), 2)]))
    pack(only_order(group))
    assert "Ask Harbour Tea to cancel" in Client().get(link_path(group)).content.decode()
    form = Client().get(f"{link_path(group)}cancel/1/").content.decode()
    assert "Harbour Tea is already packing this" in form

    status, html = send(group, "cancel/1/", reason="too_slow")

    assert status == 303
    request = CancelRequest.objects.get()
    assert (request.status, request.reason) == ("requested", "too_slow")
    assert f"until {request.deadline:%-d %b, %H:%M} UTC" in html
    assert "Keep the order after all" in html
    assert fresh_row(only_order(group)).status == "packing"

    status, html = send(group, "cancel/1/withdraw/")
    assert "The order goes on." in html
    assert fresh_row(request).status == "withdrawn"
    assert only_order(group).cancel_requested_until is None


def test_taking_back_what_nobody_asked_for_is_told_in_words() -> None:
    group = make_paid_group()
    status, html = send(group, "cancel/1/withdraw/")
    assert status == 303
    assert "Nobody waits for an answer" in html


def test_no_request_is_made_or_taken_back_by_looking() -> None:
    group = make_paid_group()
    order = pack(only_order(group))
    Client().get(f"{link_path(group)}cancel/1/")
    assert not CancelRequest.objects.exists()
    cancel_request_open(order_id=order.pk, reason="", actor=BUYER)
    assert Client().get(f"{link_path(group)}cancel/1/withdraw/").status_code == 405
    assert CancelRequest.objects.get().status == "requested"
    assert CancelRequest.objects.get().deadline > clock.now()

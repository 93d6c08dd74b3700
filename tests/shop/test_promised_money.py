"""What buyers are told of money that is only promised: kept ready, charged, never charged, at the door."""

import pytest
from django.core import mail as post_office
from django.test import Client
from pytest_django import Settings

from accounts.models import Merchant, MerchantMember
from accounts.services import member_add
from delivery.models import Shipment
from orders.links import link_path
from orders.models import OrderGroup
from orders.services.cancel import order_cancel
from payments.models import Attempt
from tests.factories import TESTER, make_user
from tests.factories.money import say
from tests.factories.parcels import scan
from tests.factories.story import (
    BUYER,
    MERCHANT,
    answer_capture,
    authorise,
    deliver_events,
    fresh_row,
    make_group,
    make_promised_group,
    only_order,
    payment_of,
    ship,
    start_payment,
)
from tests.orders.post import deliver_mails

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _later(settings: Settings) -> None:
    settings.PAYMENT_CAPTURE_AT = {"sandbox": "shipment"}


def read(client: Client, group: OrderGroup, path: str = "") -> str:
    answer = client.get(f"{link_path(group)}{path}")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def make_cash_group() -> OrderGroup:
    group = make_group()
    Merchant.objects.filter(pk__in=group.orders.values("merchant_id")).update(accepts_cash=True)
    authorise(start_payment(group, channel="cash_on_delivery"))
    deliver_events()
    return fresh_row(group)


def hire(group: OrderGroup) -> str:
    user = make_user()
    member_add(
        merchant_id=only_order(group).merchant_id,
        user_id=user.pk,
        role=MerchantMember.Role.OWNER,
        actor=TESTER,
    )
    email: str = user.email
    return email


def test_the_page_tells_kept_ready_charged_and_never_charged_apart(client: Client) -> None:
    group = make_promised_group(orders=2)
    told = read(client, group)
    assert "Kept ready, not charged yet" in told
    assert "You are charged for each merchant’s items when they are sent." in told
    assert "You paid" not in told

    first, second = group.orders.order_by("id")
    ship(first)
    deliver_events()
    answer_capture(first)
    order_cancel(order_id=second.id, actor=MERCHANT, reason="sold out")
    deliver_events()
    told = read(client, group)
    assert "Charged" in told
    assert "Never charged" in told
    assert "Kept ready" not in told


def test_who_cancels_is_told_that_nothing_is_charged(client: Client) -> None:
    group = make_promised_group(orders=2)
    asked = read(client, group, "cancel/1/")
    assert "Never charged for" in asked
    assert "Goes back to you" not in asked
    answer = client.post(f"{link_path(group)}cancel/1/", {"reason": ""}, follow=True)
    assert "you are not charged" in answer.content.decode()
    assert "goes back" not in answer.content.decode()


def test_cash_is_offered_where_all_merchants_take_it(client: Client) -> None:
    group = make_group()
    assert "Cash, when it is delivered" not in read(client, group, "pay/")
    refused = client.post(f"{link_path(group)}pay/", {"method": "cash"})
    assert "Select how you want to pay" in refused.content.decode()
    assert not Attempt.objects.exists()

    Merchant.objects.filter(pk=only_order(group).merchant_id).update(accepts_cash=True)
    assert "Cash, when it is delivered" in read(client, group, "pay/")
    client.post(f"{link_path(group)}pay/", {"method": "cash"})
    assert Attempt.objects.get().channel == "cash_on_delivery"


def test_the_page_says_what_is_to_be_paid_at_the_door(client: Client) -> None:
    told = read(client, make_cash_group())
    assert "To pay at the door" in told
    assert "in cash when it is delivered" in told


def test_a_lapse_is_told_to_the_buyer_and_to_the_merchant() -> None:
    group = make_promised_group()
    seller = hire(group)
    deliver_mails()
    post_office.outbox.clear()

    say(payment_of(group).attempts.get(), "closed")
    deliver_events()
    deliver_mails()

    mails = {mail.to[0]: mail for mail in post_office.outbox}
    assert set(mails) == {seller, group.email}
    assert mails[seller].subject == f"Do not send: order {only_order(group).number} is cancelled"
    buyers = " ".join(str(mails[group.email].body).split())
    assert "were promised for it and are never charged" in buyers
    assert "for a limited time only" in buyers


def test_a_refused_parcel_is_told_to_the_buyer_and_to_the_merchant() -> None:

    group = make_cash_group()
    seller = hire(group)
    ship(only_order(group))
    deliver_mails()
    post_office.outbox.clear()
    scan(Shipment.objects.get(), "returned")
    deliver_events()
    deliver_mails()

    mails = {mail.to[0]: mail for mail in post_office.outbox}
    assert set(mails) == {seller, group.email}
    assert mails[seller].subject == f"Came back unpaid: order {only_order(group).number}"
    assert "in your stock again" in " ".join(str(mails[seller].body).split())
    assert "came back to the merchant" in " ".join(str(mails[group.email].body).split())


def test_a_buyer_who_cancels_causes_no_mail_to_the_merchant_of_lost_money() -> None:
    group = make_promised_group()
    hire(group)
    deliver_mails()
    post_office.outbox.clear()
    order_cancel(order_id=only_order(group).id, actor=BUYER, reason="mind")
    deliver_events()
    deliver_mails()
    [told] = post_office.outbox
    assert told.to == [group.email]
    assert "are never charged" in " ".join(str(told.body).split())

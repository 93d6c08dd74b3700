"""Mails: each once, to the right party, in the right words, whatever is in a name."""

import subprocess
import sys
from datetime import timedelta
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core import mail as post_office
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.locmem import EmailBackend

from accounts.models import MerchantMember
from accounts.services import customers_import
from core import clock, relay
from core.models import InboxEffect, OutboxEvent, OutboxStream
from delivery.models import Shipment
from orders.links import link_url
from orders.models import Mail, OrderGroup
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.expire import order_group_expire, order_groups_expire
from orders.services.fulfil import order_deliver, order_ship
from orders.services.mail import mail_write
from payments.models import Refund
from tests.factories import TESTER, make_customer
from tests.factories.story import (
    BUYER,
    MERCHANT,
    capture,
    expire_for_good,
    make_delivering_merchant,
    make_group,
    make_paid_group,
    make_stocked_sku,
    only_order,
    pack,
    place,
    ship,
    start_payment,
)
from tests.orders.post import deliver_mails, hire, refund_succeeds, sent, templates, waiting_mails

pytestmark = pytest.mark.django_db

LONGEST_MAIL_BYTES = 30 * 1024


def test_a_placed_group_is_asked_for_its_money() -> None:
    group = make_group(orders=2)

    deliver_mails()

    [message] = post_office.outbox
    assert isinstance(message, EmailMultiAlternatives)
    assert message.subject == f"Placed, waiting for payment: order {group.number}"
    assert message.to == [group.email]
    for part in (message.body, str(message.alternatives[0][0])):
        assert f"{link_url(group)}pay/" in part
        assert f"{group.pay_before:%H:%M} UTC" in part
        assert "30.00 EUR" in part


def test_who_has_paid_at_once_is_not_asked_for_money() -> None:
    group = make_group()
    capture(start_payment(group))

    deliver_mails()

    assert templates() == ["order_confirmed"]


def test_a_paid_group_is_confirmed_per_merchant_and_told_to_its_merchants() -> None:
    group = make_group(orders=2)
    deliver_mails()
    first, second = group.orders.order_by("id")
    owner = hire(first, MerchantMember.Role.OWNER)
    packer = hire(first, MerchantMember.Role.FULFILMENT)
    hire(first, MerchantMember.Role.FINANCE)
    hire(second, MerchantMember.Role.READ_ONLY)
    capture(start_payment(group))
    post_office.outbox.clear()

    deliver_mails()

    confirmed = next(m for m in post_office.outbox if m.subject.startswith("Confirmed"))
    assert confirmed.subject == f"Confirmed: order {group.number}"
    assert first.number in confirmed.body
    assert second.number in confirmed.body
    assert "Bremen" in confirmed.body
    told = [m for m in post_office.outbox if m.subject.startswith("New order")]
    assert [m.to for m in told] == [[owner], [packer]]
    assert {m.subject for m in told} == {f"New order: {first.number}, 1 item, 15.00 EUR"}
    assert len(post_office.outbox) == 3


def test_a_group_that_ran_out_of_time_gets_one_mail_for_all_its_orders() -> None:
    group = make_group(orders=2)
    deliver_mails()
    clock.advance(timedelta(minutes=31))
    order_group_expire(group_id=group.pk, actor=TESTER)
    post_office.outbox.clear()

    deliver_mails()

    assert sent() == [f"Expired without payment: order {group.number}"]
    assert "You have not been charged" in post_office.outbox[0].body


def test_each_group_of_a_batch_gets_its_mail() -> None:
    groups = [make_group(), make_group()]
    deliver_mails()
    clock.advance(timedelta(minutes=31))
    assert order_groups_expire(group_ids=[group.pk for group in groups], actor=TESTER) == 2
    post_office.outbox.clear()

    deliver_mails()

    assert sorted(sent()) == sorted(
        f"Expired without payment: order {group.number}" for group in groups
    )


def test_where_the_channel_stayed_silent_the_mail_does_not_say_that_nothing_was_charged() -> None:
    group = make_group()
    start_payment(group)
    deliver_mails()
    expire_for_good(group)
    post_office.outbox.clear()

    deliver_mails()

    [mail] = post_office.outbox
    assert "You have not been charged" not in mail.body
    assert "If you are charged all the same, the money goes back to you." in mail.body


def test_an_unpaid_group_that_is_called_off_gets_one_mail_for_all_its_orders() -> None:
    group = make_group(orders=2)
    deliver_mails()
    order_group_cancel(group_id=group.pk, actor=BUYER, reason="mind")
    post_office.outbox.clear()

    deliver_mails()

    assert sent() == [f"Cancelled: order {group.number}"]


def test_a_paid_order_that_is_called_off_says_what_goes_back_and_when_it_has_gone() -> None:
    group = make_paid_group(orders=2)
    deliver_mails()
    order = group.orders.select_related("merchant").earliest("id")
    order_cancel(order_id=order.pk, actor=MERCHANT, reason="broken")
    post_office.outbox.clear()

    deliver_mails()

    assert sent() == [f"Cancelled: order {order.number} from {order.merchant.name}"]
    assert "15.00 EUR go back to you" in post_office.outbox[0].body

    refund_succeeds(Refund.objects.get(reference=order.pk))
    deliver_mails()

    assert sent()[1:] == [f"Refunded: 15.00 EUR for order {order.number}"]


def test_money_that_came_late_is_told_for_the_group_when_it_has_gone_back() -> None:
    group = make_group()
    attempt = start_payment(group)
    order_group_cancel(group_id=group.pk, actor=BUYER, reason="mind")
    capture(attempt)
    deliver_mails()
    post_office.outbox.clear()

    refund_succeeds(Refund.objects.get(reference=group.pk))
    deliver_mails()

    assert sent() == [f"Refunded: 15.00 EUR for order {group.number}"]
    assert "Your payment arrived after the order had ended." in post_office.outbox[0].body


def test_each_parcel_says_whether_it_is_all_some_or_the_last() -> None:
    whole, parts = only_order(make_paid_group()), only_order(make_paid_group(units=3))
    deliver_mails()
    post_office.outbox.clear()

    shop = ship(whole).merchant.name
    deliver_mails()
    assert sent() == [f"Shipped: order {whole.number} from {shop}"]
    tracking = Shipment.objects.get(reference=whole.pk).tracking_number
    assert f"Tracking number: {tracking}" in post_office.outbox[0].body

    pack(parts)
    [line] = parts.lines.all()
    order_ship(order_id=parts.pk, actor=MERCHANT, quantities={line.pk: 1}, carrier="manual")
    order_ship(order_id=parts.pk, actor=MERCHANT, carrier="manual")
    deliver_mails()  # both have left before either is told
    shop = parts.merchant.name
    assert sent()[1:] == [
        f"Shipped, some items: order {parts.number} from {shop}",
        f"Shipped, the last items: order {parts.number} from {shop}",
    ]


def test_a_delivered_order_says_until_when_it_may_come_back() -> None:
    order = ship(only_order(make_paid_group()))
    order_deliver(order_id=order.pk, actor=BUYER)
    deliver_mails()

    order.refresh_from_db()
    assert order.return_until is not None
    [message] = [m for m in post_office.outbox if m.subject.startswith("Delivered")]
    assert message.subject == f"Delivered: order {order.number} from {order.merchant.name}"
    assert f"return it until {order.return_until.day} " in message.body


def test_an_event_that_comes_twice_is_told_once() -> None:
    make_paid_group()
    deliver_mails()
    before = list(Mail.objects.order_by("id").values())
    InboxEffect.objects.all().delete()
    OutboxStream.objects.update(delivered_seq=0)
    post_office.outbox.clear()

    deliver_mails()

    assert sent() == []
    assert list(Mail.objects.order_by("id").values()) == before


def test_a_request_of_before_that_carries_no_facts_is_told_all_the_same() -> None:
    make_group()
    while relay.deliver(lambda stream_id: None):
        pass
    [event] = OutboxEvent.objects.filter(type="mail.requested")
    del event.payload["facts"]
    OutboxEvent.objects.filter(pk=event.pk).update(payload=event.payload)

    deliver_mails()

    assert templates() == ["order_placed_unpaid"]


def test_who_is_imported_gets_no_mail_and_neither_do_the_merchants() -> None:
    [customer] = customers_import(emails=["old@example.com"], actor=TESTER).values()
    group = place([(make_stocked_sku(), 1)], customer)
    hire(only_order(group), MerchantMember.Role.OWNER)
    capture(start_payment(group))

    deliver_mails()

    assert sent() == []
    assert not OutboxStream.objects.filter(aggregate_type="mail").exists()


def test_a_name_can_neither_run_in_html_nor_begin_a_header() -> None:
    merchant = make_delivering_merchant(name="<script>alert(1)</script> & Sons\r\nBcc: all@x.org")
    sku = make_stocked_sku(merchant, title="<b>" + "long " * 30)
    customer = make_customer()
    group = place([(sku, 1), (make_stocked_sku(), 2)], customer)
    order = group.orders.get(merchant=merchant)
    capture(start_payment(group))
    deliver_mails()
    ship(order)
    deliver_mails()

    assert len(templates()) == 2
    for mail, message in zip(Mail.objects.order_by("id"), post_office.outbox, strict=True):
        assert "<script>" in mail.text
        assert "<script>" not in mail.html
        assert "&lt;script&gt;" in mail.html
        assert "<b>" not in mail.html
        assert "\n" not in mail.subject
        assert message.message()["Bcc"] is None
    assert sent()[1].startswith("Shipped: order")
    assert "<script>alert(1)</script> & Sons Bcc: all@x.org" in sent()[1]


def test_no_mail_fetches_anything_or_outgrows_its_bounds() -> None:
    merchant = make_delivering_merchant(name="<>&\"'" * 40)
    customer = make_customer()
    skus = [make_stocked_sku(merchant, title="<>&\"'" * 40) for _ in range(60)]
    group = place([(sku, 1) for sku in skus], customer)
    deliver_mails()

    [mail] = Mail.objects.filter(group=group)
    assert "and 20 more lines" in mail.text
    assert len(mail.html.encode()) < LONGEST_MAIL_BYTES
    assert len(mail.text.encode()) < LONGEST_MAIL_BYTES
    for way in ("<img", "src=", "url(", "<script", "<link"):
        assert way not in mail.html


def test_words_are_kept_whatever_happens_before_they_leave(settings: Any) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.LosesTheAnswer"
    group = make_group()
    deliver_mails()
    written = Mail.objects.get(group=group)
    assert written.sent_at is None
    order_group_cancel(group_id=group.pk, actor=BUYER, reason="mind")

    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    event_id = UUID(str(written.event_id))
    [again] = mail_write(
        event_id=event_id,
        template=written.template,
        group_id=group.pk,
        object_id=group.pk,
        actor=TESTER,
    )

    assert (again.pk, again.text) == (written.pk, written.text)


class LosesTheAnswer(EmailBackend):
    """The server takes the mail, and the connection breaks before it says so."""

    def send_messages(self, messages: Any) -> int:
        super().send_messages(messages)
        raise ConnectionResetError


def test_a_mail_whose_sending_failed_is_tried_again_as_the_same_mail(settings: Any) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.LosesTheAnswer"
    make_group()
    deliver_mails()
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    OutboxStream.objects.filter(aggregate_type="mail").update(available_at="2026-01-01T00:00Z")

    deliver_mails()

    first, second = (message.message() for message in post_office.outbox)
    assert first["Message-ID"] == second["Message-ID"]
    assert Mail.objects.get().sent_at is not None


@pytest.mark.django_db(transaction=True)
def test_who_dies_after_sending_sends_the_same_mail_once_more(
    process_environment: dict[str, str], tmp_path: Path
) -> None:
    make_group()
    while relay.deliver(lambda stream_id: None):
        pass
    [stream_id] = waiting_mails()

    def work(**environment: str) -> int:
        code = f"import django; django.setup(); from core import relay; relay.deliver_external({stream_id})"
        given = {
            **process_environment,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "EMAIL_URL": f"filemail:///{tmp_path}",
            **environment,
        }
        return subprocess.run([sys.executable, "-c", code], env=given, check=False).returncode

    assert work(CRASH_AT="after_mail_before_commit") == 137
    assert Mail.objects.get().sent_at is None
    OutboxStream.objects.filter(pk=stream_id).update(lease_until=None)  # as it runs out
    assert work() == 0

    assert Mail.objects.get().sent_at is not None
    first, second = (parse(path) for path in sorted(tmp_path.iterdir()))
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Subject"] == second["Subject"]


def parse(path: Path) -> Message:
    return message_from_bytes(path.read_bytes())


def test_telling_of_an_order_changes_nothing_of_it() -> None:
    group = make_paid_group()
    before = OrderGroup.objects.filter(pk=group.pk).values().get()
    events = OutboxEvent.objects.exclude(type="mail.requested").count()

    deliver_mails()

    assert OrderGroup.objects.filter(pk=group.pk).values().get() == before
    assert OutboxEvent.objects.exclude(type="mail.requested").count() == events

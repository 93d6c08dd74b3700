"""Mails about what is called off, in whole or in part, and about money that comes late."""

import pytest
from django.core import mail as post_office

from accounts.models import MerchantMember
from orders.models import Mail, Order, OrderGroup
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.request import (
    cancel_request_decline,
    cancel_request_open,
    cancel_request_withdraw,
)
from tests.factories.story import (
    BUYER,
    MERCHANT,
    capture,
    expire_for_good,
    make_group,
    make_paid_group,
    make_stocked_sku,
    only_order,
    pack,
    place,
    start_payment,
)
from tests.orders.post import deliver_mails, hire, sent, templates

pytestmark = pytest.mark.django_db


def test_units_that_are_called_off_are_told_with_what_goes_back_for_them() -> None:
    order = only_order(make_paid_group(units=3))
    [line] = order.lines.all()
    deliver_mails()
    post_office.outbox.clear()

    order_cancel(order_id=order.pk, actor=BUYER, reason="", quantities={line.pk: 2})
    deliver_mails()

    [message] = post_office.outbox
    assert message.subject.startswith(f"Cancelled in part: order {order.number}")
    for part in (message.body, str(message.alternatives[0][0])):  # type: ignore[union-attr]
        assert f"2 × {line.title}" in part
        assert "20.00 EUR go back to you" in part


def test_a_request_to_cancel_is_told_to_both_and_so_is_its_refusal() -> None:
    order = pack(only_order(make_paid_group()))
    owner = hire(order, MerchantMember.Role.OWNER)
    deliver_mails()
    post_office.outbox.clear()

    request = cancel_request_open(order_id=order.pk, reason="too_slow", actor=BUYER)
    deliver_mails()

    told = {message.to[0]: message for message in post_office.outbox}
    assert set(told) == {order.group.email, owner}
    deadline = f"{request.deadline:%-d %B %Y, %H:%M} UTC"
    assert deadline in told[order.group.email].body
    assert told[owner].subject.startswith(f"Answer by {deadline}")
    assert "Reason: too_slow" in told[owner].body

    cancel_request_decline(request_id=request.pk, answer="It has left the house", actor=MERCHANT)
    deliver_mails()
    assert sent()[-1].startswith("Not cancelled")
    assert "It has left the house" in post_office.outbox[-1].body


def test_a_request_that_has_its_answer_is_no_news_any_more() -> None:
    order = pack(only_order(make_paid_group()))
    request = cancel_request_open(order_id=order.pk, reason="", actor=BUYER)
    cancel_request_withdraw(request_id=request.pk, actor=BUYER)
    deliver_mails()
    assert not {"cancel_requested", "cancel_asked"} & set(templates())


@pytest.mark.parametrize(
    ("units", "template"), [(10, "late_payment_revived"), (0, "late_payment_refunded")]
)
def test_money_that_came_late_is_told_whether_it_was_taken_or_goes_back(
    units: int, template: str
) -> None:
    sku = make_stocked_sku(units=1)
    group = place([(sku, 1)])
    attempt = start_payment(group)
    expire_for_good(group)
    if not units:
        place([(sku, 1)])
    deliver_mails()
    capture(attempt)
    deliver_mails()

    assert Mail.objects.filter(group=group, template=template).count() == 1
    kinds = set(Mail.objects.filter(group=group).values_list("template", flat=True))
    assert len(kinds & {"late_payment_revived", "late_payment_refunded"}) == 1


def test_other_refunds_are_not_told_as_late() -> None:
    order = only_order(make_paid_group())
    order_cancel(order_id=order.pk, actor=MERCHANT, reason="")
    deliver_mails()
    assert "late_payment_refunded" not in templates()


def test_an_order_that_is_called_off_alone_before_payment_is_told_so() -> None:
    group = make_group(orders=2)
    order = group.orders.earliest("id")
    order_cancel(order_id=order.pk, actor=BUYER, reason="")

    deliver_mails()

    [mail] = Mail.objects.filter(template="cancel_done")
    assert mail.subject.startswith(f"Cancelled: order {order.number}")
    assert "You need not pay for it." in mail.text


def make_group_called_off_in_part() -> tuple[OrderGroup, Order]:
    """Before payment one order of two is called off, and one unit of three of the other."""
    group = place([(make_stocked_sku(), 3), (make_stocked_sku(), 2)])
    kept, gone = group.orders.order_by("id")
    order_cancel(order_id=gone.pk, actor=BUYER, reason="")
    one = {kept.lines.get().pk: 1}
    order_cancel(order_id=kept.pk, actor=BUYER, reason="", quantities=one)
    return group, kept


def test_what_was_called_off_before_the_payment_is_in_no_mail_that_goes_on_telling() -> None:
    group, kept = make_group_called_off_in_part()
    gone = group.orders.exclude(pk=kept.pk).get()
    owner = hire(kept, MerchantMember.Role.OWNER)
    deliver_mails()
    capture(start_payment(group))
    deliver_mails()

    told = Mail.objects.filter(template__in=["order_placed_unpaid", "order_confirmed", "new_order"])
    assert told.count() == 3
    for mail in told:
        assert "2 × " in mail.text
        assert "Total: 25.00 EUR" in mail.text
        assert "20.00 EUR" in mail.html
        assert "3 × " not in mail.text
        assert gone.number not in mail.text
    [new] = [m for m in post_office.outbox if m.to == [owner]]
    assert new.subject == f"New order: {kept.number}, 2 items, 25.00 EUR"


def test_what_ran_out_of_time_is_told_as_it_was_to_be_paid() -> None:
    group, kept = make_group_called_off_in_part()
    expire_for_good(group)
    deliver_mails()

    mail = Mail.objects.get(template="payment_expired")
    assert ("2 × " in mail.text, "Total: 25.00 EUR" in mail.text) == (True, True)
    assert mail.text.count("Total:") == 1
    assert kept.number in mail.text


def test_a_group_that_is_called_off_as_a_whole_is_told_as_it_was_placed() -> None:
    group = make_group(orders=2, units=3)
    order_group_cancel(group_id=group.pk, actor=BUYER, reason="mind")
    deliver_mails()

    mail = Mail.objects.get(template="cancel_done")
    assert (mail.text.count("3 × "), mail.text.count("Total: 35.00 EUR")) == (2, 2)


def test_who_has_called_off_all_that_was_paid_is_told_that_alone() -> None:
    group = make_paid_group(orders=2)
    order_group_cancel(group_id=group.pk, actor=BUYER, reason="mind")
    deliver_mails()

    assert templates() == ["cancel_done", "cancel_done"]


def test_a_cancelled_order_says_what_goes_back_by_it_and_not_what_went_before() -> None:
    order = only_order(make_paid_group(units=3))
    one = {order.lines.get().pk: 1}
    order_cancel(order_id=order.pk, actor=BUYER, reason="", quantities=one)
    order_cancel(order_id=order.pk, actor=MERCHANT, reason="broken")
    deliver_mails()

    assert "25.00 EUR go back to you" in Mail.objects.get(template="cancel_done").text

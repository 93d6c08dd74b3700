"""The connection breaks while a COMMIT is answered: whoever asks again finds what was done."""

import pytest
from django.db import OperationalError

from core import audit
from orders.models import OrderGroup
from orders.services.place import order_group_place
from payments.models import Attempt, ChannelFact
from tests.factories.story import (
    BUYER,
    capture,
    deliver_events,
    fill_cart,
    fresh_row,
    make_checkout,
    make_group,
    make_stocked_sku,
    payment_of,
    start_payment,
)
from tests.faults.cut import wire_that_breaks_behind_a_commit

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_checkout_that_never_heard_of_its_commit_is_sent_again_and_is_one_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    basket = fill_cart([(make_stocked_sku(units=1), 1)])
    checkout = make_checkout(basket)

    with wire_that_breaks_behind_a_commit(monkeypatch) as unheard, pytest.raises(OperationalError):
        order_group_place(cart_id=basket.cart_id, checkout=checkout, actor=BUYER)
    assert b"COMMIT" in unheard[0]
    [group] = OrderGroup.objects.all()

    again = order_group_place(cart_id=basket.cart_id, checkout=checkout, actor=BUYER)
    assert again.pk == group.pk
    assert audit.run() == []


def test_money_whose_commit_was_not_heard_of_is_told_again_and_counts_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    group = make_group()
    attempt = start_payment(group)

    with wire_that_breaks_behind_a_commit(monkeypatch) as unheard, pytest.raises(OperationalError):
        capture(attempt)
    assert b"COMMIT" in unheard[0]

    capture(attempt)
    deliver_events()
    assert ChannelFact.objects.count() == Attempt.objects.count() == 1
    assert payment_of(group).captured_minor == group.total_minor
    assert fresh_row(group).status == "paid"
    assert audit.run() == []

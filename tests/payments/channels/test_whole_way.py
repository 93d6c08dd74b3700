"""An order paid at Stripe from the shop's page to the refund, with the shop's real processes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings

from core import audit
from core.models import Hook
from orders.links import link_url
from orders.management.replay.look import undelivered_events
from orders.models import OrderGroup
from orders.services.cancel import order_group_cancel
from payments.models import Attempt, Payment, Refund
from tests.factories.story import BUYER, make_group
from tests.faults.shop import RunningShop, own_place, running
from tests.payments.channels.rigs import StripeRig

SERVING = ("web", "worker", "beat", "relay")


@pytest.fixture
def stripe(tmp_path: Path) -> Iterator[StripeRig]:
    """Stripe, that tells a shop of which only the address is known yet."""
    with own_place(tmp_path):
        path = f"hooks/stripe/{StripeRig.endpoint_id}"
        rig = StripeRig(tmp_path, notify_url=f"http://127.0.0.1:{settings.PORT}/{path}")
        with rig.installed():
            yield rig
        rig.stop()


@pytest.fixture
def shop(transactional_db: None, stripe: StripeRig, tmp_path: Path) -> Iterator[RunningShop]:
    environment = {
        "STRIPE_API_KEY": "sk_test_local",
        "STRIPE_API_BASE": stripe.provider_url,
        "STRIPE_WEBHOOK_SECRETS": stripe.secret,
        "STRIPE_ENDPOINT_ID": stripe.endpoint_id,
    }
    with running(tmp_path, *SERVING, **environment) as shop:
        yield shop


def attempt_of(group: OrderGroup) -> Attempt:
    return Attempt.objects.get(payment__reference=group.id)


def pay_by_card(group: OrderGroup) -> None:
    """The shopper picks the card on the pay page, as a browser without JavaScript does."""
    page = f"{link_url(group)}pay/"
    with httpx.Client(trust_env=False, timeout=30, follow_redirects=True) as browser:
        html = browser.get(page).raise_for_status().text
        assert "Card, on Stripe’s page" in html
        token = html.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
        sent: dict[str, Any] = {"csrfmiddlewaretoken": token, "method": "card"}
        browser.post(page, data=sent, headers={"Referer": page}).raise_for_status()


def until_told(shop: RunningShop, ask: Callable[[], object]) -> None:
    """Until it has come about; the books hold all the while."""
    shop.until(ask)
    assert audit.run() == []


def test_an_order_is_paid_on_stripes_page_and_goes_back(
    shop: RunningShop, stripe: StripeRig
) -> None:
    group = make_group(orders=2)
    shop.until(lambda: all(shop.works(name) for name in SERVING))

    pay_by_card(group)
    shop.until(lambda: attempt_of(group).status == "requires_action")
    back = stripe.press(attempt_of(group).action_url, "pay")
    assert back.endswith("pay/?returned=1")
    until_told(shop, lambda: OrderGroup.objects.get(pk=group.pk).status == "paid")
    payment = Payment.objects.get(reference=group.id)
    assert payment.captured_minor == group.payable_minor
    told = attempt_of(group).facts.get(kind="captured")
    assert (told.origin, told.channel) == ("webhook", "stripe")

    order_group_cancel(group_id=group.id, actor=BUYER, reason="mind")

    until_told(
        shop,
        lambda: (
            Refund.objects.filter(status="succeeded").exists()
            and not Refund.objects.exclude(status="succeeded").exists()
        ),
    )
    assert Payment.objects.get(reference=group.id).refunded_minor == group.payable_minor
    shop.until(lambda: not Hook.objects.filter(state="received").exists())
    assert not Hook.objects.exclude(state__in=["processed", "ignored"]).exists()
    movements = {(row.kind, row.amount_minor) for row in stripe.channel.movements(group.placed_at)}
    assert ("captured", group.payable_minor) in movements
    assert sum(amount for kind, amount in movements if kind == "refund_succeeded") > 0
    shop.until(lambda: not undelivered_events())
    assert audit.run(final=True) == []

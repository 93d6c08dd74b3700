"""What channels tell, through the real receiver into the books: twice, late, never, or a lie."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from core.models import Hook
from payments.handlers import capture_at_channel, create_at_channel, refund_at_channel
from payments.models import Attempt, Capture, Chargeback, Payment, Refund
from payments.services.capture import capture_request
from payments.services.hooks import hook_process
from payments.tasks import ask_after_attempt, ask_after_refund
from tests.factories import TESTER
from tests.factories.money import (
    fresh_row,
    in_command,
    locked_payment,
    make_attempt,
    make_payment,
    request_refund,
    shares_of,
)
from tests.payments.books import broken
from tests.payments.channels.rigs import Rig, StripeRig, Told
from tests.sandboxes.conftest import eventually

pytestmark = pytest.mark.django_db(transaction=True)

Step = Callable[[Rig, Attempt], None]


def send(rig: Rig, told: Told) -> int:
    """As the provider would."""
    body, headers = told
    kept = {n: v for n, v in headers.items() if n.lower().startswith(("webhook-", "stripe-"))}
    path = reverse("channel_hook", args=[rig.name, rig.endpoint_id])
    return Client().post(path, body, content_type="application/json", headers=kept).status_code


def take_in() -> list[str]:
    """Processes what waits in the inbox; how each ended."""
    waiting = Hook.objects.filter(state="received").order_by("pk")
    return [hook_process(hook_id=hook.pk, actor=TESTER).state for hook in waiting]


def opened(rig: Rig) -> tuple[Payment, Attempt]:
    """A payment of which its shopper is on the hosted page."""
    payment = make_payment(700, 300)
    attempt = make_attempt(payment, channel=rig.name, token="")
    create_at_channel(attempt.pk)
    assert fresh_row(attempt).status == "requires_action"
    return payment, fresh_row(attempt)


def paid(rig: Rig) -> tuple[Payment, Attempt]:
    """A payment that its shopper has made; nobody has told us."""
    payment, attempt = opened(rig)
    rig.press(attempt.action_url, "pay")
    return payment, attempt


def refunded(rig: Rig, payment: Payment, amount_minor: int) -> Refund:
    refund = request_refund(payment, amount_minor)
    refund_at_channel(refund.pk)
    return refund


def status(row: Attempt | Payment | Refund) -> str:
    now: str = fresh_row(row).status
    return now


def test_what_was_paid_on_the_hosted_page_is_told_and_booked(rig: Rig) -> None:
    payment, attempt = paid(rig)
    [told] = rig.notices_of("captured", attempt.channel_key)
    assert send(rig, told) == 204
    assert status(payment) == "open"
    assert take_in() == ["processed"]
    assert (status(payment), status(attempt)) == ("captured", "succeeded")
    assert broken() == []


def test_all_that_is_told_twice_and_backwards_ends_the_same(rig: Rig) -> None:
    payment, attempt = paid(rig)
    ask_after_attempt(attempt.pk)
    refunds = [refunded(rig, payment, amount_minor) for amount_minor in (100, 250)]
    rig.notices_of("captured", attempt.channel_key)
    for refund in refunds:
        rig.notices_of("refund_succeeded", refund.channel_key)

    keys = [attempt.channel_key, *(refund.channel_key for refund in refunds)]
    for told in reversed(rig.inbox.told * 2):
        if any(key in told[0].decode() for key in keys):
            assert send(rig, rig.signed(told[0])) == 204
    assert set(take_in()) <= {"processed", "ignored"}

    assert (status(payment), fresh_row(payment).captured_minor) == ("captured", 1000)
    assert fresh_row(payment).refunded_minor == 350
    assert {status(refund) for refund in refunds} == {"succeeded"}
    assert broken() == []


def test_what_is_never_told_is_asked_for(rig: Rig) -> None:
    payment, attempt = paid(rig)
    ask_after_attempt(attempt.pk)
    assert status(payment) == "captured"
    refund = refunded(rig, payment, 400)
    ask_after_refund(refund.pk)
    assert status(refund) == "succeeded"
    assert not Hook.objects.exists()
    assert broken() == []


def test_a_wrong_amount_is_put_up_for_review_and_never_paid(rig: Rig) -> None:
    payment, attempt = paid(rig)
    [(body, _)] = rig.notices_of("captured", attempt.channel_key)
    assert send(rig, rig.signed(rig.with_amount(body, 999))) == 204
    assert take_in() == ["review"]
    assert "fact.amount" in Hook.objects.get().note
    assert status(payment) == "open"

    assert send(rig, rig.signed(body)) == 204
    assert take_in() == ["processed"]
    assert status(payment) == "captured"
    assert broken() == []


def test_what_is_signed_by_nobody_is_refused(rig: Rig) -> None:
    _, attempt = paid(rig)
    [(body, headers)] = rig.notices_of("captured", attempt.channel_key)
    assert send(rig, (body + b" ", headers)) == 400
    assert send(rig, (body, {})) == 400
    assert not Hook.objects.exists()


def test_a_refusal_on_the_hosted_page_lets_the_shopper_try_again_or_ends_the_attempt(
    rig: Rig,
) -> None:
    payment, attempt = opened(rig)
    rig.press(attempt.action_url, "refuse")
    eventually(lambda: any(attempt.channel_key in told[0].decode() for told in rig.inbox.told))
    ask_after_attempt(attempt.pk)
    if status(attempt) == "failed":
        attempt = make_attempt(payment, channel=rig.name, token="")
        create_at_channel(attempt.pk)
    rig.press(fresh_row(attempt).action_url, "pay")
    ask_after_attempt(attempt.pk)
    assert status(payment) == "captured"
    assert broken() == []


def test_a_refund_that_fails_is_told(rig: Rig) -> None:
    payment = make_payment(1000)
    attempt = make_attempt(payment, channel=rig.name, token=rig.tokens["refund fails"])
    create_at_channel(attempt.pk)

    def is_captured() -> bool:
        ask_after_attempt(attempt.pk)
        return status(payment) == "captured"

    eventually(is_captured)
    refund = refunded(rig, payment, 400)
    if status(refund) == "sent":
        rig.refund_comes_back(rig.channel.query_refund(refund.channel_key))
    [told] = rig.notices_of("refund_failed", refund.channel_key)
    send(rig, told)
    assert take_in() == ["processed"]
    assert status(refund) == "failed"
    assert fresh_row(payment).refunded_minor == 0
    assert broken() == []


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_a_dispute_is_told_with_the_payment_that_it_is_about(
    stripe: StripeRig, outcome: str
) -> None:
    payment, attempt = paid(stripe)
    ask_after_attempt(attempt.pk)
    intent = fresh_row(attempt).channel_ref
    dispute = stripe.control("dispute", payment_intent=intent)
    stripe.control("dispute_close", dispute=dispute["id"], status=outcome)

    [(opened_body, headers)] = stripe.notices_of("chargeback_opened", "")
    [(closed_body, closed_headers)] = stripe.notices_of(f"chargeback_{outcome}", "")
    for body in (opened_body, closed_body):
        notice = stripe.channel.notice(body)
        assert notice is not None
        assert (notice.payment_ref, notice.ref) == (intent, dispute["id"])
        assert (notice.amount_minor, notice.currency) == (1000, "EUR")
    for told in ((closed_body, closed_headers), (opened_body, headers)):  # the last word first
        assert send(stripe, told) == 204
    assert take_in() == ["processed", "processed"]
    made = Chargeback.objects.get()
    assert (made.status, made.attempt, made.channel_ref) == (outcome, attempt, dispute["id"])
    assert fresh_row(payment).charged_back_minor == (0 if outcome == "won" else 1000)
    assert broken() == []


@pytest.fixture
def promised(rig: Rig, settings: Settings) -> tuple[Payment, Attempt]:
    """Money that was promised for two orders, and told."""
    settings.PAYMENT_CAPTURE_AT = {rig.name: "shipment"}
    payment, attempt = paid(rig)
    [told] = rig.notices_of("authorised", attempt.channel_key)
    assert send(rig, told) == 204
    assert take_in() == ["processed"]
    assert (status(payment), status(attempt)) == ("authorised", "succeeded")
    return fresh_row(payment), fresh_row(attempt)


def requested(payment: Payment, number: int) -> Capture:
    share = shares_of(payment)[number]
    return in_command(
        lambda: capture_request(
            payment=locked_payment(payment),
            order_id=share.order_id,
            amount_minor=share.amount_minor,
            request_key=f"ship:{share.order_id}",
            actor=TESTER,
        )
    )


def test_each_part_is_booked_by_its_answer_or_by_what_is_told_of_it(
    rig: Rig, promised: tuple[Payment, Attempt]
) -> None:
    payment, attempt = promised
    first, last = requested(payment, 0), requested(payment, 1)
    capture_at_channel(first.pk)
    assert fresh_row(first).status == "succeeded"
    assert status(payment) == "authorised"
    rig.channel.capture(  # and its answer is lost
        key=last.channel_key,
        payment_key=attempt.channel_key,
        amount_minor=last.amount_minor,
        is_last=True,
    )

    for capture in (first, last):
        [told] = rig.notices_of("captured", capture.channel_key)
        assert send(rig, told) == 204
    assert take_in() == ["processed", "processed"]

    assert fresh_row(last).status == "succeeded"
    assert (status(payment), fresh_row(payment).captured_minor) == ("captured", 1000)
    refund = refunded(rig, payment, 700)
    assert status(refund) == "succeeded"
    assert broken() == []


def test_a_part_of_another_amount_is_put_up_for_review(
    rig: Rig, promised: tuple[Payment, Attempt]
) -> None:
    payment, attempt = promised
    capture = requested(payment, 0)
    rig.channel.capture(
        key=capture.channel_key,
        payment_key=attempt.channel_key,
        amount_minor=capture.amount_minor - 1,
        is_last=False,
    )
    [told] = rig.notices_of("captured", capture.channel_key)
    send(rig, told)
    assert take_in() == ["review"]
    assert fresh_row(capture).status == "requested"
    assert fresh_row(payment).captured_minor == 0

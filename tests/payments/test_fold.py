"""States are a fold over what channels say: no order, no repetition and no pause matters."""

from itertools import permutations, product

import pytest

from accounts.models import Merchant
from payments.models import ChannelFact, LedgerTransaction
from tests.factories import make_merchant
from tests.factories.money import (
    fresh_row,
    make_attempt,
    make_captured,
    make_payment,
    make_sent_refund,
    say,
    say_of_refund,
)
from tests.payments.books import broken

pytestmark = pytest.mark.django_db

KINDS = ("authorised", "captured", "failed", "closed")
REFUND_KINDS = ("refund_succeeded", "refund_failed")
SETS = [
    tuple(kind for kind, present in zip(KINDS, chosen, strict=True) if present)
    for chosen in product((False, True), repeat=len(KINDS))
    if any(chosen)
]


def outcome(told: tuple[str, ...], merchant: Merchant) -> tuple[object, ...]:
    """Everything that must not depend on the order in which it was told."""
    payment = make_payment(700, 300, merchants=[merchant, merchant])
    attempt = make_attempt(payment)
    for kind in told:
        say(attempt, kind)
    attempt, payment = fresh_row(attempt), fresh_row(payment)
    facts = ChannelFact.objects.filter(attempt=attempt)
    postings = LedgerTransaction.objects.filter(
        kind="capture", ref__in=[f"fact:{fact.id}" for fact in facts]
    )
    return (
        attempt.status,
        attempt.is_excess,
        payment.status,
        payment.captured_minor,
        sorted(facts.values_list("kind", flat=True)),
        postings.count(),
    )


@pytest.mark.parametrize("kinds", SETS, ids="+".join)
def test_every_order_of_arrival_with_repetitions_ends_in_the_same_state(
    kinds: tuple[str, ...],
) -> None:
    merchant = make_merchant()
    expected = outcome(kinds, merchant)

    for order in permutations(kinds):
        repeated = (*order, *reversed(order), order[0])
        assert outcome(repeated, merchant) == expected

    assert expected[0] == _strongest(kinds)
    assert broken() == []


def _strongest(kinds: tuple[str, ...]) -> str:
    ranked = {"captured": "succeeded", "closed": "closed", "failed": "failed"}
    return next((state for kind, state in ranked.items() if kind in kinds), "processing")


@pytest.mark.parametrize("kinds", [("refund_succeeded",), ("refund_failed",), REFUND_KINDS])
def test_a_refund_ends_in_the_same_state_whatever_is_told_first(kinds: tuple[str, ...]) -> None:
    merchant = make_merchant()
    expected = "succeeded" if "refund_succeeded" in kinds else "failed"

    for order in permutations(kinds):
        refund = make_sent_refund(make_captured(1000, merchants=[merchant]), 400)
        for kind in (*order, *order):
            say_of_refund(refund, kind)
        refund = fresh_row(refund)
        assert refund.status == expected
        assert refund.payment.refunded_minor == (400 if expected == "succeeded" else 0)

    assert broken() == []

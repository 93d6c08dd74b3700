"""Settling what differs: whose word stands, who may say so, and what it may be about."""

from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist

from accounts.actors import Actor, Role
from core.errors import Conflict, Denied, DomainError, Invalid, NotFound
from payments.lists import suggestions
from payments.models import Difference, DifferenceResolution, LedgerTransaction
from payments.selectors import balance_minor
from payments.services.difference import difference_settle
from tests.factories.money import make_attempt, make_captured, make_payment
from tests.payments.books import broken
from tests.payments.lists import RECON, listed

pytestmark = pytest.mark.django_db

FINANCE = Actor(Role.STAFF, "user:1")


def settle(difference: Difference, **members: Any) -> DifferenceResolution:
    given: dict[str, Any] = {"verdict": "ours", "reason": "their list is wrong", "actor": FINANCE}
    return difference_settle(difference_id=difference.pk, **{**given, **members})


@pytest.fixture
def difference() -> Difference:
    """The list has another amount."""
    listed(make_captured(1000).attempts.get(), amount_minor=990)
    return Difference.objects.get()


@pytest.fixture
def fee() -> Difference:
    """The list has another fee than it had before."""
    attempt = make_captured(1000).attempts.get()
    listed(attempt)
    listed(attempt, fee_minor=45)
    return Difference.objects.get()


def test_settling_says_who_why_and_whose_word_stands_once(difference: Difference) -> None:
    first = settle(difference, reason="  their list is wrong ")
    again = settle(difference, reason="I said so")

    assert first == again == DifferenceResolution.objects.get()
    assert (first.verdict, first.reason, first.actor) == (
        "ours",
        "their list is wrong",
        "staff:user:1",
    )
    assert broken() == []


def test_a_contradiction_is_refused(fee: Difference) -> None:
    settle(fee)
    with pytest.raises(Conflict) as refusal:
        settle(fee, verdict="theirs")
    assert refusal.value.code == "difference.settled"
    assert balance_minor("channel_fees", "EUR") == 39


@pytest.mark.parametrize(
    ("members", "kind", "code"),
    [
        ({"reason": " "}, Invalid, "difference.reason_missing"),
        ({"verdict": "mine"}, Invalid, "difference.verdict"),
        ({"verdict": "matched"}, Invalid, "difference.verdict"),
        ({"actor": RECON}, Invalid, "difference.verdict"),
        ({"verdict": "theirs"}, Invalid, "difference.not_bookable"),
        ({"actor": Actor(Role.MERCHANT, "7")}, Denied, "difference.not_yours"),
        ({"actor": Actor(Role.BUYER, "7")}, Denied, "difference.not_yours"),
    ],
)
def test_what_may_not_be_settled_so_changes_nothing(
    difference: Difference, members: dict[str, Any], kind: type[DomainError], code: str
) -> None:
    postings = LedgerTransaction.objects.count()
    with pytest.raises(kind) as refusal:
        settle(difference, **members)
    assert refusal.value.code == code
    assert not DifferenceResolution.objects.exists()
    assert LedgerTransaction.objects.count() == postings


def test_an_unknown_difference_is_not_found(difference: Difference) -> None:
    with pytest.raises(NotFound):
        difference_settle(difference_id=1, verdict="ours", reason="none", actor=FINANCE)


@pytest.mark.parametrize(("theirs", "booked"), [(45, 45), (30, 30)])
def test_a_fee_that_is_accepted_is_booked_once(theirs: int, booked: int) -> None:
    attempt = make_captured(1000).attempts.get()
    listed(attempt)
    listed(attempt, fee_minor=theirs)
    found = Difference.objects.get()
    assert balance_minor("channel_fees", "EUR") == 39

    for _ in range(2):
        settle(found, verdict="theirs", reason="the tariff has changed")

    assert balance_minor("channel_fees", "EUR") == booked
    assert balance_minor("channel_clearing", "EUR") == 1000 - booked
    assert broken() == []


def test_a_fee_that_is_not_accepted_stays_as_it_was(fee: Difference) -> None:
    settle(fee)
    assert balance_minor("channel_fees", "EUR") == 39


def test_what_only_the_channel_has_may_be_what_is_still_awaited() -> None:
    awaited = make_attempt(make_payment(1000))
    make_attempt(make_payment(1001))
    make_captured(1000)
    listed(awaited, key="typo")
    found = Difference.objects.get()

    told = suggestions(found)

    assert [(each.why, each.payment_id) for each in told] == [
        ("amount and time", awaited.payment_id)
    ]


def test_a_reference_that_we_know_is_suggested_first() -> None:
    payment = make_captured(1000)
    attempt = payment.attempts.get()
    listed(attempt, key="typo", ref=attempt.channel_ref)
    assert suggestions(Difference.objects.get())[0].payment_id == payment.pk


def test_what_each_side_alone_has_of_one_amount_may_be_the_same() -> None:
    payment = make_captured(1000)
    attempt = payment.attempts.get()
    listed(attempt, key="typo", ref="another")
    there = Difference.objects.get()
    here = Difference.build(
        payment.shard_key,
        channel="sandbox",
        kind="only_here",
        about="captured",
        ref=attempt.channel_ref,
        ours_minor=1000,
        theirs_minor=0,
        currency="EUR",
        payment=payment,
        found_at=there.found_at,
    )
    here.save(force_insert=True)
    assert [each.ref for each in suggestions(here)] == ["another"]
    assert [each.payment_id for each in suggestions(there)] == [payment.pk]
    settle(there)
    assert suggestions(here) == []


def test_nothing_is_suggested_where_nothing_fits(difference: Difference) -> None:
    assert suggestions(difference) == []
    with pytest.raises(ObjectDoesNotExist):
        difference.resolutions.get()

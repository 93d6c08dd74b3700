"""A payout: who approves it, what is booked, and what the channel's word does, in any order."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from accounts.actors import Actor, Role
from accounts.permissions import merchant_actor
from core import clock
from core.errors import Conflict, Denied, Invalid, NotFound
from core.hooks import hook_store
from core.models import Hook
from payments.models import MerchantAccount, Payout, PayoutApproval, PayoutFact, PayoutHold
from payments.selectors import balance_minor
from payments.services.hooks import hook_process
from payments.services.payee import merchant_account_change, payout_hold, payout_release
from payments.services.payout import payout_approve, payout_retry, payout_send
from payments.statements import account_of
from tests.factories import TESTER, make_merchant
from tests.factories.money import fresh_row
from tests.factories.settlement import (
    ANNA,
    BORIS,
    IBAN,
    OTHER_IBAN,
    answered,
    approved,
    give_account,
    make_payout,
    paid,
    sent,
)
from tests.payments.books import broken

pytestmark = pytest.mark.django_db
SMALL, LARGE = 100_000, 200_000  # sold: 900.00 and 1,800.00 of it are the merchant's


@pytest.fixture
def small() -> Payout:
    merchant = make_merchant()
    give_account(merchant)
    return make_payout(merchant, SMALL)


@pytest.fixture
def large() -> Payout:
    merchant = make_merchant()
    give_account(merchant)
    return make_payout(merchant, LARGE)


def approve(payout: Payout, actor: Actor = ANNA) -> Payout:
    return payout_approve(payout_id=payout.pk, actor=actor)


def in_flight(payout: Payout) -> int:
    return -balance_minor("payouts_in_flight", "EUR", merchant_id=payout.merchant_id)


def owed(payout: Payout) -> int:
    return -balance_minor("merchant_payable", "EUR", merchant_id=payout.merchant_id)


def test_up_to_the_limit_one_person_approves(small: Payout) -> None:
    assert approve(small).status == "approved"
    assert (owed(small), in_flight(small)) == (0, 90_000)
    assert broken() == []


def test_above_the_limit_two_people_approve(large: Payout) -> None:
    assert approve(large).status == "scheduled"
    assert in_flight(large) == 0
    assert approve(large, BORIS).status == "approved"
    assert in_flight(large) == 180_000
    assert broken() == []


def test_the_limit_itself_takes_one_person(small: Payout, settings: Settings) -> None:
    settings.PAYOUT_SECOND_PERSON_ABOVE_MINOR = 90_000
    assert approve(small).status == "approved"


def test_the_same_person_twice_is_refused_in_words(large: Payout) -> None:
    approve(large)
    with pytest.raises(Conflict, match=r"payout\.approved_by_you: You have approved") as refusal:
        approve(large)
    assert "1000.00 EUR" in str(refusal.value)
    assert PayoutApproval.objects.count() == 1
    assert fresh_row(large).status == "scheduled"


def test_what_is_on_its_way_is_approved_again_quietly(small: Payout) -> None:
    approve(small)
    assert approve(small).status == approve(small, BORIS).status == "approved"
    assert PayoutApproval.objects.count() == 1


@pytest.mark.parametrize(
    "actor", [merchant_actor(merchant_id=1, user_id=1), TESTER, Actor(Role.BUYER, "1")]
)
def test_only_staff_approve(small: Payout, actor: Actor) -> None:
    with pytest.raises(Denied, match=r"actor\.not_platform"):
        approve(small, actor)
    assert not PayoutApproval.objects.exists()


def test_a_program_is_no_second_person(small: Payout, large: Payout) -> None:
    program = Actor(Role.STAFF, "key:abc")
    with pytest.raises(Denied, match=r"payout\.needs_people"):
        approve(large, program)
    assert approve(small, program).status == "approved"


def test_without_an_account_nothing_is_approved() -> None:
    payout = make_payout(make_merchant())
    with pytest.raises(Conflict, match=r"payout\.no_account"):
        approve(payout)


def test_an_approval_is_for_the_account_that_was_known_then(large: Payout) -> None:
    approve(large)
    give_account(large.merchant, OTHER_IBAN)
    assert approve(large, BORIS).status == "scheduled"
    assert approve(large).status == "approved"
    account = fresh_row(large).account
    assert account
    assert account.iban == OTHER_IBAN


def test_what_is_not_there_is_not_found() -> None:
    for service in (payout_approve, payout_send, payout_retry):
        with pytest.raises(NotFound, match=r"payout\.unknown"):
            service(payout_id=1, actor=ANNA)


def test_while_payouts_are_on_hold_none_is_approved_and_none_is_sent(small: Payout) -> None:
    hold(small)
    with pytest.raises(Conflict, match="on hold: a dispute"):
        approve(small)
    payout_release(merchant_id=small.merchant_id, actor=ANNA)
    approve(small)
    hold(small)
    with pytest.raises(Conflict, match=r"payout\.held"):
        payout_send(payout_id=small.pk, actor=TESTER)
    assert fresh_row(small).status == "approved"


def hold(payout: Payout, **fields: Any) -> PayoutHold:
    given = {"reason": "a dispute", "until": None, "actor": ANNA, **fields}
    return payout_hold(merchant_id=payout.merchant_id, **given)


def test_a_hold_is_repeated_and_released_quietly(small: Payout) -> None:
    assert hold(small) == hold(small)
    with pytest.raises(Conflict, match=r"hold\.held: Payouts are on hold already: a dispute"):
        hold(small, reason="another")
    for _ in range(2):
        payout_release(merchant_id=small.merchant_id, actor=ANNA)
    assert hold(small, reason="another").reason == "another"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"reason": " "}, "hold.reason"),
        ({"until": "past"}, "hold.past"),
        ({"reason": "x" * 201}, "payouthold.invalid"),
    ],
)
def test_a_hold_that_makes_no_sense_is_refused(
    small: Payout, fields: dict[str, Any], code: str
) -> None:
    if fields.get("until"):
        fields = {"until": clock.now() - timedelta(seconds=1)}
    with pytest.raises(Invalid, match=code):
        hold(small, **fields)
    assert not PayoutHold.objects.exists()


def test_only_the_platform_holds(small: Payout) -> None:
    actor = merchant_actor(merchant_id=small.merchant_id, user_id=1)
    with pytest.raises(Denied):
        hold(small, actor=actor)
    with pytest.raises(Denied):
        payout_release(merchant_id=small.merchant_id, actor=actor)


def test_what_was_paid_has_left_the_channels_account(small: Payout) -> None:
    assert paid(small).status == "paid"
    assert (owed(small), in_flight(small)) == (0, 0)
    assert balance_minor("channel_clearing", "EUR") == 100_000 - 90_000
    assert broken() == []


def test_a_failure_gives_the_money_back_to_the_merchant_and_the_next_try_has_a_new_key(
    small: Payout,
) -> None:
    assert answered(sent(small), "failed").status == "failed"
    assert fresh_row(small).failure_code == "account_closed"
    assert (owed(small), in_flight(small)) == (90_000, 0)
    with pytest.raises(Conflict, match=r"payout\.not_scheduled"):
        approve(small)
    give_account(small.merchant, OTHER_IBAN)
    again = payout_retry(payout_id=small.pk, actor=ANNA)
    assert (again.status, again.channel_key) == ("scheduled", f"{small.pk}.2")
    assert payout_retry(payout_id=small.pk, actor=ANNA).tries == 2
    assert paid(fresh_row(small)).status == "paid"
    assert (owed(small), in_flight(small)) == (0, 0)
    assert broken() == []


def test_what_has_not_failed_is_not_tried_again(small: Payout) -> None:
    with pytest.raises(Conflict, match=r"state\.conflict"):
        payout_retry(payout_id=small.pk, actor=ANNA)


def test_nothing_is_sent_that_is_not_approved(small: Payout) -> None:
    assert payout_send(payout_id=small.pk, actor=TESTER).status == "scheduled"


@pytest.mark.parametrize("also", ["", "retry", "approve", "send"])
def test_an_earlier_try_that_comes_through_after_all_is_final(small: Payout, also: str) -> None:
    answered(sent(small), "failed")
    if also:
        payout_retry(payout_id=small.pk, actor=ANNA)
    if also in ("approve", "send"):
        approve(small, BORIS)
    if also == "send":
        payout_send(payout_id=small.pk, actor=TESTER)
    assert answered(fresh_row(small), "paid", try_number=1).status == "paid"
    assert (owed(small), in_flight(small)) == (0, 0)
    assert answered(fresh_row(small), "failed").status == "paid"
    assert broken() == []


def test_what_is_said_twice_is_booked_once(small: Payout) -> None:
    payout = sent(small)
    for _ in range(2):
        assert answered(payout, "paid").status == "paid"
    assert answered(payout, "sent").status == "paid"
    assert PayoutFact.objects.count() == 1
    assert in_flight(small) == 0


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"amount_minor": 1}, r"fact\.amount"),
        ({"currency": "USD"}, r"fact\.amount"),
        ({"try_number": 2}, r"fact\.reference"),
        ({"try_number": 0}, r"fact\.reference"),
    ],
)
def test_what_does_not_fit_changes_nothing(
    small: Payout, members: dict[str, Any], code: str
) -> None:
    payout = sent(small)
    with pytest.raises(Conflict, match=code):
        answered(payout, "paid", **members)
    assert fresh_row(small).status == "sent"
    assert not PayoutFact.objects.exists()


def test_money_that_left_twice_is_told_and_not_booked(small: Payout) -> None:
    answered(sent(small), "failed")
    payout_retry(payout_id=small.pk, actor=ANNA)
    payout = answered(sent(small), "paid")
    with pytest.raises(Conflict, match=r"fact\.twice"):
        answered(payout, "paid", try_number=1)
    assert in_flight(small) == 0


def notify(payout: Payout, kind: str = "payout.paid", **members: Any) -> Hook:
    document = {
        "kind": kind,
        "key": payout.channel_key,
        "ref": "out_1",
        "amount_minor": payout.amount_minor,
        "currency": payout.currency,
        "failure": "",
        **members,
    }
    body = json.dumps(document)
    hook_store(
        channel="sandbox",
        event_id=body[:100],
        payload=body.encode(),
        headers={},
        event_type="test.stored",
    )
    return hook_process(hook_id=Hook.objects.latest("pk").pk, actor=TESTER)


def test_a_notification_says_the_same_as_an_answer(small: Payout) -> None:
    sent(small)
    assert notify(small).state == "processed"
    assert fresh_row(small).status == "paid"
    assert PayoutFact.objects.get().origin == "webhook"


def test_a_notification_of_a_failure_names_its_reason_and_its_try(small: Payout) -> None:
    sent(small)
    assert notify(small, "payout.failed", failure="account_closed").state == "processed"
    assert fresh_row(small).failure_code == "account_closed"
    payout_retry(payout_id=small.pk, actor=ANNA)
    sent(small)
    assert notify(fresh_row(small), key=f"{small.pk}.2").state == "processed"
    assert fresh_row(small).status == "paid"


@pytest.mark.parametrize(
    ("members", "state"),
    [
        ({"amount_minor": 1}, "review"),
        ({"key": "{id}.x"}, "review"),
        ({"key": "{id}.9"}, "review"),
        ({"ref": ""}, "review"),
        ({"amount_minor": True}, "review"),
    ],
)
def test_a_notification_that_does_not_fit_is_kept_for_a_person(
    small: Payout, members: dict[str, Any], state: str
) -> None:
    sent(small)
    if "key" in members:
        members = {"key": members["key"].format(id=small.pk)}
    assert notify(small, **members).state == state
    assert fresh_row(small).status == "sent"


def test_statements_that_are_not_what_the_ledger_says_block_the_payout(small: Payout) -> None:
    approved(small)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE payments_statement SET closing_minor = 1 WHERE status = 'closed'")
    with pytest.raises(Conflict, match=r"payout\.books"):
        payout_send(payout_id=small.pk, actor=TESTER)
    assert fresh_row(small).status == "approved"


def test_another_merchants_books_block_nobody_else(small: Payout, large: Payout) -> None:
    approved(small)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE payments_statement SET closing_minor = 1 WHERE merchant_id = %s"
            " AND status = 'closed'",
            [large.merchant_id],
        )
    assert payout_send(payout_id=small.pk, actor=TESTER).status == "sent"


@pytest.mark.parametrize(
    "iban", ["", "DE89370400440532013001", "nonsense", "DE8937040044053201300", "1" * 300]
)
def test_an_iban_whose_digits_are_wrong_is_refused(iban: str) -> None:
    merchant = make_merchant()
    with pytest.raises(Invalid, match=r"account\.iban"):
        give_account(merchant, iban)
    assert account_of(merchant.pk) is None


def test_an_account_is_kept_without_spaces_shown_masked_and_the_newest_counts() -> None:
    merchant = make_merchant()
    first = give_account(merchant, "de89 3704 0044 0532 0130 00")
    assert (first.iban, first.masked) == (IBAN, "DE89 … 3000")
    assert give_account(merchant, IBAN) == first
    second = give_account(merchant, OTHER_IBAN)
    assert account_of(merchant.pk) == second
    assert MerchantAccount.objects.count() == 2
    assert OTHER_IBAN not in str(second)


def test_a_merchant_changes_only_its_own_account_and_names_its_holder() -> None:
    merchant, other = make_merchant(), make_merchant()
    actor = merchant_actor(merchant_id=other.pk, user_id=1)
    given: dict[str, Any] = {"merchant_id": merchant.pk, "holder": "Ada", "iban": IBAN}
    with pytest.raises(NotFound, match=r"merchant\.unknown"):
        merchant_account_change(**given, actor=actor)
    with pytest.raises(Invalid, match=r"merchantaccount\.invalid"):
        merchant_account_change(**{**given, "holder": " "}, actor=TESTER)
    own = merchant_actor(merchant_id=merchant.pk, user_id=2)
    assert merchant_account_change(**given, actor=own).actor == str(own)

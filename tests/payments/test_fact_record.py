"""What a channel says of an attempt: money is booked always, what does not fit changes nothing."""

from typing import Any

import pytest

from core.errors import Conflict, NotFound
from core.models import OutboxEvent
from payments.channels.base import Answer
from payments.models import Attempt, ChannelFact, LedgerEntry, Payment, Refund
from payments.selectors import balance_minor, money_of
from payments.services.collect import attempt_answer_record, payment_close
from payments.services.facts import id_in
from tests.factories import TESTER
from tests.factories.money import (
    CHANNEL,
    fresh_row,
    in_command,
    make_attempt,
    make_payment,
    say,
    shares_of,
)
from tests.payments.books import broken
from tests.threads import succeeded, together

pytestmark = pytest.mark.django_db


def close(payment: Payment) -> None:
    in_command(lambda: payment_close(reference=payment.reference, actor=TESTER, reason="timeout"))


def answer(attempt: Attempt, status: str, **members: Any) -> Attempt:
    given: dict[str, Any] = {
        "status": status,
        "amount_minor": attempt.amount_minor,
        "currency": attempt.currency,
        "ref": f"pay_{attempt.pk}",
        **members,
    }
    return attempt_answer_record(attempt_id=attempt.pk, answer=Answer(**given), actor=CHANNEL)


def test_a_capture_pays_and_rests_in_escrow_by_order() -> None:
    payment = make_payment(700, 300)
    attempt = say(make_attempt(payment), "captured")

    assert (attempt.status, attempt.channel_ref) == ("succeeded", f"pay_{attempt.pk}")
    payment = fresh_row(payment)
    assert (payment.status, payment.captured_minor) == ("captured", 1000)
    assert balance_minor("channel_clearing", "EUR") == 1000
    for share in shares_of(payment):
        assert balance_minor("escrow", "EUR", order_id=share.order_id) == -share.amount_minor
        assert balance_minor("escrow", "EUR", merchant_id=share.merchant_id) == -1000
    event = OutboxEvent.objects.get(type="payment.captured")
    assert event.payload["reference"] == str(payment.reference)
    assert event.payload["captured_minor"] == 1000
    assert broken() == []


def test_a_repeated_capture_is_quiet() -> None:
    payment = make_payment()
    attempt = make_attempt(payment)
    for origin in ("answer", "webhook", "query"):
        say(attempt, "captured", origin=origin)

    assert fresh_row(payment).captured_minor == payment.amount_minor
    assert ChannelFact.objects.count() == 1
    assert LedgerEntry.objects.count() == 2
    assert OutboxEvent.objects.filter(type="payment.captured").count() == 1


def test_money_for_a_closed_payment_is_booked_and_told() -> None:
    payment = make_payment()
    attempt = make_attempt(payment)
    close(payment)
    say(attempt, "closed")
    say(attempt, "captured")

    assert fresh_row(attempt).status == "succeeded"
    assert fresh_row(payment).status == "captured"
    assert balance_minor("escrow", "EUR") == -payment.amount_minor
    assert OutboxEvent.objects.filter(type="payment.captured").count() == 1


def test_a_second_capture_goes_back_at_once() -> None:
    payment = make_payment(700, 300)
    first = make_attempt(payment)
    say(first, "failed")
    second = make_attempt(payment)
    say(second, "captured")
    say(first, "captured")

    payment = fresh_row(payment)
    assert (payment.captured_minor, payment.refunded_minor) == (2000, 1000)
    refund = Refund.objects.get(payment=payment)
    assert (refund.status, refund.attempt, refund.amount_minor) == ("approved", first, 1000)
    assert refund.request_key == f"excess:{first.pk}"
    assert refund.reference == payment.reference
    assert [share.refunded_minor for share in shares_of(payment)] == [0, 0]
    assert OutboxEvent.objects.filter(type="payment.captured").count() == 1
    assert (money_of(payment.reference).captured_minor, refund.shares.get().order_id) == (
        1000,
        None,
    )
    assert broken() == []


def test_a_capture_asks_for_the_close_of_an_attempt_that_is_still_open() -> None:
    payment = make_payment()
    first = make_attempt(payment)
    say(first, "failed")
    second = make_attempt(payment)
    say(first, "captured")

    event = OutboxEvent.objects.get(type="payment.captured")
    assert event.payload["open_attempt_id"] == str(second.pk)


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"amount_minor": 9999}, "fact.amount"),
        ({"amount_minor": 10001}, "fact.amount"),
        ({"currency": "USD"}, "fact.amount"),
    ],
)
def test_a_wrong_amount_or_currency_is_never_paid(told: dict[str, object], code: str) -> None:
    payment = make_payment(10000)
    attempt = make_attempt(payment)

    with pytest.raises(Conflict) as refusal:
        say(attempt, "captured", **told)

    assert refusal.value.code == code
    assert fresh_row(attempt).status == "created"
    assert fresh_row(payment).status == "open"
    assert not ChannelFact.objects.exists()
    assert not LedgerEntry.objects.exists()


def test_one_reference_never_pays_two_attempts() -> None:
    first, second = make_attempt(make_payment()), make_attempt(make_payment())
    say(first, "captured", channel_ref="pay_1")

    with pytest.raises(Conflict) as refusal:
        say(second, "captured", channel_ref="pay_1")

    assert refusal.value.code == "fact.reference"
    assert fresh_row(second).status == "created"


def test_an_attempt_is_not_captured_twice_under_two_references() -> None:
    attempt = make_attempt(make_payment())
    say(attempt, "captured", channel_ref="pay_1")

    with pytest.raises(Conflict) as refusal:
        say(attempt, "captured", channel_ref="pay_2")

    assert refusal.value.code == "fact.twice"


def test_an_unknown_attempt_is_refused() -> None:
    attempt = make_attempt(make_payment())
    attempt.pk += 4096
    with pytest.raises(NotFound):
        say(attempt, "captured")


def test_a_promise_authorises_and_its_fall_closes() -> None:
    payment = make_payment()
    attempt = make_attempt(payment)

    assert say(attempt, "authorised").status == "processing"
    assert fresh_row(payment).status == "authorised"
    assert money_of(payment.reference).authorised_minor == payment.amount_minor

    say(attempt, "failed")
    assert fresh_row(payment).status == "closed"


@pytest.mark.django_db(transaction=True)
def test_the_same_capture_told_by_many_at_once_counts_once() -> None:
    payment = make_payment()
    attempt = make_attempt(payment)

    results = together(*[lambda: say(attempt, "captured")] * 8)

    assert {attempt.status for attempt in succeeded(results)} == {"succeeded"}
    assert fresh_row(payment).captured_minor == payment.amount_minor
    assert OutboxEvent.objects.filter(type="payment.captured").count() == 1
    assert broken() == []


@pytest.mark.django_db(transaction=True)
def test_captures_of_two_attempts_at_once_pay_once_and_refund_once() -> None:
    payment = make_payment()
    first = make_attempt(payment)
    say(first, "failed")
    second = make_attempt(payment)

    together(lambda: say(first, "captured"), lambda: say(second, "captured"))

    payment = fresh_row(payment)
    assert (payment.captured_minor, payment.refunded_minor) == (20000, 10000)
    assert Attempt.objects.filter(payment=payment, is_excess=True).count() == 1
    assert Refund.objects.filter(payment=payment).count() == 1
    assert broken() == []


@pytest.mark.django_db(transaction=True)
def test_capture_and_close_at_once_end_with_the_money_booked() -> None:
    payment = make_payment()
    attempt = make_attempt(payment)

    results = together(lambda: close(payment), lambda: say(attempt, "captured"))

    assert not [result for result in results if isinstance(result, Exception)]
    assert fresh_row(payment).status == "captured"
    assert broken() == []


def test_an_answer_that_asks_for_action_keeps_where_to_send_the_shopper() -> None:
    attempt = answer(
        make_attempt(make_payment()), "requires_action", action_url="http://pay.example/1"
    )

    attempt = fresh_row(attempt)
    assert (attempt.status, attempt.action_url) == ("requires_action", "http://pay.example/1")
    assert attempt.channel_ref == f"pay_{attempt.pk}"


def test_a_repeated_answer_is_quiet() -> None:
    attempt = make_attempt(make_payment())
    answer(attempt, "processing")
    version = fresh_row(attempt).version

    answer(attempt, "processing")

    assert fresh_row(attempt).version == version


def test_an_answer_that_is_slower_than_the_money_changes_nothing() -> None:
    attempt = make_attempt(make_payment())
    say(attempt, "captured")

    assert answer(attempt, "processing").status == "succeeded"
    assert answer(attempt, "requires_action").status == "succeeded"


def test_a_refusal_without_a_reference_is_kept_under_our_key() -> None:
    attempt = answer(
        make_attempt(make_payment()), "failed", ref="", failure_code="insufficient_funds"
    )

    assert (attempt.status, attempt.failure_code) == ("failed", "insufficient_funds")
    assert ChannelFact.objects.get().channel_ref == str(attempt.pk)


def test_the_reason_of_a_refusal_is_kept_when_its_notification_was_faster() -> None:
    attempt = make_attempt(make_payment())
    say(attempt, "failed")
    answer(attempt, "failed", failure_code="insufficient_funds")
    say(attempt, "closed")

    attempt = fresh_row(attempt)
    assert (attempt.status, attempt.failure_code) == ("closed", "insufficient_funds")


def test_an_answer_of_another_amount_is_refused() -> None:
    attempt = make_attempt(make_payment())
    with pytest.raises(Conflict):
        answer(attempt, "captured", amount_minor=1)
    assert fresh_row(attempt).status == "created"


def test_money_of_a_reference_without_payments_is_nothing() -> None:
    assert money_of(4096).captured_minor == 0


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        ("42", 42),
        ("42.3", 42),
        ("", 0),
        ("x", 0),
        ("-1", 0),
        ("²", 0),
        (str(2**63), 0),
        ("9" * 5000, 0),
    ],
)
def test_a_key_that_we_never_gave_is_nobodys(key: str, ours: int) -> None:
    assert id_in(key) == ours

"""A refund on its way: sent, arrived, failed, tried again."""

from typing import Any

import pytest

from core.errors import Conflict, Invalid, NotFound
from core.models import OutboxEvent
from payments.channels.base import Answer
from payments.models import ChannelFact, Refund
from payments.selectors import balance_minor
from payments.services.refund import refund_answer_record, refund_retry, refund_send
from tests.factories import TESTER
from tests.factories.money import (
    CHANNEL,
    accrue,
    fresh_row,
    make_captured,
    make_sent_refund,
    request_refund,
    say_of_refund,
    shares_of,
)
from tests.payments.books import broken

pytestmark = pytest.mark.django_db


def answer(refund: Refund, status: str, **members: Any) -> Refund:
    given: dict[str, Any] = {
        "amount_minor": refund.amount_minor,
        "currency": "EUR",
        "ref": "ref_1",
        **members,
    }
    return refund_answer_record(
        refund_id=refund.pk, answer=Answer(status=status, **given), actor=CHANNEL
    )


def test_sending_is_said_once_before_the_channel_is_called() -> None:
    refund = request_refund(make_captured(), 400)

    assert refund_send(refund_id=refund.pk, actor=TESTER).status == "sent"
    assert refund_send(refund_id=refund.pk, actor=TESTER).status == "sent"

    assert OutboxEvent.objects.filter(type="refund.sent").count() == 1


def test_a_refund_that_arrived_leaves_the_channels_account() -> None:
    payment = make_captured(1000)
    refund = say_of_refund(make_sent_refund(payment, 400), "refund_succeeded")

    assert refund.status == "succeeded"
    assert balance_minor("channel_clearing", "EUR") == 600
    assert balance_minor("refunds_in_flight", "EUR") == 0
    assert broken() == []


def test_answer_and_notification_of_one_refund_count_once() -> None:
    payment = make_captured(1000)
    refund = make_sent_refund(payment, 400)
    answer(refund, "succeeded", ref="ref_1")
    say_of_refund(refund, "refund_succeeded", channel_ref="ref_1")

    assert ChannelFact.objects.filter(refund=refund).count() == 1
    assert balance_minor("channel_clearing", "EUR") == 600


def test_an_answer_that_is_no_outcome_leaves_it_sent() -> None:
    refund = make_sent_refund(make_captured(), 400)
    assert answer(refund, "sent").status == "sent"


def test_a_failed_refund_is_refundable_again_and_the_money_is_back_in_escrow() -> None:
    payment = make_captured(1000)
    refund = answer(make_sent_refund(payment, 400), "failed", failure_code="account_closed")

    assert (refund.status, refund.failure_code) == ("failed", "account_closed")
    assert fresh_row(payment).refunded_minor == 0
    assert shares_of(payment)[0].refunded_minor == 0
    assert balance_minor("escrow", "EUR") == -1000
    assert balance_minor("refunds_in_flight", "EUR") == 0
    assert OutboxEvent.objects.filter(type="refund.failed").count() == 1
    assert broken() == []


def test_a_refund_that_fails_after_the_completion_restores_merchant_and_house() -> None:
    payment = make_captured(1000)
    accrue(payment, 100)
    say_of_refund(make_sent_refund(payment, 400), "refund_failed")

    assert balance_minor("merchant_payable", "EUR") == -900
    assert balance_minor("commission_income", "EUR") == -100
    assert broken() == []


def test_a_retry_goes_to_the_channel_under_a_new_key() -> None:
    payment = make_captured(1000)
    refund = make_sent_refund(payment, 400)
    assert refund.channel_key == str(refund.pk)
    say_of_refund(refund, "refund_failed")

    refund = refund_retry(refund_id=refund.pk, actor=TESTER)

    assert (refund.status, refund.channel_key) == ("approved", f"{refund.pk}.2")
    assert fresh_row(payment).refunded_minor == 400
    assert OutboxEvent.objects.filter(type="refund.approved").count() == 2
    refund = refund_send(refund_id=refund.pk, actor=TESTER)
    assert say_of_refund(refund, "refund_succeeded").status == "succeeded"
    assert balance_minor("channel_clearing", "EUR") == 600
    assert broken() == []


def test_a_retry_is_quiet_while_the_refund_is_on_its_way() -> None:
    refund = make_sent_refund(make_captured(), 400)
    assert refund_retry(refund_id=refund.pk, actor=TESTER).tries == 1
    assert OutboxEvent.objects.filter(type="refund.approved").count() == 1


def test_a_retry_is_refused_when_the_money_went_elsewhere() -> None:
    payment = make_captured(1000)
    refund = say_of_refund(make_sent_refund(payment, 600), "refund_failed")
    request_refund(payment, 500)

    with pytest.raises(Invalid) as refusal:
        refund_retry(refund_id=refund.pk, actor=TESTER)

    assert refusal.value.code == "refund.exceeds_captured"
    assert (fresh_row(refund).status, fresh_row(refund).tries) == ("failed", 1)
    assert broken() == []


def test_a_retry_that_was_not_needed_is_not_sent() -> None:
    payment = make_captured(1000)
    refund = say_of_refund(make_sent_refund(payment, 400), "refund_failed")
    refund_retry(refund_id=refund.pk, actor=TESTER)

    say_of_refund(refund, "refund_succeeded")

    refund = refund_send(refund_id=refund.pk, actor=TESTER)
    assert refund.status == "succeeded"
    assert balance_minor("channel_clearing", "EUR") == 600
    assert broken() == []


def test_a_refund_of_another_amount_is_refused() -> None:
    refund = make_sent_refund(make_captured(), 400)
    with pytest.raises(Conflict) as refusal:
        say_of_refund(refund, "refund_succeeded", amount_minor=401)
    assert refusal.value.code == "fact.amount"
    assert fresh_row(refund).status == "sent"


def test_an_unknown_refund_is_refused() -> None:
    with pytest.raises(NotFound):
        refund_send(refund_id=4096, actor=TESTER)

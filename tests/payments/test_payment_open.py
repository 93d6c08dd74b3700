"""Opening and closing a payment."""

import pytest

from core.errors import ProgrammingMistake
from core.models import OutboxEvent
from core.write import Write
from payments.models import Payment
from payments.services.collect import Share, payment_close, payment_open
from tests.factories import TESTER, make_merchant
from tests.factories.money import (
    GENE,
    fresh_row,
    in_command,
    make_attempt,
    make_captured,
    make_payment,
    shares_of,
)

pytestmark = pytest.mark.django_db


def close(payment: Payment) -> list[Payment]:
    return in_command(
        lambda: payment_close(reference=payment.reference, actor=TESTER, reason="timeout")
    )


def events(payment: Payment) -> list[OutboxEvent]:
    stream = {"stream__aggregate_type": "payment", "stream__aggregate_id": payment.pk}
    return list(OutboxEvent.objects.filter(**stream).order_by("seq"))


def test_a_payment_opens_with_a_share_per_order_and_says_so() -> None:
    payment = make_payment(7000, 3000)

    assert (payment.status, payment.amount_minor, payment.captured_minor) == ("open", 10000, 0)
    assert [share.amount_minor for share in shares_of(payment)] == [7000, 3000]
    [event] = events(payment)
    assert event.type == "payment.opened"
    assert event.payload["reference"] == str(payment.reference)


def test_a_payment_opens_in_the_one_statement_of_placing() -> None:
    merchant, write = make_merchant(), Write()

    def place() -> Payment:
        payment = payment_open(
            reference=GENE,
            shard_key=GENE,
            currency="EUR",
            amount_minor=500,
            shares=[Share(GENE, merchant.pk, 500)],
            actor=TESTER,
            write=write,
        )
        assert not Payment.objects.filter(pk=payment.pk).exists()
        assert not write.run()
        return payment

    payment = in_command(place)
    assert [share.amount_minor for share in shares_of(fresh_row(payment))] == [500]
    assert [event.type for event in events(payment)] == ["payment.opened"]


def test_shares_that_do_not_sum_to_the_amount_are_a_mistake() -> None:
    with pytest.raises(ProgrammingMistake):
        in_command(
            lambda: payment_open(
                reference=1,
                shard_key=GENE,
                currency="EUR",
                amount_minor=500,
                shares=[Share(1, 1, 499)],
                actor=TESTER,
            )
        )


def test_closing_names_the_attempt_that_its_channel_must_close_too() -> None:
    payment = make_payment()
    attempt = make_attempt(payment)

    assert close(payment) == []

    assert fresh_row(payment).status == "closed"
    assert events(payment)[-1].type == "payment.closed"
    assert events(payment)[-1].payload["open_attempt_id"] == str(attempt.pk)


def test_closing_twice_is_quiet() -> None:
    payment = make_payment()
    close(payment)
    told = len(events(payment))

    assert close(payment) == []
    assert len(events(payment)) == told
    assert events(payment)[-1].payload["open_attempt_id"] is None


def test_a_captured_payment_is_left_and_handed_back() -> None:
    payment = make_captured()

    assert close(payment) == [payment]
    assert fresh_row(payment).status == "captured"

"""Starting a try at a channel."""

import pytest
from django.db import IntegrityError

from core.errors import Conflict, Invalid, ProgrammingMistake
from core.models import OutboxEvent
from payments.models import Attempt
from payments.services.collect import attempt_start, payment_close
from tests.factories import TESTER
from tests.factories.money import (
    fresh_row,
    in_command,
    make_attempt,
    make_captured,
    make_payment,
    say,
)
from tests.threads import together

pytestmark = pytest.mark.django_db


def test_an_attempt_asks_for_the_whole_payment_and_is_told_in_its_stream() -> None:
    payment = make_payment(700, 300)
    attempt = make_attempt(payment)

    assert (attempt.status, attempt.amount_minor, attempt.currency) == ("created", 1000, "EUR")
    event = OutboxEvent.objects.get(type="attempt.started")
    assert event.stream.aggregate_id == payment.pk
    assert event.payload["attempt_id"] == str(attempt.pk)
    assert event.payload["reference"] == str(payment.reference)


def test_a_second_attempt_beside_an_open_one_is_refused() -> None:
    payment = make_payment()
    attempt = make_attempt(payment)

    with pytest.raises(Conflict) as refusal:
        make_attempt(payment)

    assert refusal.value.code == "payment.attempt_open"
    assert refusal.value.facts == {"attempt_id": str(attempt.pk)}


def test_the_database_itself_refuses_a_second_open_attempt() -> None:
    attempt = make_attempt(make_payment())
    copy = {field.attname: getattr(attempt, field.attname) for field in Attempt._meta.fields}

    with pytest.raises(IntegrityError, match="payments_attempt_one_open"):
        Attempt.objects.bulk_create([Attempt(**copy | {"id": attempt.id + 4096})])


def test_after_a_refusal_the_shopper_may_try_again() -> None:
    payment = make_payment()
    say(make_attempt(payment), "failed")

    assert make_attempt(payment).status == "created"


@pytest.mark.parametrize("kind", ["closed", "captured"])
def test_a_payment_that_is_not_open_takes_no_attempt(kind: str) -> None:
    payment = make_captured() if kind == "captured" else make_payment()
    if kind == "closed":
        in_command(
            lambda: payment_close(reference=payment.reference, actor=TESTER, reason="timeout")
        )

    with pytest.raises(Conflict) as refusal:
        make_attempt(payment)

    assert (refusal.value.code, refusal.value.facts) == ("payment.not_open", {"state": kind})


def test_an_unknown_channel_is_refused_by_name() -> None:
    with pytest.raises(Invalid) as refusal:
        make_attempt(make_payment(), channel="barter")
    assert refusal.value.code == "payment.channel_unknown"


def test_a_payment_that_is_not_locked_is_a_mistake() -> None:
    payment = fresh_row(make_payment())
    with pytest.raises(ProgrammingMistake):
        in_command(
            lambda: attempt_start(
                payment=payment,
                channel="sandbox",
                token="",
                expires_at=payment.status_changed_at,
                return_url="",
                actor=TESTER,
            )
        )


@pytest.mark.django_db(transaction=True)
def test_of_many_attempts_at_once_one_starts() -> None:
    payment = make_payment()

    results = together(*[lambda: make_attempt(payment)] * 8)

    refused = [result for result in results if isinstance(result, Conflict)]
    assert [error.code for error in refused] == ["payment.attempt_open"] * 7
    assert Attempt.objects.filter(payment=payment).count() == 1

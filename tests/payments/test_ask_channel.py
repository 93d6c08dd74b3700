"""Events become requests in the payment's own stream to its channel, in the order they happened."""

from collections.abc import Callable

import pytest

from core import relay
from core.models import OutboxEvent
from payments.channels.base import ChannelRefused
from payments.handlers import close_at_channel, create_at_channel, refund_at_channel
from payments.models import Payment
from payments.services.collect import payment_close
from tests.factories import TESTER
from tests.factories.money import (
    fresh_row,
    in_command,
    make_attempt,
    make_captured,
    make_payment,
    make_sent_refund,
    request_refund,
    say,
    say_of_refund,
)
from tests.payments.books import broken

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def handed_over() -> Callable[[], set[int]]:
    """Delivers the local events; answers the external streams that a worker would get."""

    def deliver() -> set[int]:
        streams: set[int] = set()
        while relay.deliver(streams.add):
            pass
        return streams

    return deliver


def requests(payment: Payment) -> list[tuple[str, int]]:
    stream = {"stream__aggregate_type": "channel", "stream__aggregate_id": payment.pk}
    events = OutboxEvent.objects.filter(**stream, stream__external=True).order_by("seq")
    return list(events.values_list("type", "object_id"))


def close(payment: Payment) -> None:
    in_command(lambda: payment_close(reference=payment.reference, actor=TESTER, reason="timeout"))


def test_a_start_and_a_close_reach_the_channel_in_their_order(
    handed_over: Callable[[], set[int]],
) -> None:
    payment = make_payment()
    attempt = make_attempt(payment)
    close(payment)

    assert len(handed_over()) == 1
    assert requests(payment) == [
        ("channel.create_requested", attempt.pk),
        ("channel.close_requested", attempt.pk),
    ]


def test_closing_without_an_open_attempt_asks_nothing(
    handed_over: Callable[[], set[int]],
) -> None:
    payment = make_payment()
    close(payment)

    assert handed_over() == set()
    assert requests(payment) == []


def test_an_attempt_that_another_capture_made_needless_is_closed(
    handed_over: Callable[[], set[int]],
) -> None:
    payment = make_payment()
    first = make_attempt(payment)
    say(first, "failed")
    second = make_attempt(payment)
    say(first, "captured")
    handed_over()

    assert requests(payment) == [
        ("channel.create_requested", first.pk),
        ("channel.create_requested", second.pk),
        ("channel.close_requested", second.pk),
    ]


@pytest.fixture
def refusing(stubborn: Callable[[int], None]) -> None:
    stubborn(403)


@pytest.mark.usefixtures("refusing")
def test_a_channel_that_refuses_the_charge_fails_the_attempt() -> None:
    attempt = make_attempt(make_payment())
    create_at_channel(attempt.pk)

    attempt = fresh_row(attempt)
    assert (attempt.status, attempt.failure_code) == ("failed", "forbidden")


@pytest.mark.usefixtures("refusing")
def test_a_channel_that_refuses_to_close_leaves_the_attempt_open() -> None:
    attempt = make_attempt(make_payment())
    with pytest.raises(ChannelRefused):
        close_at_channel(attempt.pk)

    assert fresh_row(attempt).status == "created"


@pytest.mark.usefixtures("refusing")
def test_a_channel_that_refuses_to_give_back_fails_the_refund() -> None:
    refund = request_refund(make_captured(1000), 400)
    refund_at_channel(refund.pk)

    refund = fresh_row(refund)
    assert (refund.status, refund.failure_code) == ("failed", "forbidden")
    assert broken() == []


@pytest.mark.usefixtures("refusing")
def test_what_has_ended_is_not_asked_for_again() -> None:
    attempt = say(make_attempt(make_payment()), "captured")
    refund = say_of_refund(make_sent_refund(attempt.payment, 400), "refund_succeeded")

    create_at_channel(attempt.pk)
    close_at_channel(attempt.pk)
    refund_at_channel(refund.pk)

    assert fresh_row(attempt).status == fresh_row(refund).status == "succeeded"


def test_refunds_follow_in_the_same_stream(handed_over: Callable[[], set[int]]) -> None:
    payment = make_captured(1000)
    refund = request_refund(payment, 400)

    assert len(handed_over()) == 1
    assert requests(payment)[1:] == [("channel.refund_requested", refund.pk)]

"""What the auditor leaves alone: news on their way, for a minute, and what a person has settled."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from core.models import EPOCH, OutboxEvent, OutboxIntervention, OutboxRoute, OutboxStream
from tests.audit.faults_kernel import hook
from tests.audit.plant import Ids, broken

pytestmark = pytest.mark.django_db

# Per view: a group, and what is wrong with its money.
MONEY = {
    "inv_13_group_against_money": ("late", "UPDATE payments_refund SET status = 'declined'"),
    "inv_13b_cancelled_order_refunded": (
        "returned",
        """
        UPDATE payments_refundshare SET amount_minor = amount_minor - 1
        WHERE refund_id IN (SELECT id FROM payments_refund WHERE payment_id = {returned_payment})
        """,
    ),
    "inv_14_overpaid": ("twice", "UPDATE payments_refund SET status = 'declined'"),
}
each_money_view = pytest.mark.parametrize(
    ("view", "name", "damage"), [(view, *given) for view, given in MONEY.items()], ids=MONEY
)


def execute(sql: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)


def stream_of(noun: str, name: str, ids: Ids) -> OutboxStream:
    """The stream of a walked group, of its payment, or of that payment's refund."""
    number = ids[name if noun == "order_group" else f"{name}_payment"]
    if noun == "refund":
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM payments_refund WHERE payment_id = %s", [number])
            [(number,)] = cursor.fetchall()
    return OutboxStream.objects.get(aggregate_type=noun, aggregate_id=number)


def hold_back(stream: OutboxStream, *, seconds: int) -> None:
    """The last event of the stream is that old and not delivered yet."""
    OutboxStream.objects.filter(pk=stream.pk).update(delivered_seq=stream.last_seq - 1)
    execute(
        "UPDATE core_outboxevent SET created_at = business_now() - %s WHERE stream_id = %s",
        timedelta(seconds=seconds),
        stream.pk,
    )


@each_money_view
@pytest.mark.parametrize("noun", ["order_group", "payment", "refund"])
def test_a_group_is_judged_when_its_news_have_had_their_minute(
    ids: Ids, view: str, name: str, damage: str, noun: str
) -> None:
    execute(damage.format(**ids))
    assert view in broken()

    hold_back(stream_of(noun, name, ids), seconds=50)
    assert view not in broken()
    assert view in broken(final=True)

    hold_back(stream_of(noun, name, ids), seconds=70)
    assert view in broken()


@each_money_view
def test_the_news_of_others_excuse_nobody(ids: Ids, view: str, name: str, damage: str) -> None:
    execute(damage.format(**ids))
    hold_back(stream_of("order_group", "pending", ids), seconds=50)
    hold_back(OutboxStream.objects.get(aggregate_id=ids[f"{name}_order1"]), seconds=50)

    assert view in broken()


def test_an_event_has_a_minute_to_be_delivered(ids: Ids) -> None:
    view, stream = {"inv_21_outbox_undelivered"}, stream_of("order_group", "pending", ids)

    hold_back(stream, seconds=50)
    assert broken() == set()
    assert broken(final=True) == view

    hold_back(stream, seconds=70)
    assert broken() == view


def test_a_group_has_a_minute_to_expire(ids: Ids) -> None:
    untold = {"inv_17b_told_fields"}  # no step has moved the deadline
    view = {"inv_20_unpaid_overdue"}
    overdue = "UPDATE orders_ordergroup SET pay_before = business_now() - %s WHERE id = %s"

    execute(overdue, timedelta(seconds=50), ids["pending"])
    assert broken() == untold
    assert broken(final=True) == untold | view

    execute(overdue, timedelta(seconds=70), ids["pending"])
    assert broken() == untold | view


@pytest.mark.parametrize(
    ("channel", "key", "age"),
    [
        ("sandbox", "(SELECT max(id) FROM payments_attempt)", "4 minutes"),
        ("carrier", "(SELECT max(id) FROM delivery_shipment)", "4 minutes"),
        ("sandbox", "4096", "10 minutes"),
        ("sandbox", "'9999999999999999999'", "10 minutes"),
        ("sandbox", "'not ours'", "10 minutes"),
    ],
)
def test_a_notification_has_minutes_to_be_processed(
    ids: Ids, channel: str, key: str, age: str
) -> None:
    execute(hook(channel, key, age))

    assert broken() == set()


def test_a_notification_waits_in_the_inbox_not_in_the_outbox(ids: Ids) -> None:
    hold_back(OutboxStream.objects.get(aggregate_type="hook"), seconds=3600)

    assert broken() == set()


def test_an_event_that_a_person_has_skipped_needs_no_effect(ids: Ids) -> None:
    stream = stream_of("payment", "paid", ids)
    [event] = OutboxEvent.objects.filter(stream=stream, type="payment.captured")
    execute("DELETE FROM core_inboxeffect WHERE event_id = %s", event.pk)
    assert broken() == {"inv_22_effect_missing"}

    OutboxIntervention.objects.create(
        stream_id=stream.pk, event_id=event.pk, action="skip", reason="known", at=EPOCH
    )
    assert broken() == set()


def test_a_new_consumer_owes_nothing_for_what_was_before_it(ids: Ids) -> None:
    route = OutboxRoute.objects.create(type="order.paid", consumer="new", since=EPOCH)
    assert broken() == {"inv_22_effect_missing"}

    execute("UPDATE core_outboxroute SET since = business_now() WHERE id = %s", route.pk)
    assert broken() == set()

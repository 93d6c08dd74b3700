"""Processes that die at the worst moment: they have acted, and have not yet written it down."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core import audit, relay
from core.models import OutboxEvent, OutboxStream, StateChange
from orders.management.replay.look import undelivered_events
from orders.models import OrderGroup
from orders.services.cancel import order_group_cancel
from payments.channels import sandbox as sandbox_channel
from payments.models import Refund
from payments.tasks import ask_after_attempt
from tests.factories.story import (
    BUYER,
    capture,
    fresh_row,
    make_group,
    payment_of,
    start_payment,
)
from tests.faults.blows import money_here, money_there, one_each
from tests.faults.shop import RunningShop, own_place, running

pytestmark = pytest.mark.django_db(transaction=True)

CRASHED = "exitcode 137"


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[RunningShop]:
    """The payment sandbox alone."""
    with own_place(tmp_path), running(tmp_path, "payment-sandbox") as bank:
        bank.until(lambda: bank.works("payment-sandbox"))
        yield bank
        sandbox_channel._client().close()
        sandbox_channel._client.cache_clear()


def test_what_the_channel_did_before_a_worker_died_is_found_by_its_key(bank: RunningShop) -> None:
    cancelled = pay_in_this_process()
    order_group_cancel(group_id=cancelled.pk, actor=BUYER, reason="mind")
    attempt = start_payment(make_group())

    with running(bank.folder, "relay", "worker", CRASH_AT="after_channel_before_commit") as dying:
        dying.until(lambda: len(money_there(bank.folder)) == 3)  # two captures and a refund
        dying.until(lambda: dying.log("worker").count(CRASHED) >= 4)
    assert len(money_here()) == 1
    assert fresh_row(attempt).status == "created"
    assert Refund.objects.get().status == "sent"

    with running(bank.folder, "relay", "worker") as healthy:
        healthy.until(lambda: not undelivered_events())
    assert fresh_row(attempt).status == "succeeded"
    assert Refund.objects.get().status == "succeeded"
    assert money_here() == money_there(bank.folder)
    assert len(money_here()) == 3
    assert audit.run(final=True) == []


def pay_in_this_process() -> OrderGroup:
    """A group whose money the sandbox has, with nobody else at work."""
    group = make_group()
    attempt = start_payment(group)
    deliver_all()
    ask_after_attempt(attempt.pk)
    deliver_all()
    assert fresh_row(group).status == "paid"
    return group


def deliver_all() -> None:
    while relay.deliver(relay.deliver_external):
        pass


def test_what_a_relay_did_before_it_died_is_not_done_again(tmp_path: Path) -> None:
    paid, late = make_group(), make_group()
    attempts = [start_payment(group) for group in (paid, late)]
    order_group_cancel(group_id=late.pk, actor=BUYER, reason="mind")
    for attempt in attempts:
        capture(attempt)
    told = stream_of(paid)

    with own_place(tmp_path):
        with running(tmp_path, "relay", CRASH_AT="relay_before_advance") as dying:
            dying.until(lambda: dying.deaths("relay"))
            assert fresh_row(paid).status == "paid"
            [refund] = Refund.objects.all()
            assert stream_of(paid).delivered_seq == told.delivered_seq == 0
            first_claim = stream_of(paid).lease_token
            dying.until(lambda: stream_of(paid).lease_token != first_claim)
            deaths = dying.deaths("relay")
            dying.until(lambda: dying.deaths("relay") > deaths)
        with running(tmp_path, "relay") as healthy:
            healthy.until(lambda: not undelivered_here())

    assert verbs_of(paid.pk) == ["place", "pay", "amend"]
    assert verbs_of(late.pk) == ["place", "cancel", "amend"]
    assert verbs_of(refund.pk) == ["request", "approve"]
    assert Refund.objects.count() == 1
    asked = OutboxEvent.objects.filter(stream__aggregate_type="channel")
    assert one_each(asked.values_list("stream_id", "type"))
    assert audit.run() == []


def stream_of(group: OrderGroup) -> OutboxStream:
    return OutboxStream.objects.get(aggregate_type="payment", aggregate_id=payment_of(group).pk)


def undelivered_here() -> int:
    local = OutboxStream.objects.filter(external=False)
    return sum(last - done for last, done in local.values_list("last_seq", "delivered_seq"))


def verbs_of(object_id: int) -> list[str]:
    return list(
        StateChange.objects.filter(object_id=object_id)
        .order_by("seq")
        .values_list("verb", flat=True)
    )

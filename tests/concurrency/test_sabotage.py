"""Every guard is switched off once: then the race or the fault that it stands against appears.

A lock reads without locking, a condition is struck out of its statement. With the guard in place
the same two parties meet at the same moment, and nothing happens. Constraints stand in
`test_sabotage_rows.py`, the stock's condition in `test_oversell.py`.
"""

import inspect
from collections.abc import Iterator
from datetime import datetime
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import F

import core.locks
import delivery.locks
import inventory.locks
import orders.locks
import payments.locks
from core import alarms, clock, fsm, idempotency, monitor, relay
from core.command import command
from core.errors import ProgrammingMistake
from core.fsm import Stateful
from core.idempotency import idempotent
from core.ids import Issuer, decode, lease
from core.ids.lease import STALE_SECONDS
from core.models import Alarm, Heartbeat, IdempotencyKey, OutboxStream
from core.monitor import Level, Reading
from payments.models import Payment, Refund
from payments.services import refund as refunds
from tests.concurrency import bank_scenes, races, scenes
from tests.concurrency.interleave import NEVER, Stage, stage
from tests.concurrency.races import Race, switch_off
from tests.concurrency.scenes import World
from tests.core import test_idempotency as keyed
from tests.core.id_leases import age, lease_table
from tests.core.outbox_parts import consume, registry, stream, tell_each
from tests.factories import TESTER
from tests.factories.money import make_captured, request_refund
from tests.factories.story import fresh_row

pytestmark = pytest.mark.django_db(transaction=True)

TAKE_BACK = Race(races.shipped_line, races.take_back, races.take_back, races.more_than_left)
SCAN = Race(races.parcel_on_its_way, races.scan, races.scan, races.none)
CALL_OFF = Race(scenes.unpaid, scenes.cancel, scenes.expire, races.harm_of_group)
HEAR = Race(scenes.unpaid, scenes.ask_at_return, scenes.be_notified, races.harm_of_group)

LOCKS: dict[str, tuple[ModuleType, Race]] = {
    "lock_cart": (
        orders.locks,
        Race(races.basket, races.place, races.place, races.placed_twice),
    ),
    "lock_open_cart": (orders.locks, Race(races.basket, races.add_to, races.place, races.differs)),
    "lock_cart_of_checkout": (
        orders.locks,
        Race(races.checkout, races.complete, races.add_to, races.differs),
    ),
    "lock_carts": (
        orders.locks,
        Race(races.guests_basket, races.log_in, races.place, races.differs),
    ),
    "lock_group": (orders.locks, CALL_OFF),
    "lock_group_with_orders": (orders.locks, CALL_OFF),
    "lock_order": (
        orders.locks,
        Race(scenes.packing, scenes.ship, scenes.ship, races.harm_of_group),
    ),
    "lock_pending_groups": (
        orders.locks,
        Race(races.untried, races.cancel_untried, races.expire_batch, races.none),
    ),
    "lock_cancel_request": (
        orders.locks,
        Race(races.asked_to_cancel, races.approve, races.decline, races.none),
    ),
    "lock_voucher": (
        orders.locks,
        Race(races.baskets_of_one, races.place_first, races.place_second, races.used_twice),
    ),
    "lock_payments": (
        payments.locks,
        Race(scenes.unpaid, races.start_again, scenes.ask_at_return, races.harm_of_group),
    ),
    "lock_payments_of": (
        payments.locks,
        Race(races.tried_in_vain, scenes.expire, scenes.ask_at_return, races.harm_of_group),
    ),
    "lock_attempt": (payments.locks, HEAR),
    "lock_capture": (
        payments.locks,
        Race(races.asked_capture, races.hear_of_capture, races.hear_of_capture, races.none),
    ),
    "lock_refund": (
        payments.locks,
        Race(races.sent_refund, races.hear_of_refund, races.hear_of_refund, races.none),
    ),
    "lock_payee": (
        payments.locks,
        Race(races.merchant_who_has_sold, races.open_statement, races.open_statement, races.none),
    ),
    "lock_statement": (
        payments.locks,
        Race(races.due_statement, races.close_statement, races.close_statement, races.none),
    ),
    "lock_payout": (
        payments.locks,
        Race(races.large_payout, races.approve_first, races.approve_second, races.never_leaves),
    ),
    "lock_difference": (
        payments.locks,
        Race(races.differing_fee, races.accept_fee, races.accept_fee, races.none),
    ),
    "lock_line_match": (
        payments.locks,
        Race(bank_scenes.new_line, bank_scenes.match, bank_scenes.match, races.none),
    ),
    "lock_transfer": (
        payments.locks,
        Race(bank_scenes.unsent, bank_scenes.send, bank_scenes.send, races.none),
    ),
    "lock_history": (inventory.locks, TAKE_BACK),
    "lock_shipment": (delivery.locks, SCAN),
    "lock_shipments": (
        delivery.locks,
        Race(races.prepared, races.give_up, races.give_away, races.none),
    ),
}
NO_RACE = {
    "lock_resting": "everyone who takes it holds the attempt's lock; it marks rows for fire()",
    "lock_orders_of": "everyone who takes it holds the groups' locks",
    "lock_vouchers_of": "it keeps the order of locks; uses are given back by a condition",
    "lock_open_requests": "everyone who takes it holds the orders' locks",
    "lock_alarms": "test_without_the_lock_two_monitors_open_an_alarm_twice",
    "lock_chargeback": "whoever takes it holds the lock of its attempt",
    "lock_credit": "the balance moves by a condition; the lock is taken in time, against rings",
    "lock_credit_beside": "whoever takes it holds the lock of the attempt's payment",
    "lock_refunds": "whoever takes it holds the locks of all payments of the group",
    "lock_reservations": "everyone who takes it holds the group's lock; it marks rows for fire()",
    "locked": "what all of them take their locks with",
    "require_locked": "test_a_step_of_a_row_that_is_not_locked_is_refused",
    "mark_born": "nobody else can see the row yet",
}


@pytest.fixture
def place(transactional_db: None) -> Iterator[tuple[Stage, World]]:
    with stage() as made:
        yield made, World.made()


@pytest.mark.parametrize("name", LOCKS)
def test_without_the_lock_the_race_is_lost_and_with_it_is_not(
    name: str, place: tuple[Stage, World]
) -> None:
    module, race = LOCKS[name]

    with pytest.MonkeyPatch.context() as sabotage:
        switch_off(sabotage, module, name)
        at, harm = first_harm(race, *place)

    assert harm
    assert race.run(*place, at=at)[0] == "", harm


def first_harm(race: Race, stage: Stage, world: World) -> tuple[int, str]:
    """The first pause in which harm is done, and what harm."""
    for at in range(1, NEVER):
        harm, is_pause = race.run(stage, world, at=at)
        if harm or not is_pause:
            return at, harm
    raise AssertionError("a transaction ends")


def test_every_lock_is_switched_off_here() -> None:
    modules = (core.locks, orders.locks, payments.locks, inventory.locks, delivery.locks)
    functions = {
        name
        for module in modules
        for name, _ in inspect.getmembers(module, inspect.isfunction)
        if name.startswith("lock") or module is core.locks
        if inspect.getmodule(getattr(module, name)) is module
    }
    assert functions == set(LOCKS) | set(NO_RACE)


# The guards that are no locks.


@pytest.fixture
def outbox(transactional_db: None) -> Iterator[list[int]]:
    """A stream with one event, and a consumer that remembers each call."""
    calls: list[int] = []
    with registry():
        consume("count", lambda event: calls.append(event.seq))
        tell_each(1, 1)
        yield calls


def tell_again(outbox: list[int]) -> int:
    """A relay that died before it advanced: the next one tells it all once more."""
    relay.deliver(print)
    OutboxStream.objects.update(delivered_seq=0)
    relay.deliver(print)
    return len(outbox)


def test_without_the_inbox_a_consumer_acts_twice(
    outbox: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "DONE", "SELECT unnest(%(events)s::uuid[]) AS event_id")
    assert tell_again(outbox) == 2


def test_with_the_inbox_a_consumer_acts_once(outbox: list[int]) -> None:
    assert tell_again(outbox) == 1


FENCE = "AND lease_token = %(token)s AND lease_until > clock_timestamp()"


def moved_by_a_relay_that_lost_its_lease(outbox: list[int]) -> int:
    consume("overtake", lambda _: OutboxStream.objects.update(lease_token=uuid4()))
    relay.deliver(print)
    return stream().delivered_seq


def test_without_the_fence_a_relay_moves_a_stream_that_it_has_lost(
    outbox: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "STILL_MINE", struck_out(relay.STILL_MINE, FENCE))
    assert moved_by_a_relay_that_lost_its_lease(outbox) == 1


def test_with_the_fence_a_relay_leaves_a_stream_that_it_has_lost(outbox: list[int]) -> None:
    assert moved_by_a_relay_that_lost_its_lease(outbox) == 0


def struck_out(sql: str, condition: str) -> str:
    assert sql.count(condition) == 1
    return sql.replace(condition, "")


def node_is_kept_after_another_took_it() -> bool:
    """A process that could not renew for long asks for an id again."""
    with lease_table() as leases:
        issuer = Issuer()
        node = decode(issuer.new_id(5)).node
        leases.execute("UPDATE core_idlease SET holder = 'another' WHERE node_id = %s", [node])
        age(issuer, STALE_SECONDS + 1)
        is_kept = decode(issuer.new_id(5)).node == node
        issuer.release()
    return is_kept


def test_without_the_holder_in_renewing_two_processes_share_a_node(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW", struck_out(lease.RENEW, "AND holder = %(holder)s"))
    assert node_is_kept_after_another_took_it()


def test_with_the_holder_in_renewing_the_node_is_the_others(db: None) -> None:
    assert not node_is_kept_after_another_took_it()


KEYED = Race(
    lambda _: keyed.request(),
    lambda request: idempotent(request, keyed.add_heart, keyed.refusal),
    lambda request: idempotent(request, keyed.add_heart, keyed.refusal),
    lambda _: "" if Heartbeat.objects.count() == 1 else "two effects",
)


def test_without_advisory_lock_and_unique_key_a_request_has_two_effects(
    place: tuple[Stage, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, world = place
    monkeypatch.setattr(idempotency, "_lock", lambda _: None)
    *_, once = IdempotencyKey._meta.constraints
    assert "core_idempotencykey_once" in KEYED.run(stage, world, at=2)[0]  # one alone still holds

    with connection.schema_editor() as editor:
        editor.remove_constraint(IdempotencyKey, once)
    try:
        Heartbeat.objects.all().delete()
        assert KEYED.run(stage, world, at=2)[0] == "two effects"
    finally:
        IdempotencyKey.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(IdempotencyKey, once)


def test_with_them_it_has_one(place: tuple[Stage, World]) -> None:
    assert KEYED.run(*place, at=2)[0] == ""


def test_without_lock_and_condition_the_numbered_step_is_the_last_guard_of_a_state(
    place: tuple[Stage, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lock off: the condition of the UPDATE cries. That off, too: two steps with one number."""
    switch_off(monkeypatch, orders.locks, "lock_group_with_orders")
    at, harm = first_harm(CALL_OFF, *place)
    assert "OrderGroup were pending_payment" in harm

    monkeypatch.setattr(fsm, "_update", update_blindly)
    assert "core_statechange_seq" in CALL_OFF.run(*place, at=at)[0]


def update_blindly(
    rows: list[Stateful], _status: str, moment: datetime, fields: dict[str, Any]
) -> None:
    """As `fsm._update`, whatever the state in the database is by now."""
    new = {**fields, "status": rows[0].status, "status_changed_at": moment}
    ids = [row.id for row in rows]
    type(rows[0])._default_manager.filter(id__in=ids).update(version=F("version") + 1, **new)


TWO_REFUNDS = Race(
    lambda _: make_captured(10_000),
    lambda payment: request_refund(payment, 6_000),
    lambda payment: request_refund(payment, 6_000),
    races.none,
)


def test_without_lock_and_condition_the_counters_bounds_stop_a_refund_too_much(
    place: tuple[Stage, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lock off: the condition refuses. That off, too: the constraint cries."""
    switch_off(monkeypatch, payments.locks, "lock_payments")
    with monkeypatch.context() as sabotage:
        sabotage.setattr(refunds, "_count", count_blindly)
        at, harm = first_harm(TWO_REFUNDS, *place)
    assert "payments_payment_refund_bounds" in harm

    assert TWO_REFUNDS.run(*place, at=at)[0] == ""
    payment = Payment.objects.latest("pk")
    assert payment.refunded_minor == 6_000


def count_blindly(refund: Refund, sign: int) -> None:
    """As `_count` moves the payment's counter, whatever it holds by now."""
    minor = F("refunded_minor") + sign * refund.amount_minor
    Payment.objects.filter(pk=refund.payment_id).update(refunded_minor=minor)


def find_trouble(_: object) -> None:
    reading = Reading(monitor.conditions["S1"], clock.now(), Level.WARN, 1, None)
    alarms.alarms_keep(readings=[reading], actor=TESTER)


TWO_MONITORS = Race(lambda _: Alarm.objects.all().delete(), find_trouble, find_trouble, races.none)


def test_without_the_lock_two_monitors_open_an_alarm_twice(
    place: tuple[Stage, World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lock off: the constraint cries."""
    with monkeypatch.context() as sabotage:
        sabotage.setattr(alarms, "lock_alarms", lambda: None)
        at, harm = first_harm(TWO_MONITORS, *place)
    assert "core_alarm_open_once" in harm

    assert TWO_MONITORS.run(*place, at=at)[0] == ""
    assert Alarm.objects.count() == 1


def test_a_step_of_a_row_that_is_not_locked_is_refused(place: tuple[Stage, World]) -> None:
    group = scenes.unpaid(place[1]).group

    @command
    def fire_unlocked() -> None:
        fsm.fire(fresh_row(group), verb="amend", actor=TESTER)

    with pytest.raises(ProgrammingMistake, match="not locked"):
        fire_unlocked()

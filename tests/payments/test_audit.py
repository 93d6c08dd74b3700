"""Every invariant of the money catches the fault that is planted against it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from core import clock
from core.ids import new_id
from core.models import Hook
from payments.models import Attempt
from tests.factories.money import (
    accrue,
    make_attempt,
    make_captured,
    make_payment,
    make_sent_refund,
    request_refund,
    say,
    say_of_refund,
)
from tests.payments.books import MINE, broken, rows_of

pytestmark = pytest.mark.django_db

PLANTED = {
    "inv_06_ledger_zero": "DELETE FROM payments_ledgerentry WHERE id = {entry}",
    "inv_07_ledger_currency": "UPDATE payments_ledgerentry SET currency = 'USD' WHERE id = {entry}",
    "inv_08_ledger_book_zero": "UPDATE payments_ledgerentry SET amount_minor = amount_minor + 1"
    " WHERE id = {entry}",
    "inv_09_account_floor": "UPDATE payments_ledgeraccount SET min_balance_minor = 10000"
    " WHERE code = 'escrow'",
    "inv_10_capture_refund_bounds": "UPDATE payments_channelfact SET amount_minor = 1"
    " WHERE kind = 'captured'",
    "inv_11_channel_ref_once": "INSERT INTO payments_channelfact SELECT id + 1, shard_key + 1,"
    " channel, kind, amount_minor, currency, channel_ref, origin, at, attempt_id, refund_id"
    " FROM payments_channelfact LIMIT 1",
    "inv_12_money_currency": "UPDATE payments_refund SET currency = 'USD'",
    "inv_15_money_in_ledger": "UPDATE payments_ledgertransaction SET ref = 'fact:0'"
    " WHERE kind = 'refund'",
    "inv_30_unknown_outcome": "UPDATE payments_refund SET status_changed_at ="
    " status_changed_at - interval '16 minutes' WHERE status = 'sent'",
    "payments_01_counters": "UPDATE payments_payment SET refunded_minor = refunded_minor + 1",
    "payments_02_fold": "UPDATE payments_attempt SET status = 'failed'",
    "payments_03_parts": "UPDATE payments_refundshare SET amount_minor = amount_minor + 1",
    "payments_04_in_flight": "UPDATE payments_refund SET status = 'succeeded'"
    " WHERE status = 'sent'",
    "payments_05_escrow": "UPDATE payments_ledgerentry SET order_id = order_id + 4096"
    " WHERE account_id = 'escrow:EUR' AND amount_minor < 0",
    "payments_06_credit": "INSERT INTO payments_creditaccount (id, shard_key, customer_id,"
    " currency, balance_minor) SELECT id, shard_key, 1, 'EUR', 1 FROM payments_payment LIMIT 1",
    "payments_07_chargebacks": "UPDATE payments_payment SET charged_back_minor = 1"
    " WHERE captured_minor > refunded_minor",
}
MORE = {
    "inv_06_ledger_zero": "DELETE FROM payments_ledgerentry",
    "inv_10_capture_refund_bounds": "UPDATE payments_attempt SET amount_minor = 9999",
    "inv_12_money_currency": "UPDATE payments_channelfact SET currency = 'USD'",
    "inv_15_money_in_ledger": "UPDATE payments_ledgerentry SET amount_minor = amount_minor + 1"
    " WHERE account_id = 'channel_clearing:EUR'",
    "payments_01_counters": "UPDATE payments_paymentshare SET refunded_minor = 0",
    "payments_02_fold": "UPDATE payments_payment SET status = 'open'",
    "payments_03_parts": "UPDATE payments_paymentshare SET amount_minor = amount_minor + 1",
    "payments_04_in_flight": "UPDATE payments_ledgerentry SET amount_minor = amount_minor - 1"
    " WHERE account_id = 'refunds_in_flight:EUR'",
    "payments_05_escrow": "UPDATE payments_ledgerentry SET amount_minor = amount_minor + 10000"
    " WHERE account_id = 'escrow:EUR' AND amount_minor > 0",
}


@pytest.fixture
def _books() -> None:
    """Money in every corner: captured, partly back, on its way back, completed, failed."""
    payment = make_captured(7000, 3000)
    say_of_refund(make_sent_refund(payment, 1000), "refund_succeeded")
    make_sent_refund(payment, 2000)
    accrue(payment, 300, share=1)
    say_of_refund(make_sent_refund(payment, 500), "refund_failed")
    request_refund(payment, 100)


@pytest.mark.usefixtures("_books")
def test_good_books_break_nothing() -> None:
    assert len(MINE) == 17
    assert broken() == []


@pytest.mark.usefixtures("_books")
@pytest.mark.parametrize(
    ("name", "fault"), [*PLANTED.items(), *MORE.items()], ids=[*PLANTED, *(f"{n}+" for n in MORE)]
)
def test_a_planted_fault_is_found_by_its_view(name: str, fault: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM payments_ledgerentry WHERE account_id = 'escrow:EUR'")
        [entry] = cursor.fetchone()
        cursor.execute(fault.format(entry=entry))

    assert rows_of(name)


def test_every_view_has_its_fault() -> None:
    assert set(PLANTED) | {"inv_26_webhook_stuck"} == set(MINE)


def about_an_attempt(attempt: Attempt) -> bytes:
    return b'{"key": "%d"}' % attempt.pk


def about_nothing(_: Attempt) -> bytes:
    return b'{"key": "99999999999999999999999"} \x00\xff'


@pytest.mark.parametrize(
    ("body", "minutes", "found"),
    [
        (about_an_attempt, 4, False),
        (about_an_attempt, 6, True),
        (about_nothing, 6, False),
        (about_nothing, 12, True),
    ],
)
def test_a_notification_that_nobody_processes_is_found(
    body: Callable[[Attempt], bytes], minutes: int, found: bool
) -> None:
    received_at = clock.now() - timedelta(minutes=minutes)
    payload = body(make_attempt(make_payment()))
    Hook.objects.create(
        id=new_id(0), channel="sandbox", event_id="1", payload=payload, received_at=received_at
    )
    assert bool(rows_of("inv_26_webhook_stuck")) == found


def test_an_attempt_whose_outcome_stays_unknown_is_found_unless_it_was_promised() -> None:
    attempts = [make_attempt(make_payment()) for _ in range(2)]
    say(attempts[0], "authorised")
    Attempt.objects.update(status_changed_at=clock.now() - timedelta(minutes=16))
    assert not rows_of("inv_30_unknown_outcome")

    with connection.cursor() as cursor:
        cursor.execute("UPDATE payments_attempt SET status = 'processing'")
    assert [row[1] for row in rows_of("inv_30_unknown_outcome")] == [attempts[1].pk]

"""Every invariant of the money catches the fault that is planted against it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from core import clock
from core.ids import new_id
from core.models import Hook
from payments.models import Attempt, ChannelRecord, LineMatch, ReconciliationRun
from payments.services.bank import line_match
from payments.services.bank_import import statement_import
from payments.services.day import day_certify
from payments.services.difference import fee_legs
from payments.services.ledger import post
from tests.audit.faults_settlement import SETTLEMENT
from tests.factories import TESTER
from tests.factories.bank import FINANCE, line, statement
from tests.factories.money import (
    accrue,
    in_command,
    make_attempt,
    make_captured,
    make_payment,
    make_sent_refund,
    request_refund,
    say,
    say_of_refund,
)
from tests.payments.books import MINE, broken, rows_of
from tests.payments.lists import RECON, listed, movement_of

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
    "inv_29_recon": "UPDATE payments_channelrecord SET amount_minor = amount_minor + 1",
    "inv_30_unknown_outcome": "UPDATE payments_refund SET status_changed_at ="
    " status_changed_at - interval '16 minutes' WHERE status = 'sent'",
    "payments_01_counters": "UPDATE payments_payment SET refunded_minor = refunded_minor + 1",
    "payments_02_fold": "UPDATE payments_attempt SET status = 'failed'",
    "payments_03_parts": "UPDATE payments_refundshare SET amount_minor = amount_minor + 1",
    "payments_04_in_flight": "UPDATE payments_refund SET status = 'succeeded'"
    " WHERE status = 'sent'",
    "payments_05_escrow": "UPDATE payments_ledgerentry SET order_id = order_id + 4096"
    " WHERE account_id = 'escrow:EUR' AND amount_minor < 0",
    "payments_11_unapplied": "UPDATE payments_bankline SET amount_minor = amount_minor + 1",
    "payments_12_lines": "UPDATE payments_linematch SET applied_minor = 1",
    "payments_13_receipts_of_captures": "UPDATE payments_channelfact SET channel = 'bank_transfer'"
    " WHERE kind = 'captured'",
    "payments_16_channel_fees": "UPDATE payments_channelrecord SET fee_minor = fee_minor + 1",
    "payments_17_certificates": "UPDATE payments_reconciliationtotal SET"
    " difference_minor = difference_minor + 1, channel_gross_minor = channel_gross_minor + 1",
    "payments_18_split": "UPDATE payments_ledgerentry SET amount_minor = amount_minor - 1"
    " WHERE account_id = 'merchant_payable:EUR'",
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
    "inv_29_recon": "UPDATE payments_channelrecord SET currency = 'USD'",
    "payments_16_channel_fees": "DELETE FROM payments_channelrecord",
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
    """Money in every corner: captured, partly back, on its way back, completed, failed, listed."""
    payment = make_captured(7000, 3000)
    attempt = payment.attempts.get()
    listed(attempt)
    report = [movement_of(attempt)]
    day_certify(channel="sandbox", day=clock.now().date(), report=report, actor=RECON)
    say_of_refund(make_sent_refund(payment, 1000), "refund_succeeded")
    make_sent_refund(payment, 2000)
    accrue(payment, 300, share=1)
    say_of_refund(make_sent_refund(payment, 500), "refund_failed")
    request_refund(payment, 100)
    take_line()


def take_line() -> None:
    """Money at the bank that nobody knows."""
    content = statement(line(700, "for nothing"))
    statement_import(name="a.csv", content=content, actor=FINANCE)
    line_match(match_id=LineMatch.objects.get().pk, actor=TESTER)


@pytest.mark.usefixtures("_books")
def test_good_books_break_nothing() -> None:
    assert len(MINE) == 31
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
    assert {*PLANTED, *SETTLEMENT, "inv_26_webhook_stuck"} == set(MINE)


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


@pytest.mark.parametrize(("days", "found"), [(0, []), (1, []), (2, ["only here"])])
def test_what_is_booked_and_was_never_listed_is_found_when_the_window_is_over(
    days: int, found: list[str]
) -> None:
    first = clock.now()
    make_captured(1000)
    ReconciliationRun.objects.bulk_create(
        ReconciliationRun.build(
            0,
            channel="sandbox",
            since=first,
            until=first + timedelta(days=day),
            records=0,
            actor="test",
        )
        for day in range(days + 1)
    )
    assert [row[3] for row in rows_of("inv_29_recon")] == found


def test_what_is_listed_and_not_booked_is_found_unless_it_is_in_the_queue() -> None:
    attempt = make_attempt(make_payment(1000))
    listed(attempt, key="typo")
    assert not rows_of("inv_29_recon")
    record = ChannelRecord.objects.get()
    ChannelRecord.objects.filter(pk=record.pk).update(ref="another")
    assert [row[3] for row in rows_of("inv_29_recon")] == ["only there"]


def test_a_fee_of_no_row_is_found() -> None:
    payment = make_captured(1000)
    in_command(
        lambda: post(
            shard_key=payment.shard_key,
            kind="channel_fee",
            ref="difference:4096",
            legs=fee_legs(5, currency="EUR", channel="sandbox"),
            actor=RECON,
        )
    )
    assert len(rows_of("payments_16_channel_fees")) == 1

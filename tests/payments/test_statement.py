"""A statement: when it opens and closes, what is on it, and that its numbers are the ledger's."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import Merchant
from core import clock
from core.errors import Conflict, NotFound
from payments.models import LedgerEntry, Payout, Statement, StatementEntry
from payments.periods import period_of
from payments.sections import TABLE, WORDS
from payments.selectors import balance_minor
from payments.services.ledger import Leg, post
from payments.services.payee import payout_hold, payout_release
from payments.services.statement import settle_due, statement_close, statement_open
from payments.statements import lines_of, payout_reason, sheet_of
from tests.factories import TESTER, make_merchant
from tests.factories.money import (
    accrue,
    dispute,
    fresh_row,
    in_command,
    make_captured,
    make_sent_refund,
    say_of_refund,
)
from tests.factories.settlement import (
    WEEK,
    end_period,
    give_account,
    last_statement,
    make_payout,
    paid,
    sell,
)
from tests.payments.books import broken

pytestmark = pytest.mark.django_db


def numbers(statement: Statement) -> dict[str, int]:
    """Those that are not nothing."""
    return {name: minor for name, _words, minor in sheet_of(statement).rows() if minor}


def refund(payment, amount_minor: int) -> None:
    say_of_refund(make_sent_refund(payment, amount_minor), "refund_succeeded")


def test_a_period_is_told_in_numbers_that_sum() -> None:
    merchant = make_merchant()
    payment = sell(merchant, 100_500, delivery_minor=500)
    refund(payment, 20_000)
    end_period()
    statement = last_statement(merchant)
    assert numbers(statement) == {
        "sales": 100_000,
        "delivery": 500,
        "refunds": -20_000,
        "commission": -8_000,
        "closing": 72_500,
    }
    assert sheet_of(statement).agrees
    assert Payout.objects.get().amount_minor == 72_500
    assert broken() == []


def test_every_number_opens_its_entries() -> None:
    merchant = make_merchant()
    for amount_minor in (1000, 2000, 3000):
        refund(sell(merchant, amount_minor), 100)
    end_period()
    statement = last_statement(merchant)
    for figure in sheet_of(statement).figures:
        lines = lines_of(statement, section=figure.section)
        assert len(lines) == figure.entries
        assert sum(line.amount_minor for line in lines) == figure.amount_minor
    everything = lines_of(statement)
    assert sum(line.amount_minor for line in everything) == statement.closing_minor
    first = lines_of(statement, section="sales", most=2)
    rest = lines_of(statement, section="sales", after=first[-1].id, most=2)
    assert first + rest == lines_of(statement, section="sales")
    assert len(rest) == 1
    assert {LedgerEntry.objects.get(pk=line.id).order_id for line in first} == {
        line.order_id for line in first
    }


def test_what_is_not_matured_is_on_no_statement() -> None:
    merchant = make_merchant()
    make_captured(1000, merchants=[merchant])
    end_period()
    assert not Statement.objects.exists()


def test_a_refund_before_completion_is_never_the_merchants() -> None:
    merchant = make_merchant()
    payment = make_captured(1000, merchants=[merchant])
    refund(payment, 400)
    accrue(payment, 100)
    end_period()
    assert numbers(last_statement(merchant)) == {
        "sales": 600,
        "commission": -60,
        "closing": 540,
    }


def test_the_next_statement_begins_where_the_last_one_ended() -> None:
    merchant = make_merchant()
    paid_out = make_payout(merchant)
    give_account(merchant)
    paid(paid_out)
    sell(merchant, 1000)
    end_period()
    first, second = Statement.objects.filter(status="closed").order_by("number")
    assert second.period_from == first.period_to
    assert numbers(second) == {
        "opening": 90_000,
        "sales": 1000,
        "commission": -100,
        "payouts": -90_000,
        "closing": 900,
    }
    assert Payout.objects.get(statement=second).amount_minor == 900
    assert broken() == []


def test_a_payout_that_nobody_has_approved_is_not_scheduled_twice() -> None:
    merchant = make_merchant()
    first = make_payout(merchant)
    second = make_payout(merchant, 1000)
    assert (first.amount_minor, second.amount_minor) == (90_000, 900)
    assert numbers(second.statement)["closing"] == 90_900
    assert "less 900.00 EUR" in payout_reason(sheet_of(second.statement))
    assert broken() == []


def test_a_negative_balance_is_made_explicit_and_netted_from_later_sales() -> None:
    merchant = make_merchant()
    give_account(merchant)
    payment = sell(merchant)
    end_period()
    paid(Payout.objects.get())
    refund(payment, 50_000)  # 45,000 of it are the merchant's
    end_period()
    assert numbers(last_statement(merchant))["closing"] == -45_000
    assert balance_minor("merchant_receivable", "EUR", merchant_id=merchant.pk) == 45_000
    assert balance_minor("merchant_payable", "EUR", merchant_id=merchant.pk) == 0
    assert Payout.objects.count() == 1
    assert "below zero" in payout_reason(sheet_of(last_statement(merchant)))

    sell(merchant, 20_000)
    end_period()
    assert numbers(last_statement(merchant))["closing"] == -27_000
    assert balance_minor("merchant_receivable", "EUR", merchant_id=merchant.pk) == 27_000

    sell(merchant)
    end_period()
    assert balance_minor("merchant_receivable", "EUR", merchant_id=merchant.pk) == 0
    assert Payout.objects.latest("pk").amount_minor == 63_000
    listed = lines_of(last_statement(merchant), section="adjustments")
    assert [line.kind for line in listed] == ["receivable_netted"] * 2
    assert sum(line.amount_minor for line in listed) == 0
    assert broken() == []


@pytest.mark.parametrize(("outcome", "adjusted_minor"), [("lost", -45_000), ("won", 0)])
def test_what_a_bank_takes_back_is_an_adjustment_less_the_commission_on_it(
    outcome: str, adjusted_minor: int
) -> None:
    merchant = make_merchant()
    attempt = sell(merchant).attempts.get()
    for kind in ("opened", outcome):
        dispute(attempt, kind, amount_minor=50_000)
    end_period()
    found = numbers(last_statement(merchant))
    assert (found["sales"], found["commission"]) == (100_000, -10_000)
    assert found.get("adjustments", 0) == adjusted_minor
    assert found["closing"] == 90_000 + adjusted_minor
    assert broken() == []


@pytest.mark.parametrize("whose", ["nobody's", "the merchant's"])
def test_a_posting_of_a_kind_that_is_not_known_is_an_adjustment(whose: str) -> None:
    merchant = make_merchant()
    of_other = None if whose == "nobody's" else merchant.pk
    legs = [
        Leg(code="merchant_payable", amount_minor=700, currency="EUR", merchant_id=merchant.pk),
        Leg(code="channel_clearing", amount_minor=-700, currency="EUR", merchant_id=of_other),
    ]
    sell(merchant)
    in_command(lambda: post(shard_key=7, kind="chargeback", ref="case:1", legs=legs, actor=TESTER))
    end_period()
    found = numbers(last_statement(merchant))
    assert (found["adjustments"], found["closing"]) == (-700, 89_300)
    assert len(lines_of(last_statement(merchant), section="adjustments")) == 1
    assert broken() == []


def test_two_merchants_of_one_payment_have_each_their_own() -> None:
    first, second = make_merchant(), make_merchant()
    payment = make_captured(700, 300, merchants=[first, second])
    accrue(payment, 70)
    accrue(payment, 30, share=1)
    say_of_refund(make_sent_refund(payment, 1000, shares=None), "refund_succeeded")
    end_period()
    for merchant, sales_minor in ((first, 700), (second, 300)):
        found = sheet_of(last_statement(merchant))
        assert numbers(found.statement) == {"sales": sales_minor, "refunds": -sales_minor}
        assert found.agrees
    assert not Payout.objects.exists()


def test_a_statement_is_not_closed_before_its_period_is_over() -> None:
    merchant = make_merchant()
    sell(merchant)
    statement = statement_open(merchant_id=merchant.pk, currency="EUR", actor=TESTER)
    assert statement_open(merchant_id=merchant.pk, currency="EUR", actor=TESTER) == statement
    with pytest.raises(Conflict, match=r"statement\.period_open"):
        statement_close(statement_id=statement.pk, actor=TESTER)
    assert fresh_row(statement).status == "open"
    assert not StatementEntry.objects.exists()


def test_closing_twice_is_as_good_as_once() -> None:
    payout = make_payout(make_merchant())
    statement_close(statement_id=payout.statement_id, actor=TESTER)
    assert Payout.objects.count() == 1
    assert StatementEntry.objects.count() == 1


def test_nothing_to_tell_of_opens_no_statement() -> None:
    with pytest.raises(Conflict, match=r"statement\.nothing"):
        statement_open(merchant_id=make_merchant().pk, currency="EUR", actor=TESTER)
    with pytest.raises(NotFound):
        statement_open(merchant_id=0, currency="EUR", actor=TESTER)
    with pytest.raises(NotFound):
        statement_close(statement_id=1, actor=TESTER)


def test_an_open_statement_tells_what_is_booked_so_far() -> None:
    merchant = make_merchant()
    sell(merchant)
    settle_due()
    statement = Statement.objects.get()
    assert numbers(statement) == {"sales": 100_000, "commission": -10_000, "closing": 90_000}
    assert "90000.00" not in payout_reason(sheet_of(statement))
    assert "900.00 EUR so far" in payout_reason(sheet_of(statement))
    payout_hold(merchant_id=merchant.pk, reason="papers", until=None, actor=TESTER)
    assert "on hold: papers" in payout_reason(sheet_of(statement))


def test_what_is_booked_after_the_end_waits_for_the_next() -> None:
    merchant = make_merchant()
    sell(merchant)
    settle_due()
    clock.advance(WEEK)
    sell(merchant, 2000)
    settle_due()
    assert numbers(last_statement(merchant))["closing"] == 90_000
    assert StatementEntry.objects.count() == 1
    end_period()
    assert numbers(last_statement(merchant))["sales"] == 2000
    assert broken() == []


def test_while_payouts_are_on_hold_none_is_scheduled_and_nothing_is_lost() -> None:
    merchant = make_merchant()
    payout_hold(merchant_id=merchant.pk, reason="a dispute", until=None, actor=TESTER)
    sell(merchant)
    end_period()
    held = last_statement(merchant)
    assert not Payout.objects.exists()
    payout_release(merchant_id=merchant.pk, actor=TESTER)
    assert "on hold: a dispute" in payout_reason(sheet_of(held))
    end_period()
    assert Payout.objects.get().amount_minor == 90_000
    assert broken() == []


def test_a_hold_ends_by_itself() -> None:
    merchant = make_merchant()
    until = clock.now() + timedelta(days=3)
    payout_hold(merchant_id=merchant.pk, reason="a check", until=until, actor=TESTER)
    assert make_payout(merchant).amount_minor == 90_000


@pytest.mark.parametrize(
    ("schedule", "zone", "begin", "end"),
    [
        ("daily", "UTC", "2026-11-25T00:00Z", "2026-11-26T00:00Z"),
        ("daily", "Asia/Tokyo", "2026-11-25T15:00Z", "2026-11-26T15:00Z"),
        ("weekly", "UTC", "2026-11-23T00:00Z", "2026-11-30T00:00Z"),
        ("weekly", "Europe/Berlin", "2026-11-22T23:00Z", "2026-11-29T23:00Z"),
        ("monthly", "Europe/Berlin", "2026-10-31T23:00Z", "2026-11-30T23:00Z"),
    ],
)
def test_a_period_begins_and_ends_at_the_merchants_midnight(
    schedule: str, zone: str, begin: str, end: str
) -> None:
    moment = datetime(2026, 11, 25, 18, 30, tzinfo=UTC)
    found = period_of(schedule, zone, moment)
    assert found == (datetime.fromisoformat(begin), datetime.fromisoformat(end))


def test_a_week_in_which_clocks_change_is_an_hour_longer() -> None:
    begin, end = period_of("weekly", "Europe/Berlin", datetime(2026, 10, 21, tzinfo=UTC))
    assert end - begin == timedelta(days=7, hours=1)


def test_a_schedule_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="never"):
        period_of("never", "UTC", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(("schedule", "days"), [("daily", 1), ("weekly", 7), ("monthly", 31)])
def test_the_clock_closes_by_the_merchants_schedule(schedule: str, days: int) -> None:
    merchant = make_merchant(payout_schedule=schedule)
    sell(merchant)
    assert settle_due() == 1
    statement = Statement.objects.get()
    assert statement.period_to - clock.now() <= timedelta(days=days)
    assert settle_due() == 0
    clock.advance(statement.period_to - clock.now())
    assert settle_due() == 1
    assert fresh_row(statement).status == "closed"


def test_after_a_long_silence_there_is_one_statement_and_not_one_a_week() -> None:
    merchant = make_merchant()
    give_account(merchant)
    paid(make_payout(merchant))
    end_period()
    assert not Statement.objects.filter(status="open").exists()
    clock.advance(20 * WEEK)
    sell(merchant)
    end_period()
    assert [s.number for s in Statement.objects.order_by("number")] == [1, 2, 3, 4]
    assert broken() == []


def test_every_section_has_its_words() -> None:
    assert {section for codes in TABLE.values() for section in codes.values()} <= set(WORDS)


def test_the_number_of_a_statement_names_its_merchant() -> None:
    merchant: Merchant = make_merchant(slug="harbour-tea")
    make_payout(merchant)
    assert str(last_statement(merchant)) == "harbour-tea-0001"

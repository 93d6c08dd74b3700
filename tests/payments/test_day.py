"""The certificate of a day: the channel's file row by row against our book, with the real sandbox."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.actors import Actor, Role
from config.celery import app
from core import clock
from core.errors import Invalid
from payments import tasks
from payments.channels import sandbox as sandbox_channel
from payments.channels.base import ChannelDown
from payments.channels.report import report_of
from payments.lists import days_due
from payments.models import (
    Attempt,
    Difference,
    ReconciliationDay,
    ReconciliationRun,
    ReconciliationTotal,
)
from payments.selectors import balance_minor
from payments.services.day import day_certify, settlement_day_close
from payments.services.difference import difference_settle
from tests.factories.money import dispute, fresh_row, make_attempt, make_captured, make_payment
from tests.payments.books import broken
from tests.payments.lists import RECON, all_rows, differences, movement_of, reconcile
from tests.sandboxes.conftest import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

Until = Callable[[Callable[[], object]], object]
FINANCE = Actor(Role.STAFF, "user:1")
TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture
def paid(channel: Sandbox, delivered: Until) -> list[Attempt]:
    """Two payments and a refund; by the channel's book all that was yesterday."""
    attempts = [make_attempt(make_payment(amount_minor)) for amount_minor in (1000, 9500)]
    delivered(lambda: {fresh_row(attempt).status for attempt in attempts} == {"succeeded"})
    move_to(channel, YESTERDAY)
    return attempts


def move_to(channel: Sandbox, day: date) -> None:
    """Time can't be moved at the channel; its book can."""
    with closing(sqlite3.connect(channel.book, timeout=10)) as book, book:
        book.execute("UPDATE movement SET at = ?", (f"{day}T12:00:00.000Z",))


def close() -> ReconciliationDay:
    return settlement_day_close(channel="sandbox", day=YESTERDAY, actor=RECON)


def total_of(certificate: ReconciliationDay) -> tuple[int, ...]:
    total = certificate.totals.get(currency="EUR")
    return total.channel_net_minor, total.book_net_minor, total.difference_minor


def plant(channel: Sandbox, kind: str, ref: str = "") -> None:
    channel.post("/control/settlements", day=YESTERDAY.isoformat(), kind=kind, ref=ref)


def test_a_day_on_which_both_sides_agree_is_level_and_said_so_once(
    channel: Sandbox, paid: list[Attempt]
) -> None:
    first = close()
    before = all_rows()
    again = close()

    assert (first, all_rows()) == (again, before)
    assert (first.is_level, first.rows, first.number) == (True, 2, 1)
    total = ReconciliationTotal.objects.get()
    assert (total.channel_gross_minor, total.channel_fee_minor) == (10500, 39 + 158)
    assert total_of(first) == (10303, 10303, 0)
    assert balance_minor("channel_clearing", "EUR") == 10303
    assert differences() == []
    assert broken() == []


def test_refunds_count_down(channel: Sandbox, paid: list[Attempt], delivered: Until) -> None:
    body = {"payment_key": paid[0].channel_key, "amount_minor": 400}
    channel.post("/refunds", key="stranger", **body)
    move_to(channel, YESTERDAY)
    certificate = close()
    assert total_of(certificate) == (9903, 10303, -400)
    assert differences() == [("only_there", "refund_succeeded", 0, 400)]
    assert not certificate.is_level


@pytest.mark.parametrize(
    ("kind", "found", "more"),
    [
        ("missing", ("only_here", "captured", 1000, 0), -961),
        ("extra", ("only_there", "captured", 0, 1234), 1192),
        ("amount", ("amount", "captured", 1000, 1100), 100),
        ("fee", ("fee", "captured", 39, 42), -3),
    ],
)
def test_a_planted_difference_is_found_and_settled_the_day_is_level(
    channel: Sandbox,
    paid: list[Attempt],
    kind: str,
    found: tuple[str, str, int, int],
    more: int,
) -> None:
    plant(channel, kind, fresh_row(paid[0]).channel_ref)
    differs = close()
    assert differences() == [found]
    assert not differs.is_level
    assert total_of(differs) == (10303 + more, 10303, more)
    assert close() == differs
    assert days_due("sandbox") == []

    difference = Difference.objects.get()
    assert difference.payment_id == (None if kind == "extra" else paid[0].payment_id)
    difference_settle(
        difference_id=difference.pk, verdict="ours", reason="they have corrected it", actor=FINANCE
    )
    level = close()

    assert (level.is_level, level.number) == (True, 2)
    assert total_of(level) == (10303 + more, 10303, 0)
    assert level.totals.get().settled_minor == more
    assert fresh_row(differs).is_level is False
    assert broken() == []


def test_a_fee_that_is_accepted_makes_the_day_level_without_a_rest(
    channel: Sandbox, paid: list[Attempt]
) -> None:
    plant(channel, "fee", fresh_row(paid[0]).channel_ref)
    close()
    difference_settle(
        difference_id=Difference.objects.get().pk,
        verdict="theirs",
        reason="their tariff",
        actor=FINANCE,
    )
    certificate = close()
    assert certificate.is_level
    assert total_of(certificate) == (10300, 10300, 0)
    assert certificate.totals.get().settled_minor == 0
    assert broken() == []


def test_what_only_the_file_knows_of_the_day_is_taken_in_before(
    channel: Sandbox, delivered: Until
) -> None:
    channel.post("/control/faults", drop=100)
    attempt = make_attempt(make_payment(1000))
    delivered(lambda: channel.get(f"/payments/{attempt.pk}")["status"] == "captured")
    move_to(channel, YESTERDAY)

    assert close().is_level
    assert fresh_row(attempt).status == "succeeded"


def test_a_day_without_money_is_level(channel: Sandbox) -> None:
    certificate = close()
    assert (certificate.is_level, certificate.rows) == (True, 0)
    assert not certificate.totals.exists()


@pytest.mark.parametrize("day", [TODAY, TODAY + timedelta(days=1)])
def test_a_day_that_is_not_over_is_refused(channel: Sandbox, day: date) -> None:
    with pytest.raises(Invalid) as refusal:
        settlement_day_close(channel="sandbox", day=day, actor=RECON)
    assert refusal.value.code == "reconciliation.day_not_over"
    assert not ReconciliationRun.objects.exists()


def test_a_file_that_misses_its_totals_is_no_file(
    channel: Sandbox, paid: list[Attempt], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = sandbox_channel._ask

    def spoiled(method: str, path: str) -> object:
        answer = ask(method, path)
        answer._content = answer.content.replace(b",1000,", b",1001,")
        return answer

    monkeypatch.setattr(sandbox_channel, "_ask", spoiled)
    with pytest.raises(ChannelDown, match="sum up"):
        close()
    assert not ReconciliationDay.objects.exists()


def test_a_channel_without_files_reports_by_its_list(channel: Sandbox, paid: list[Attempt]) -> None:
    class Listing:
        movements = sandbox_channel.Sandbox.movements

    by_file = report_of("sandbox", YESTERDAY)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("payments.channels.report.channel_named", lambda _: Listing())
        assert report_of("sandbox", YESTERDAY) == by_file
        assert report_of("sandbox", YESTERDAY - timedelta(days=1)) == []
    assert len(by_file) == 2


def test_two_currencies_have_their_own_totals() -> None:
    payments = [make_captured(1000), make_captured(2000, currency="USD")]
    report = [
        movement_of(payment.attempts.get(), at=clock.now(), fee_minor=0) for payment in payments
    ]
    certificate = day_certify(channel="sandbox", day=TODAY, report=report, actor=RECON)
    assert certificate.is_level
    totals = certificate.totals.order_by("currency").values_list("currency", "book_gross_minor")
    assert list(totals) == [("EUR", 1000), ("USD", 2000)]


def test_money_in_another_currency_differs_in_both() -> None:
    payment = make_captured(1000)
    row = movement_of(payment.attempts.get(), currency="USD", fee_minor=0)
    certificate = day_certify(channel="sandbox", day=TODAY, report=[row], actor=RECON)
    assert not certificate.is_level
    totals = certificate.totals.order_by("currency").values_list("currency", "difference_minor")
    assert list(totals) == [("EUR", -1000), ("USD", 1000)]
    difference_settle(
        difference_id=Difference.objects.get(kind="currency").pk,
        verdict="ours",
        reason="their file",
        actor=FINANCE,
    )
    later = day_certify(channel="sandbox", day=TODAY, report=[row], actor=RECON)
    assert later.is_level
    assert set(later.totals.values_list("difference_minor", flat=True)) == {0}
    assert broken() == []


@pytest.mark.parametrize(("outcome", "gross_minor"), [("lost", 600), ("won", 1000)])
def test_what_a_bank_took_counts_down_and_what_it_gave_back_counts_up(
    outcome: str, gross_minor: int
) -> None:
    attempt = make_captured(1000).attempts.get()
    rows = [movement_of(attempt, at=clock.now(), fee_minor=0)]
    for kind in ("opened", outcome):
        dispute(attempt, kind, amount_minor=400)
        if kind != "lost":  # which moves nothing
            said = {"kind": f"chargeback_{kind}", "ref": "dp_1", "amount_minor": 400}
            rows.append(movement_of(attempt, at=clock.now(), fee_minor=0, **said))
    certificate = day_certify(channel="sandbox", day=TODAY, report=rows, actor=RECON)
    assert certificate.is_level
    assert total_of(certificate) == (gross_minor, gross_minor, 0)
    missing = day_certify(channel="sandbox", day=TODAY, report=rows[:1], actor=RECON)
    assert not missing.is_level
    assert {difference.payment for difference in Difference.objects.all()} == {attempt.payment}


@pytest.fixture
def eager() -> Iterator[None]:
    """Tasks run where they are sent."""
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


def test_the_clock_closes_each_day_once_and_again_when_it_is_settled(
    channel: Sandbox, paid: list[Attempt], eager: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(channel, "fee", fresh_row(paid[0]).channel_ref)
    reconcile()
    monkeypatch.setattr("payments.lists.decode", lambda _: Born)
    assert days_due("sandbox", now=datetime.now(UTC)) == [YESTERDAY]
    tasks.reconcile_due()
    tasks.reconcile_due()
    assert ReconciliationDay.objects.count() == 1

    difference_settle(
        difference_id=Difference.objects.get().pk, verdict="ours", reason="fine", actor=FINANCE
    )
    tasks.reconcile_due()
    tasks.reconcile_due()
    assert [row.is_level for row in ReconciliationDay.objects.order_by("number")] == [False, True]


class Born:
    """An id from yesterday."""

    at = datetime.now(UTC) - timedelta(days=1)


@pytest.mark.parametrize(
    ("hour", "due"), [("00:10", []), ("00:40", [YESTERDAY]), ("23:59", [YESTERDAY])]
)
def test_a_day_is_due_when_its_last_rows_have_come(
    channel: Sandbox, hour: str, due: list[date], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert days_due("sandbox") == []
    reconcile()
    monkeypatch.setattr("payments.lists.decode", lambda _: Born)
    now = datetime.fromisoformat(f"{TODAY}T{hour}:00+00:00")
    assert days_due("sandbox", now=now) == due


def test_the_command_lists_certifies_and_names_what_is_open(
    channel: Sandbox, paid: list[Attempt]
) -> None:
    said = StringIO()
    call_command("reconcile", "--channel=sandbox", "--since=48h", stdout=said)
    call_command("reconcile", "--channel=sandbox", f"--day={YESTERDAY}", stdout=said)
    assert "2 movements listed" in said.getvalue()
    assert "level, 2 rows" in said.getvalue()
    assert "book 10500 - 197 = 10303" in said.getvalue()

    plant(channel, "fee", fresh_row(paid[0]).channel_ref)
    with pytest.raises(CommandError, match="1 differences"):
        call_command("reconcile", "--channel=sandbox", f"--day={YESTERDAY}", stdout=said)
    assert "fee captured" in said.getvalue()
    channel.kill()
    with pytest.raises(CommandError):
        call_command("reconcile", "--channel=sandbox", stdout=said)


@pytest.mark.parametrize(
    "wrong",
    [
        ["--channel=barter"],
        ["--channel=sandbox_transfer"],
        ["--channel=sandbox", "--since=yesterday"],
        ["--channel=sandbox", "--since=2026-01-01T00:00:00"],
        ["--channel=sandbox", "--day=2026-13-01"],
        ["--channel=sandbox", "--day=2026-01-01", "--since=1h"],
    ],
)
def test_a_bad_command_line_is_refused(wrong: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("reconcile", *wrong)


def test_the_command_takes_a_time_with_its_offset(channel: Sandbox) -> None:
    moment = (clock.now() - timedelta(hours=3)).isoformat()
    call_command("reconcile", "--channel=sandbox", f"--since={moment}", stdout=StringIO())
    assert ReconciliationRun.objects.get().since.isoformat() == moment

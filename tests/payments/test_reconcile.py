"""What a channel lists against what we have booked: facts, fees, differences, with the real sandbox."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from config.celery import app
from core import clock, monitor
from core.models import Hook
from core.monitor import Level
from payments import tasks
from payments.channels import sandbox as sandbox_channel
from payments.channels.base import ChannelDown, listing_channels
from payments.locks import lock_capture
from payments.models import (
    Attempt,
    Capture,
    ChannelFact,
    ChannelRecord,
    Chargeback,
    Difference,
    LedgerEntry,
    Payment,
    ReconciliationRun,
    Refund,
)
from payments.selectors import balance_minor
from payments.services.capture import capture_request, capture_tell
from payments.services.facts import Said
from tests.factories import TESTER
from tests.factories.money import (
    dispute,
    fresh_row,
    in_command,
    locked_payment,
    make_attempt,
    make_captured,
    make_payment,
    make_sent_refund,
    request_refund,
    say,
    say_of_refund,
    shares_of,
)
from tests.payments.books import broken
from tests.payments.lists import all_rows, differences, listed, reconcile
from tests.sandboxes.conftest import Sandbox, eventually

pytestmark = pytest.mark.django_db(transaction=True)

Until = Callable[[Callable[[], object]], object]


@pytest.fixture
def eager() -> Iterator[None]:
    """Tasks run where they are sent."""
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


@pytest.fixture
def untold(settings: Settings, channel: Sandbox) -> Sandbox:
    """A channel whose notifications do not arrive."""
    settings.SANDBOX_ENDPOINT_ID = "gone"
    return channel


def status(row: Attempt | Payment | Refund) -> str:
    now: str = fresh_row(row).status
    return now


def captured_there(channel: Sandbox, delivered: Until, payment: Payment) -> Attempt:
    """The channel has the money."""
    attempt = make_attempt(payment)
    delivered(lambda: channel.get(f"/payments/{attempt.pk}")["status"] == "captured")
    return attempt


def test_what_only_the_channel_knows_becomes_a_fact_and_its_fee_is_booked(
    untold: Sandbox, delivered: Until
) -> None:
    payment = make_payment(700, 300)
    attempt = captured_there(untold, delivered, payment)
    assert status(attempt) == "processing"

    reconcile()

    assert status(payment) == "captured"
    assert ChannelFact.objects.get().origin == "recon"
    assert balance_minor("channel_clearing", "EUR") == 1000 - 39
    assert balance_minor("channel_fees", "EUR") == 39
    fee = LedgerEntry.objects.get(account__code="channel_clearing", amount_minor=-39)
    assert fee.channel == "sandbox"
    assert differences() == []
    assert broken() == []


def test_a_refund_that_only_the_channel_knows_of_has_arrived(
    channel: Sandbox, delivered: Until
) -> None:
    payment = make_payment(1000)
    attempt = make_attempt(payment)
    delivered(lambda: status(attempt) == "succeeded")
    refund = make_sent_refund(payment, 400)
    body = {"payment_key": attempt.channel_key, "amount_minor": 400}
    channel.post("/refunds", key=refund.channel_key, **body)

    reconcile()

    assert status(refund) == "succeeded"
    assert refund.facts.get().origin == "recon"
    assert balance_minor("channel_clearing", "EUR") == 600 - 39
    assert broken() == []


def test_a_second_run_writes_nothing_but_that_it_was(untold: Sandbox, delivered: Until) -> None:
    captured_there(untold, delivered, make_payment())
    untold.post("/payments", key="unknown", **STRANGER)
    eventually(lambda: len(untold.get("/transactions")["data"]) == 2)
    reconcile()
    before = all_rows()

    reconcile()

    assert all_rows() == before
    assert list(ReconciliationRun.objects.values_list("records", flat=True)) == [2, 2]


STRANGER = {
    "amount_minor": 4321,
    "currency": "EUR",
    "token": "tok_ok",
    "return_url": "http://shop.example/return",
    "expires_at": "2100-01-01T00:00:00Z",
}


def test_a_payment_that_nobody_here_knows_waits_for_somebody(untold: Sandbox) -> None:
    untold.post("/payments", key="unknown", **STRANGER)
    eventually(lambda: untold.get("/transactions")["data"])

    reconcile()

    assert differences() == [("only_there", "captured", 0, 4321)]
    found = Difference.objects.get()
    assert (found.key, found.payment) == ("unknown", None)
    assert "attempt.unknown" in found.note
    assert balance_minor("channel_clearing", "EUR") == -85  # the fee is taken all the same
    assert broken() == []


def test_every_page_of_a_list_is_read(
    untold: Sandbox, delivered: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_channel, "ROWS_PER_PAGE", 2)
    payments = [make_payment() for _ in range(5)]
    for payment in payments:
        captured_there(untold, delivered, payment)

    reconcile()

    assert {status(payment) for payment in payments} == {"captured"}
    assert ReconciliationRun.objects.get().records == 5


def test_a_wrong_amount_told_is_in_review_and_the_lists_right_one_pays(
    channel: Sandbox, delivered: Until
) -> None:
    channel.post("/control/faults", lie_in_notification=100)
    payment = make_payment(1000)
    captured_there(channel, delivered, payment)
    delivered(lambda: Hook.objects.filter(state="review").exists())
    assert status(payment) == "open"

    reconcile()

    assert status(payment) == "captured"
    assert fresh_row(payment).captured_minor == 1000
    assert differences() == []
    assert broken() == []


def test_a_wrong_amount_listed_is_a_difference_and_pays_nothing(
    untold: Sandbox, delivered: Until, eager: None
) -> None:
    untold.post("/control/faults", lie_in_list=100)
    payment = make_payment(1000)
    captured_there(untold, delivered, payment)

    reconcile()
    assert status(payment) == "open"
    found = Difference.objects.get()
    assert (found.kind, found.ours_minor, found.payment) == ("amount", 1000, payment)
    assert found.theirs_minor == ChannelRecord.objects.get().amount_minor != 1000
    assert broken() == []

    clock.advance(timedelta(minutes=3))
    tasks.ask_channels()
    assert status(payment) == "captured"
    assert balance_minor("channel_clearing", "EUR") == 1000 - 39
    assert broken() == []


def test_a_list_that_thinks_better_of_it_pays_and_stays_a_difference(
    untold: Sandbox, delivered: Until
) -> None:
    untold.post("/control/faults", lie_in_list=100)
    payment = make_payment(1000)
    captured_there(untold, delivered, payment)
    reconcile()
    untold.post("/control/faults")

    reconcile()

    assert status(payment) == "captured"
    assert [kind for kind, *_ in differences()] == ["amount"]
    assert broken() == []


def test_a_transfer_stands_in_the_list_of_its_provider(untold: Sandbox, delivered: Until) -> None:
    payment = make_payment(1000)
    attempt = make_attempt(payment, channel="sandbox_transfer", token="")
    delivered(lambda: status(attempt) == "processing")
    ref = untold.get(f"/payments/{attempt.pk}")["ref"]
    untold.http.post(f"/pay/{ref}", data={"button": "pay"})

    reconcile()

    assert status(payment) == "captured"
    assert ChannelFact.objects.get().channel == "sandbox_transfer"
    assert differences() == []
    assert broken() == []


def test_what_is_booked_and_not_listed_is_asked_for_again_and_then_a_difference(
    channel: Sandbox,
) -> None:
    reconcile()
    payment = make_captured(1000)
    refund = make_sent_refund(payment, 400)
    say_of_refund(refund, "refund_succeeded")
    reconcile()
    assert differences() == []  # it may still come
    clock.advance(timedelta(minutes=11))

    reconcile()

    assert differences() == [
        ("only_here", "captured", 1000, 0),
        ("only_here", "refund_succeeded", 400, 0),
    ]
    for found in Difference.objects.all():
        assert "asked again: not_found" in found.note
        assert found.payment == payment
    assert broken() == []


def test_what_was_booked_before_the_channel_was_first_listed_is_not_missed(
    channel: Sandbox,
) -> None:
    make_captured(1000)
    for _ in range(2):
        reconcile()
        clock.advance(timedelta(minutes=11))
    assert differences() == []
    assert broken() == []


def test_what_is_listed_after_all_settles_its_difference(channel: Sandbox) -> None:
    reconcile()
    payment = make_captured(1000)
    clock.advance(timedelta(minutes=11))
    reconcile()
    listed(payment.attempts.get())

    reconcile()

    [resolution] = Difference.objects.get().resolutions.all()
    assert (resolution.verdict, resolution.actor) == ("matched", "system:reconciliation")
    assert broken() == []


def test_a_channel_that_is_down_is_listed_another_time(channel: Sandbox) -> None:
    channel.kill()
    with pytest.raises(ChannelDown):
        reconcile()
    assert not ReconciliationRun.objects.exists()
    channel.start()
    reconcile()
    assert ReconciliationRun.objects.exists()


def test_while_the_channel_is_not_asked_again_nothing_is_missing(
    channel: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconcile()
    make_captured(1000)
    clock.advance(timedelta(minutes=11))
    rows = list(sandbox_channel.Sandbox().movements(clock.now()))
    monkeypatch.setattr(sandbox_channel.Sandbox, "movements", lambda *_: iter(rows))
    channel.kill()

    reconcile()

    assert differences() == []


@pytest.mark.parametrize(
    ("members", "kind", "ours_minor"),
    [
        ({"amount_minor": 999}, "amount", 1000),
        ({"currency": "USD"}, "currency", 1000),
        ({"key": "17"}, "only_there", 0),
        ({"key": "17" + 30 * "0"}, "only_there", 0),
        ({"ref": "another"}, "only_there", 0),
    ],
)
def test_a_row_that_does_not_fit_changes_nothing_but_the_queue(
    members: dict[str, object], kind: str, ours_minor: int
) -> None:
    payment = make_captured(1000)
    attempt = payment.attempts.get()
    facts = list(ChannelFact.objects.values())

    listed(attempt, **members)
    listed(attempt, **members)

    theirs_minor = members.get("amount_minor", 1000)
    assert differences() == [(kind, "captured", ours_minor, theirs_minor)]
    assert list(ChannelFact.objects.values()) == facts
    assert fresh_row(payment).captured_minor == 1000
    assert balance_minor("escrow", "EUR") == -1000
    assert broken() == []


def test_a_row_about_a_payment_at_another_channel_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt = make_attempt(make_payment(1000), channel="sandbox_transfer")
    monkeypatch.setattr("payments.services.reconcile.listed_with", lambda _: ["sandbox"])

    listed(attempt)

    assert differences() == [("only_there", "captured", 0, 1000)]
    assert "record.other_channel" in Difference.objects.get().note
    assert not ChannelFact.objects.exists()


def test_a_row_without_a_fee_books_none() -> None:
    payment = make_captured(1000)
    refund = make_sent_refund(payment, 400)
    listed(refund, fee_minor=0)
    assert status(refund) == "succeeded"
    assert balance_minor("channel_fees", "EUR") == 0
    assert broken() == []


def test_money_for_what_was_called_off_is_booked_by_the_list_too() -> None:
    attempt = say(make_attempt(make_payment(1000)), "closed")
    listed(attempt)
    assert status(attempt) == "succeeded"
    assert balance_minor("channel_clearing", "EUR") == 1000 - 39
    assert broken() == []


def test_the_clock_lists_a_channel_once_an_hour(
    untold: Sandbox, delivered: Until, eager: None
) -> None:
    tasks.reconcile_due()
    tasks.reconcile_due()
    assert ReconciliationRun.objects.count() == 1
    payment = make_payment()
    captured_there(untold, delivered, payment)

    clock.advance(timedelta(hours=1))
    tasks.reconcile_due()

    assert ReconciliationRun.objects.count() == 2
    assert status(payment) == "captured"


def test_a_difference_that_stays_is_warned_of_and_listed_again(
    channel: Sandbox, eager: None
) -> None:
    reconcile()
    payment = make_captured(1000)
    clock.advance(timedelta(minutes=11))
    reconcile()
    condition = monitor.conditions["S15"]
    clock.advance(timedelta(hours=25))
    [reading] = monitor.look([condition])
    assert reading.level is Level.WARN
    clock.advance(timedelta(hours=24))
    [reading] = monitor.look([condition])
    assert reading.level is Level.PAGE
    assert {Difference.objects.get().pk, ReconciliationRun.objects.latest("until").pk} == set(
        map(int, reading.subjects)
    )
    listed(payment.attempts.get())

    monitor.repair(reading)

    assert ReconciliationRun.objects.count() == 3  # once more, not once for each subject
    [reading] = monitor.look([condition])
    assert reading.level is Level.CALM


def test_reading_the_list_holds_no_transaction_open(
    untold: Sandbox, delivered: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    captured_there(untold, delivered, make_payment())
    ask = sandbox_channel._ask
    seen = []

    def watched(*given: str) -> object:
        seen.append(connection.in_atomic_block)
        return ask(*given)

    monkeypatch.setattr(sandbox_channel, "_ask", watched)
    reconcile()
    assert seen == [False]


def test_a_refund_under_its_second_key_is_found_in_the_list() -> None:
    payment = make_captured(1000)
    refund = request_refund(payment, 400)
    Refund.objects.filter(pk=refund.pk).update(tries=2)
    listed(fresh_row(refund), fee_minor=0)
    assert status(refund) == "succeeded"
    assert broken() == []


@pytest.fixture
def capture(settings: Settings) -> Capture:
    """One order's part of promised money, asked for and not answered."""
    settings.PAYMENT_CAPTURE_AT = {"sandbox": "shipment"}
    payment = make_payment(700, 300)
    say(make_attempt(payment), "authorised")
    share = shares_of(payment)[0]
    return in_command(
        lambda: capture_request(
            payment=locked_payment(payment),
            order_id=share.order_id,
            amount_minor=share.amount_minor,
            request_key=f"ship:{share.order_id}",
            actor=TESTER,
        )
    )


@pytest.mark.parametrize("tries", [1, 2])
def test_an_orders_part_that_is_listed_has_been_taken(capture: Capture, tries: int) -> None:
    Capture.objects.filter(pk=capture.pk).update(tries=tries)
    listed(fresh_row(capture))
    assert fresh_row(capture).status == "succeeded"
    assert capture.facts.get().origin == "recon"
    assert fresh_row(capture.payment).captured_minor == 700
    assert differences() == []
    assert broken() == []


def test_an_orders_part_of_another_amount_is_a_difference(capture: Capture) -> None:
    listed(capture, amount_minor=699)
    assert differences() == [("amount", "captured", 700, 699)]
    assert Difference.objects.get().payment == capture.payment
    assert fresh_row(capture).status == "requested"
    assert broken() == []


def test_a_payment_is_not_known_by_the_number_of_a_try() -> None:
    attempt = make_attempt(make_payment(1000))
    listed(attempt, key=f"{attempt.channel_key}.2")
    assert differences() == [("only_there", "captured", 0, 1000)]
    assert not ChannelFact.objects.exists()


def test_an_orders_part_that_the_list_lacks_is_asked_for_by_its_own_key(
    channel: Sandbox, capture: Capture
) -> None:
    reconcile()
    say_of_capture(capture)
    clock.advance(timedelta(minutes=11))
    reconcile()
    assert differences() == [("only_here", "captured", 700, 0)]
    found = Difference.objects.get()
    assert (found.key, found.payment) == (capture.channel_key, capture.payment)
    assert broken() == []


def say_of_capture(capture: Capture) -> None:
    """The channel notifies that it has taken it."""
    in_command(
        lambda: capture_tell(
            capture=lock_capture(capture.pk),
            said=Said(
                kind="captured",
                amount_minor=capture.amount_minor,
                currency=capture.currency,
                channel_ref=f"pay_{capture.pk}",
                origin="webhook",
            ),
            actor=TESTER,
        )
    )


def test_what_a_bank_takes_and_gives_back_is_taken_in_from_the_list() -> None:
    attempt = make_captured(1000).attempts.get()
    listed(attempt, kind="chargeback_opened", ref="dp_1", fee_minor=2000)
    assert Chargeback.objects.get().status == "opened"
    assert balance_minor("channel_clearing", "EUR") == -2000
    listed(attempt, kind="chargeback_won", ref="dp_1", fee_minor=0)
    assert Chargeback.objects.get().status == "won"
    assert balance_minor("channel_clearing", "EUR") == 1000 - 2000
    assert differences() == []
    assert broken() == []


def test_a_listed_dispute_of_more_than_was_taken_is_a_difference() -> None:
    attempt = make_captured(1000).attempts.get()
    listed(attempt, kind="chargeback_opened", ref="dp_1", amount_minor=1001)
    assert differences() == [("amount", "chargeback_opened", 1000, 1001)]
    assert not Chargeback.objects.exists()
    assert broken() == []


def test_a_dispute_that_the_list_lacks_is_a_difference(channel: Sandbox) -> None:
    reconcile()
    payment = make_captured(1000)
    listed(payment.attempts.get())
    dispute(payment.attempts.get(), "opened", amount_minor=400)
    dispute(payment.attempts.get(), "lost", amount_minor=400)
    clock.advance(timedelta(minutes=11))
    reconcile()
    assert differences() == [("only_here", "chargeback_opened", 400, 0)]
    assert Difference.objects.get().payment == payment
    assert broken() == []


@pytest.mark.parametrize("channel_name", ["cash_on_delivery", "bank_transfer"])
def test_money_that_no_list_tells_of_is_not_missed(channel_name: str) -> None:
    assert channel_name not in listing_channels()

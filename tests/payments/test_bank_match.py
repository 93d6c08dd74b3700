"""Money that people send: exactly, in parts, too much, for nothing; each cent is somewhere."""

from datetime import timedelta

import pytest

from core import clock
from core.errors import Conflict, Denied, Invalid
from core.models import OutboxEvent
from orders.services.cancel import order_group_cancel
from orders.services.expire import order_group_expire
from payments.models import LedgerEntry, LineMatch, ManualTransfer, Refund
from payments.references import reference_of, spaced
from payments.selectors import balance_minor
from payments.services.bank import line_assign, line_dismiss, line_give_back, line_match
from tests.audit.plant import broken
from tests.factories import TESTER
from tests.factories.bank import (
    FINANCE,
    SENDERS_IBAN,
    line,
    make_awaited,
    receive,
    send,
    settle_channel,
    take_in,
)
from tests.factories.money import fresh_row
from tests.factories.story import BUYER, payment_of

pytestmark = pytest.mark.django_db
TOTAL = 1500


def unapplied_minor() -> int:
    return -balance_minor("unapplied_receipts", "EUR")


def at_bank_minor() -> int:
    """What the book says is in our account."""
    return sum(
        LedgerEntry.objects.filter(
            account_id="channel_clearing:EUR", channel="bank_transfer"
        ).values_list("amount_minor", flat=True)
    )


def test_the_reference_alone_pays_the_group() -> None:
    group, attempt = make_awaited()
    assert (attempt.status, attempt.channel_ref) == ("processing", reference_of(attempt.id))
    match = receive(TOTAL, f"Order {spaced(attempt.channel_ref).lower()}, thanks")
    assert (match.status, match.applied_minor) == ("applied", TOTAL)
    assert fresh_row(attempt).status == "succeeded"
    assert fresh_row(group).status == "paid"
    assert (unapplied_minor(), at_bank_minor()) == (0, TOTAL)
    assert not ManualTransfer.objects.exists()
    assert broken() == set()


def test_a_part_rests_until_the_rest_comes() -> None:
    group, attempt = make_awaited()
    first = receive(400, attempt.channel_ref)
    assert (first.status, unapplied_minor()) == ("resting", 400)
    assert fresh_row(group).status == "pending_payment"
    told = OutboxEvent.objects.get(type="attempt.part_received").payload
    assert (told["received_minor"], told["missing_minor"]) == (400, 1100)
    receive(1100, attempt.channel_ref)
    assert fresh_row(first).status == "applied"
    assert fresh_row(group).status == "paid"
    assert (unapplied_minor(), at_bank_minor()) == (0, TOTAL)
    assert broken() == set()


def test_what_is_too_much_goes_back_by_itself() -> None:
    group, attempt = make_awaited()
    match = receive(2000, attempt.channel_ref)
    assert fresh_row(group).status == "paid"
    transfer = ManualTransfer.objects.get()
    assert transfer.request_key == f"over:{match.line_id}"
    assert (transfer.amount_minor, transfer.iban) == (500, SENDERS_IBAN)
    assert unapplied_minor() == 500
    assert broken() == set()
    assert send(transfer).status == "confirmed"
    transfer = fresh_row(transfer)
    assert (transfer.status, transfer.iban) == ("done", "DE89…3000")
    assert (unapplied_minor(), at_bank_minor()) == (0, TOTAL)
    assert broken() == set()


def test_who_pays_twice_gets_all_of_the_second_back() -> None:
    _, attempt = make_awaited()
    receive(TOTAL, attempt.channel_ref)
    second = receive(TOTAL, attempt.channel_ref)
    assert (second.status, second.applied_minor) == ("returned", 0)
    assert ManualTransfer.objects.get().amount_minor == TOTAL
    assert broken() == set()


@pytest.mark.parametrize(("missing_minor", "status"), [(5, "paid"), (6, "pending_payment")])
def test_some_cents_may_be_missing_where_the_house_says_so(
    missing_minor: int, status: str, settings
) -> None:
    settings.BANK_TRANSFER_TOLERANCE_MINOR = 5
    group, attempt = make_awaited()
    receive(TOTAL - missing_minor, attempt.channel_ref)
    assert fresh_row(group).status == status
    assert balance_minor("rounding", "EUR") == (missing_minor if status == "paid" else 0)
    assert at_bank_minor() == TOTAL - missing_minor
    assert broken() == set()


def wrong_digit(reference: str) -> str:
    return reference[:-1] + ("A" if reference[-1] != "A" else "B")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("thank you", "no_reference"),
        ("{wrong}", "no_reference"),
        ("{first} and {second}", "several"),
        ("{stranger}", "unknown"),
    ],
)
def test_what_nobody_knows_waits_for_somebody(text: str, why: str) -> None:
    (_, first), (_, second) = make_awaited(), make_awaited()
    match = receive(
        TOTAL,
        text.format(
            first=first.channel_ref,
            second=second.channel_ref,
            wrong=wrong_digit(first.channel_ref),
            stranger=reference_of(first.id + 1),
        ),
    )
    assert (match.status, match.why, unapplied_minor()) == ("unmatched", why, TOTAL)
    assert {fresh_row(first).status, fresh_row(second).status} == {"processing"}
    assert broken() == set()


def test_another_currency_waits_for_somebody() -> None:
    _, attempt = make_awaited()
    match = receive(TOTAL, attempt.channel_ref, currency="USD")
    assert (match.status, match.why) == ("unmatched", "currency")
    assert balance_minor("unapplied_receipts", "USD") == -TOTAL
    with pytest.raises(Invalid, match=r"bank\.currency"):
        line_assign(match_id=match.id, attempt_id=attempt.id, reason="ours", actor=FINANCE)
    assert broken() == set()


def test_somebody_says_what_a_line_is_for() -> None:
    group, attempt = make_awaited()
    match = receive(TOTAL, "no idea")
    with pytest.raises(Invalid, match=r"bank\.reason_missing"):
        line_assign(match_id=match.id, attempt_id=attempt.id, reason=" ", actor=FINANCE)
    with pytest.raises(Denied):
        line_assign(match_id=match.id, attempt_id=attempt.id, reason="mine", actor=BUYER)
    for _twice in range(2):
        line_assign(match_id=match.id, attempt_id=attempt.id, reason="by phone", actor=FINANCE)
    settle_channel()
    assert (fresh_row(match).status, fresh_row(group).status) == ("applied", "paid")
    with pytest.raises(Conflict, match=r"state\.conflict"):
        line_give_back(match_id=match.id, reason="no", actor=FINANCE)
    assert broken() == set()


def test_somebody_sends_a_line_back_where_it_came_from() -> None:
    match = receive(700, "for nothing")
    for _twice in range(2):
        line_give_back(match_id=match.id, reason="not ours", actor=FINANCE)
    transfer = ManualTransfer.objects.get()
    assert (transfer.request_key, transfer.amount_minor) == (f"back:{match.line_id}", 700)
    send(transfer)
    assert (unapplied_minor(), at_bank_minor()) == (0, 0)
    assert broken() == set()


@pytest.mark.parametrize("amount_minor", [700, -700])
def test_what_is_nothing_of_the_shops_is_dismissed(amount_minor: int) -> None:
    match = receive(amount_minor, "interest")
    for _twice in range(2):
        line_dismiss(match_id=match.id, reason="interest", actor=FINANCE)
    assert (unapplied_minor(), at_bank_minor()) == (0, 0)
    assert broken() == set()


def test_money_that_left_is_no_receipt() -> None:
    _, attempt = make_awaited()
    match = receive(-700, "fee")
    for do in (
        lambda: line_assign(match_id=match.id, attempt_id=attempt.id, reason="x", actor=FINANCE),
        lambda: line_give_back(match_id=match.id, reason="x", actor=FINANCE),
    ):
        with pytest.raises(Invalid, match=r"bank\.no_receipt"):
            do()
    assert fresh_row(match).status == "unmatched"


def test_at_the_deadline_the_part_goes_back_and_the_group_expires() -> None:
    group, attempt = make_awaited()
    match = receive(400, attempt.channel_ref)
    clock.advance(timedelta(days=5, minutes=1))
    order_group_expire(group_id=group.id, actor=TESTER)
    settle_channel()
    assert (fresh_row(group).status, fresh_row(attempt).status) == ("expired", "closed")
    assert fresh_row(match).status == "returned"
    assert ManualTransfer.objects.get().request_key == f"part:{match.line_id}"
    late = receive(1100, attempt.channel_ref)
    assert fresh_row(late).status == "returned"  # too little by itself
    assert unapplied_minor() == TOTAL
    assert broken() == set()


def test_all_of_it_after_the_deadline_brings_the_group_back() -> None:
    group, attempt = make_awaited()
    clock.advance(timedelta(days=5, minutes=1))
    order_group_expire(group_id=group.id, actor=TESTER)
    settle_channel()
    assert fresh_row(group).status == "expired"
    receive(TOTAL, attempt.channel_ref)
    settle_channel()
    assert fresh_row(group).status == "paid"
    assert broken() == set()


def test_money_for_what_was_called_off_goes_back_as_a_refund() -> None:
    group, attempt = make_awaited()
    order_group_cancel(group_id=group.id, actor=BUYER, reason="mind")
    settle_channel()
    receive(TOTAL, attempt.channel_ref)
    settle_channel()
    refund = Refund.objects.get(request_key=f"late:{payment_of(group).id}")
    transfer = ManualTransfer.objects.get(refund=refund)
    assert (refund.status, transfer.iban) == ("sent", SENDERS_IBAN)
    clock.advance(timedelta(days=2))  # somebody has to do it: that is no unknown outcome
    assert broken() == set()
    send(transfer)
    assert (fresh_row(refund).status, at_bank_minor()) == ("succeeded", 0)
    assert broken() == set()


def test_a_line_is_matched_once() -> None:
    _, attempt = make_awaited()
    match = receive(400, attempt.channel_ref)
    before = LedgerEntry.objects.count()
    line_match(match_id=match.id, actor=TESTER)
    assert (fresh_row(match).version, LedgerEntry.objects.count()) == (match.version, before)


def test_two_parts_in_one_file_pay_together() -> None:
    group, attempt = make_awaited()
    take_in(line(700, attempt.channel_ref), line(800, attempt.channel_ref))
    assert fresh_row(group).status == "paid"
    assert set(LineMatch.objects.values_list("status", flat=True)) == {"applied"}
    assert broken() == set()

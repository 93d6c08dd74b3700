"""Money that somebody sends by hand: it leaves once, to an account that is shown to nobody."""

import csv
from io import StringIO

import pytest

from core.errors import Conflict, Denied, Invalid, NotFound
from orders.services.refund import order_refund
from payments.exports import transfers_csv
from payments.models import ManualTransfer, Refund, SenderAccount
from payments.services.refund import refund_retry
from payments.services.transfer import (
    transfer_direct,
    transfer_fail,
    transfer_request,
    transfer_retry,
    transfer_send,
)
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
from tests.factories.story import BUYER, MERCHANT, only_order

pytestmark = pytest.mark.django_db
OTHER_IBAN = "GB29NWBK60161331926819"


def make_refund(amount_minor: int = 500, *, iban: str = SENDERS_IBAN) -> ManualTransfer:
    """A part of what a buyer has sent is to go back."""
    group, attempt = make_awaited()
    receive(1500, attempt.channel_ref, iban=iban)
    order_refund(
        order_id=only_order(group).id,
        amount_minor=amount_minor,
        reason="late",
        request_key="k",
        actor=MERCHANT,
    )
    settle_channel()
    return ManualTransfer.objects.latest("pk")


def refund_of(transfer: ManualTransfer) -> Refund:
    return Refund.objects.get(transfers=transfer)


def test_a_refund_goes_back_where_the_money_came_from() -> None:
    transfer = make_refund()
    refund = refund_of(transfer)
    assert (transfer.iban, transfer.holder, transfer.amount_minor) == (
        SENDERS_IBAN,
        "Ada Lovelace",
        500,
    )
    transfer_request(refund_id=refund.pk, actor=TESTER)
    assert ManualTransfer.objects.count() == 1
    assert send(transfer).status == "confirmed"
    assert (fresh_row(transfer).iban, fresh_row(refund).status) == ("DE89…3000", "succeeded")
    assert broken() == set()


def test_a_debit_of_another_amount_confirms_nothing() -> None:
    transfer = make_refund()
    match = receive(-499, transfer.reference)
    assert (match.status, match.why) == ("unmatched", "amount")
    assert fresh_row(transfer).status == "to_do"


def test_what_has_left_is_confirmed_once() -> None:
    transfer = make_refund()
    send(transfer)
    match = receive(-500, transfer.reference)
    assert (match.status, match.why) == ("unmatched", "done")
    assert broken() == set()


def test_two_transfers_in_one_debit_are_for_somebody() -> None:
    first, second = make_refund(), make_refund()
    match = receive(-500, f"{first.reference} {second.reference}")
    assert (match.status, match.why) == ("unmatched", "several")


def test_a_refund_that_could_not_be_sent_is_asked_for_again() -> None:
    first = make_refund()
    with pytest.raises(Invalid, match=r"bank\.reason_missing"):
        transfer_fail(transfer_id=first.pk, reason="", actor=FINANCE)
    for _twice in range(2):
        transfer_fail(transfer_id=first.pk, reason="account closed", actor=FINANCE)
    refund = refund_of(first)
    assert (refund.status, fresh_row(first).iban) == ("failed", "DE89…3000")
    with pytest.raises(Conflict, match=r"state\.conflict"):
        transfer_retry(transfer_id=first.pk, actor=FINANCE)
    refund_retry(refund_id=refund.pk, actor=TESTER)
    settle_channel()
    second = ManualTransfer.objects.latest("pk")
    assert second.request_key == f"refund:{refund.pk}.2"
    send(second)
    assert fresh_row(refund).status == "succeeded"
    late = receive(-500, first.reference)  # the first has left after all
    assert (late.status, late.why) == ("unmatched", "done")
    assert broken() == set()


def test_a_lines_money_that_could_not_be_sent_is_sent_again_elsewhere() -> None:
    _, attempt = make_awaited()
    receive(1600, attempt.channel_ref)
    transfer = ManualTransfer.objects.get()
    transfer_fail(transfer_id=transfer.pk, reason="account closed", actor=FINANCE)
    transfer_direct(transfer_id=transfer.pk, holder="Ada", iban=OTHER_IBAN, actor=FINANCE)
    for _twice in range(2):
        transfer_retry(transfer_id=transfer.pk, actor=FINANCE)
    send(transfer)
    assert fresh_row(transfer).status == "done"
    assert broken() == set()


def test_a_buyer_names_an_account_that_is_not_known_and_no_other() -> None:
    transfer = make_refund(iban="")
    assert transfer.iban == ""
    with pytest.raises(Conflict, match=r"transfer\.no_account"):
        transfer_send(transfer_id=transfer.pk, actor=FINANCE)
    for given, code in (
        ({"holder": " ", "iban": OTHER_IBAN}, "transfer.holder"),
        ({"holder": "Ada", "iban": "GB29NWBK60161331926818"}, "transfer.iban"),
    ):
        with pytest.raises(Invalid, match=code):
            transfer_direct(transfer_id=transfer.pk, actor=BUYER, **given)
    spaced = "gb29 nwbk 6016 1331 9268 19"
    transfer_direct(transfer_id=transfer.pk, holder="Ada", iban=spaced, actor=BUYER)
    assert fresh_row(transfer).iban == OTHER_IBAN
    with pytest.raises(Denied, match=r"transfer\.known"):
        transfer_direct(transfer_id=transfer.pk, holder="Eve", iban=SENDERS_IBAN, actor=BUYER)
    assert broken() == set()


def test_an_account_number_stays_in_no_history() -> None:
    from core.models import OutboxEvent, StateChange

    transfer = make_refund()
    transfer_direct(transfer_id=transfer.pk, holder="Ada", iban=OTHER_IBAN, actor=FINANCE)
    send(transfer)
    told = f"{list(StateChange.objects.values())} {list(OutboxEvent.objects.values())}"
    assert OTHER_IBAN not in told
    assert SENDERS_IBAN not in told
    assert SenderAccount.objects.exists()


def test_only_the_platform_sends() -> None:
    transfer = make_refund()
    for do in (
        lambda: transfer_send(transfer_id=transfer.pk, actor=MERCHANT),
        lambda: transfer_fail(transfer_id=transfer.pk, reason="x", actor=BUYER),
        lambda: transfer_retry(transfer_id=transfer.pk, actor=BUYER),
    ):
        with pytest.raises(Denied):
            do()
    with pytest.raises(NotFound):
        transfer_send(transfer_id=transfer.pk + 4096, actor=FINANCE)


def test_the_file_for_the_bank_holds_no_formula() -> None:
    _, attempt = make_awaited()
    take_in(line(1600, attempt.channel_ref, name="=HYPERLINK(1)"))
    transfer = ManualTransfer.objects.get()
    head, row = csv.reader(StringIO(transfers_csv([transfer])))
    assert head[:2] == ["reference", "holder"]
    assert row[:5] == [transfer.reference, "'=HYPERLINK(1)", SENDERS_IBAN, "1.00", "EUR"]


def test_refunds_of_channels_with_a_way_back_are_not_sent_by_hand() -> None:
    from tests.factories.money import make_captured, make_sent_refund
    from tests.factories.story import deliver_events

    refund = make_sent_refund(make_captured(), 100)
    deliver_events()
    assert transfer_request(refund_id=refund.pk, actor=TESTER) is None
    assert not ManualTransfer.objects.exists()
    assert Refund.objects.get().status == "sent"

"""What is read of the money; nothing here writes or locks."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, Extract

from core.clock import BusinessNow
from core.ids import gene_of
from payments.channels.base import CaptureAt, by_hand, slow_channels
from payments.models import (
    Attempt,
    Capture,
    ChannelFact,
    ChargebackShare,
    CreditAccount,
    CreditEntry,
    LedgerEntry,
    Payment,
    PaymentShare,
    Refund,
)
from payments.states import ATTEMPT

UNKNOWN_FOR = timedelta(minutes=2)
PROMISES = Q(status="succeeded", is_excess=False) & ~Q(capture_at=CaptureAt.ONCE)
# The round in which channels are asked, and how often it is the turn of one whose money takes days,
# and of what is only promised.
ASK, SLOW_PACE, PROMISE_PACE = timedelta(seconds=30), timedelta(minutes=15), timedelta(hours=6)
# How often the clock asks for a capture that fails, and how long after each failure.
MOST_TRIES, RETRY_AFTER = 72, timedelta(hours=1)
# The postings that move an order's money between its merchant, the house and its buyer.
SPLITTING = ("completion", "refund_approved", "refund_failed", "chargeback", "chargeback_won")


@dataclass(frozen=True, slots=True)
class MoneyOfReference:
    """The money of an order group, in minor units. What came twice and goes back is left out.

    `authorised_minor` is promised and not taken yet, `let_go_minor` was promised and never will be
    taken. A refund counts from its approval until it fails.
    """

    authorised_minor: int
    captured_minor: int
    refunded_minor: int
    let_go_minor: int = 0


@dataclass(frozen=True, slots=True)
class Accrual:
    """What an order's money is split by: as frozen at placing, or as its completion booked it.

    Goods and delivery are what the buyer pays for them, with discounts and tax; the others are taken
    of the goods. Where completion took only delivery out of escrow it stands as goods.
    """

    goods_minor: int
    delivery_minor: int
    commission_minor: int
    commission_tax_minor: int = 0
    subsidy_minor: int = 0


def money_of(reference: int) -> MoneyOfReference:
    """What an order group's payments hold and have given back."""
    shares = PaymentShare.objects.filter(payment__reference=reference, shard_key=gene_of(reference))
    open_minor = F("amount_minor") - F("captured_minor") - F("voided_minor")
    sums = shares.aggregate(
        authorised=Sum(open_minor, filter=Q(payment__status="authorised"), default=0),
        captured=Sum("captured_minor", default=0),
        refunded=Sum("refunded_minor", default=0),
        let_go=Sum("voided_minor", default=0),
    )
    return MoneyOfReference(sums["authorised"], sums["captured"], sums["refunded"], sums["let_go"])


def money_by_order(reference: int) -> dict[int, MoneyOfReference]:
    """The same, of each order its own part."""
    shares = PaymentShare.objects.filter(payment__reference=reference, shard_key=gene_of(reference))
    found: dict[int, MoneyOfReference] = {}
    for share in shares.select_related("payment"):
        known = found.get(share.order_id, MoneyOfReference(0, 0, 0))
        is_promised = share.payment.status == "authorised"
        found[share.order_id] = MoneyOfReference(
            known.authorised_minor + (share.open_minor if is_promised else 0),
            known.captured_minor + share.captured_minor,
            known.refunded_minor + share.refunded_minor,
            known.let_go_minor + share.voided_minor,
        )
    return found


def is_paid_at_the_door(reference: int) -> bool:
    """True where money of an order group is paid to whoever brings the goods."""
    attempts = Attempt.objects.filter(payment__reference=reference, shard_key=gene_of(reference))
    return attempts.filter(PROMISES, capture_at=CaptureAt.DELIVERY).exists()


def untaken_minor(payment: Payment, order_id: int) -> int:
    """What of one order's share was promised, and has been neither taken nor let go."""
    shares = PaymentShare.objects.filter(
        payment=payment, order_id=order_id, shard_key=payment.shard_key, authorised_minor__gt=0
    )
    return sum(share.open_minor for share in shares)


def asked_minor(payment: Payment, order_id: int) -> int:
    """What of that the channel was asked to take, and has not answered."""
    asked = payment.captures.filter(
        order_id=order_id, status="requested", shard_key=payment.shard_key
    )
    return sum(asked.values_list("amount_minor", flat=True))


def attempt_id_of_ref(*, channels: Iterable[str], channel_ref: str) -> int | None:
    """The attempt whose money these channels know by that reference, where it has one."""
    told = ChannelFact.objects.filter(
        channel__in=list(channels),
        channel_ref=channel_ref,
        kind__in=(ChannelFact.Kind.AUTHORISED, ChannelFact.Kind.CAPTURED),
    )
    own = Coalesce("attempt_id", "capture__attempt_id")
    return told.order_by("pk").values_list(own, flat=True).first()


def left_of_order_minor(payments: Iterable[Payment], order_id: int) -> int:
    """What is here of an order's money: captured by these payments, and neither given back nor taken back by a bank."""
    ids = [payment.pk for payment in payments]
    shares = PaymentShare.objects.filter(payment__in=ids, order_id=order_id)
    return sum(share.left_minor for share in shares)


def disputed_orders(order_ids: Iterable[int]) -> set[int]:
    """Those of the orders about whose money a dispute is open."""
    ids = list(order_ids)
    shares = ChargebackShare.objects.filter(
        order_id__in=ids, shard_key__in={gene_of(id_) for id_ in ids}, chargeback__status="opened"
    )
    return set(shares.values_list("order_id", flat=True))


def is_secured(reference: int) -> bool:
    """True where every tender of an order group that is not closed is promised or here."""
    payments = Payment.objects.filter(reference=reference, shard_key=gene_of(reference))
    live = list(payments.exclude(status="closed"))
    return bool(live) and all(row.status == "captured" or promising_attempt(row) for row in live)


def channel_payment(payments: Iterable[Payment]) -> Payment:
    """Of the payments of an order group the one that a channel is asked for."""
    [payment] = [row for row in payments if row.tender == Payment.Tender.CHANNEL]
    return payment


def refundable_minor(payment: Payment, order_id: int) -> int:
    """What of one order's share of a payment can still go back; 0 before the capture."""
    return left_of_order_minor([payment], order_id)


def shares_of(payment: Payment) -> list[PaymentShare]:
    """What of a payment belongs to each order, the first one first."""
    rows = PaymentShare.objects.filter(payment=payment, shard_key=payment.shard_key)
    return list(rows.order_by("pk"))


def credit_minor(*, customer_id: int, shard_key: int, currency: str) -> int:
    """What store credit a customer has in a currency."""
    rows = CreditAccount.objects.filter(
        customer=customer_id, shard_key=shard_key, currency=currency
    )
    return rows.values_list("balance_minor", flat=True).first() or 0


def credit_spent_minor(reference: int) -> int:
    """What of an order group is paid with store credit, while that is not released."""
    spent = Payment.objects.filter(
        reference=reference,
        shard_key=gene_of(reference),
        tender=Payment.Tender.STORE_CREDIT,
        status="captured",
    )
    minor: int = spent.aggregate(minor=Sum("captured_minor", default=0))["minor"]
    return minor


def credits_of(*, customer_id: int, shard_key: int) -> list[CreditAccount]:
    """A customer's store credit, by currency."""
    rows = CreditAccount.objects.filter(customer=customer_id, shard_key=shard_key)
    return list(rows.order_by("currency"))


def credit_entries_of(
    *, customer_id: int, shard_key: int, before: int | None, most: int
) -> list[CreditEntry]:
    """What changed a customer's store credit, the newest first, from an entry on."""
    rows = CreditEntry.objects.filter(account__customer=customer_id, shard_key=shard_key)
    rows = rows.filter(pk__lt=before) if before else rows
    return list(rows.select_related("account").order_by("-pk")[:most])


def live_attempt(payment: Payment) -> Attempt | None:
    """The attempt of a payment whose outcome is not known yet; there is at most one."""
    return Attempt.objects.filter(
        payment=payment, shard_key=payment.shard_key, status__in=ATTEMPT.waiting
    ).first()


def promising_attempt(payment: Payment) -> Attempt | None:
    """The attempt whose promised money can still be taken."""
    attempts = Attempt.objects.filter(payment=payment, shard_key=payment.shard_key)
    return attempts.filter(PROMISES).first()


def is_captured_later(reference: int) -> bool:
    """True where money of an order group is, or was, only promised and taken as its goods move."""
    attempts = Attempt.objects.filter(payment__reference=reference, shard_key=gene_of(reference))
    return attempts.filter(PROMISES | Q(captures__isnull=False)).exists()


def open_attempts(payments: Iterable[Payment]) -> list[Attempt]:
    """The attempts of some payments that can still bring money, each with its payment.

    Their outcome is not known yet, or they have promised money that is not taken.
    """
    by_id = {payment.pk: payment for payment in payments}
    shard_keys = {payment.shard_key for payment in by_id.values()}
    rows = Attempt.objects.filter(payment__in=by_id, shard_key__in=shard_keys).filter(
        Q(status__in=ATTEMPT.waiting) | PROMISES
    )
    found = list(rows.order_by("pk"))
    for attempt in found:
        attempt.payment = by_id[attempt.payment_id]
    return found


def tried_references(references: Iterable[int]) -> set[int]:
    """Those of the order groups that somebody has tried to pay, however it ended."""
    given = list(references)
    payments = Payment.objects.filter(
        reference__in=given,
        shard_key__in={gene_of(reference) for reference in given},
        attempts__isnull=False,
    )
    return set(payments.values_list("reference", flat=True))


def unknown_attempt_ids(*, most: int) -> list[int]:
    """Attempts whose outcome the channel has owed us for too long, oldest first.

    Of a channel whose money takes days each is due for the length of a round, once in a quarter of
    an hour. A quarter of `most` is theirs, as far as they need it, so that neither they nor the
    others stand in each other's way.
    """
    rows, slow = Attempt.objects.filter(status="processing"), slow_channels()
    waiting = rows.filter(channel__in=slow).annotate(
        age_seconds=Extract(BusinessNow() - F("status_changed_at"), "epoch")
    )
    turn = waiting.annotate(turn_seconds=F("age_seconds") % SLOW_PACE.seconds).filter(
        age_seconds__gt=ASK.seconds, turn_seconds__lt=ASK.seconds
    )
    slow_ids = list(turn.order_by("status_changed_at").values_list("pk", flat=True)[: most // 4])
    return _unknown(rows.exclude(channel__in=slow), most - len(slow_ids)) + slow_ids


def unknown_refund_ids(*, most: int) -> list[int]:
    """Refunds whose outcome the channel has owed us for too long, oldest first; none by hand."""
    sent = Refund.objects.filter(status="sent")
    return _unknown(sent.exclude(attempt__channel__in=by_hand()), most)


def unknown_capture_ids(*, most: int) -> list[int]:
    """Captures whose outcome the channel has owed us for too long, oldest first."""
    return _unknown(Capture.objects.filter(status="requested"), most)


def promised_attempt_ids(*, most: int) -> list[int]:
    """Promises of money that waits for its goods, each once in six hours: has the channel let it go?

    A promise of cash at the door is nobody's to let go.
    """
    rows = Attempt.objects.filter(
        PROMISES, capture_at=CaptureAt.SHIPMENT, payment__status="authorised"
    ).annotate(age_seconds=Extract(BusinessNow() - F("status_changed_at"), "epoch"))
    turn = rows.annotate(turn_seconds=F("age_seconds") % PROMISE_PACE.seconds).filter(
        age_seconds__gt=ASK.seconds, turn_seconds__lt=ASK.seconds
    )
    return list(turn.order_by("status_changed_at").values_list("pk", flat=True)[:most])


def retriable_capture_ids(*, most: int) -> list[int]:
    """Failed captures that the clock asks for again: hour by hour, for three days."""
    rows = Capture.objects.filter(
        status="failed",
        tries__lt=MOST_TRIES,
        status_changed_at__lt=BusinessNow() - RETRY_AFTER,
        payment__status="authorised",
    )
    return list(rows.order_by("status_changed_at").values_list("pk", flat=True)[:most])


def _unknown(
    rows: QuerySet[Attempt] | QuerySet[Capture] | QuerySet[Refund], most: int
) -> list[int]:
    late = rows.filter(status_changed_at__lt=BusinessNow() - UNKNOWN_FOR)
    return list(late.order_by("status_changed_at").values_list("pk", flat=True)[:most])


def credits_by_order(
    *, shard_key: int, order_ids: Iterable[int], currency: str
) -> dict[int, dict[str, int]]:
    """Credit balances per order and account code: what the book still owes on an order's account."""
    balances: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    entries = LedgerEntry.objects.filter(
        shard_key=shard_key, order_id__in=list(order_ids), currency=currency
    )
    sums = entries.values_list("order_id", "account__code").annotate(Sum("amount_minor"))
    for order_id, code, debit_minor in sums:
        balances[order_id][code] = -debit_minor
    return balances


def split_by_order(*, shard_key: int, order_ids: Iterable[int]) -> dict[int, dict[str, int]]:
    """The credits per order and code that completions and refunds after them have left.

    Payouts and all else that happens to a merchant's money later are no part of it.
    """
    balances: dict[int, dict[str, int]] = defaultdict(dict)
    entries = LedgerEntry.objects.filter(
        shard_key=shard_key, order_id__in=list(order_ids), transaction__kind__in=SPLITTING
    ).exclude(account__code="escrow")
    sums = entries.values_list("order_id", "account__code").annotate(Sum("amount_minor"))
    for order_id, code, debit_minor in sums:
        balances[order_id][code] = -debit_minor
    return balances


def accruals_by_order(*, shard_key: int, order_ids: Iterable[int]) -> dict[int, Accrual]:
    """What the completion of each order moved on; none of an order that has not completed."""
    legs: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    entries = LedgerEntry.objects.filter(
        shard_key=shard_key,
        transaction__shard_key=shard_key,
        transaction__kind="completion",
        transaction__ref__in=[f"order:{order_id}" for order_id in order_ids],
    )
    rows = entries.order_by("pk").values_list("order_id", "account__code", "amount_minor")
    for order_id, code, amount_minor in rows:
        if order_id:
            legs[order_id][code].append(amount_minor)
    return {
        order_id: Accrual(
            goods_minor=sum(by_code["escrow"][:1]),
            delivery_minor=sum(by_code["escrow"][1:]),
            commission_minor=-sum(by_code["commission_income"]),
            commission_tax_minor=-sum(by_code["tax_payable"]),
            subsidy_minor=sum(by_code["voucher_cost"]),
        )
        for order_id, by_code in legs.items()
    }


def balance_minor(
    code: str, currency: str, *, order_id: int | None = None, merchant_id: int | None = None
) -> int:
    """The balance of an account, debit positive; of one order's or merchant's part where named."""
    entries = LedgerEntry.objects.filter(account_id=f"{code}:{currency}")
    if order_id is not None:
        entries = entries.filter(order_id=order_id)
    if merchant_id is not None:
        entries = entries.filter(merchant_id=merchant_id)
    balance: int = entries.aggregate(balance=Sum("amount_minor", default=0))["balance"]
    return balance


def attempts_of(reference: int) -> list[Attempt]:
    """The tries at paying an order group, the first one first; each carries the reading's `moment`."""
    rows = Attempt.objects.filter(payment__reference=reference, shard_key=gene_of(reference))
    return list(rows.annotate(moment=BusinessNow()).order_by("id"))


def captures_of(reference: int) -> list[Capture]:
    """What was taken, or is to be, of money that was promised for an order group, the first first."""
    rows = Capture.objects.filter(payment__reference=reference, shard_key=gene_of(reference))
    return list(rows.order_by("id"))


def refunds_of(reference: int) -> list[Refund]:
    """What goes back of an order group's payments, the first one first."""
    rows = Refund.objects.filter(payment__reference=reference, shard_key=gene_of(reference))
    return list(rows.order_by("id"))

"""What is read of the money; nothing here writes or locks."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Extract

from core.clock import BusinessNow
from core.ids import gene_of
from payments.channels.base import CaptureAt, slow_channels
from payments.models import (
    Attempt,
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
# The round in which channels are asked, and how often it is the turn of one whose money takes days.
PROMISES = Q(status="succeeded", is_excess=False) & ~Q(capture_at=CaptureAt.ONCE)
ASK, SLOW_PACE = timedelta(seconds=30), timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class MoneyOfReference:
    """The money of an order group, in minor units. What came twice and goes back is left out.

    `authorised_minor` is promised and not taken yet. A refund counts from its approval until it fails.
    """

    authorised_minor: int
    captured_minor: int
    refunded_minor: int


@dataclass(frozen=True, slots=True)
class Accrual:
    """What the completion of an order took out of escrow, and the commission on its goods.

    Where it was delivery alone it stands as goods, of which no commission was taken.
    """

    goods_minor: int
    delivery_minor: int
    commission_minor: int


def money_of(reference: int) -> MoneyOfReference:
    """What an order group's payments hold and have given back."""
    shares = PaymentShare.objects.filter(payment__reference=reference, shard_key=gene_of(reference))
    open_minor = F("amount_minor") - F("captured_minor") - F("voided_minor")
    sums = shares.aggregate(
        authorised=Sum(open_minor, filter=Q(payment__status="authorised"), default=0),
        captured=Sum("captured_minor", default=0),
        refunded=Sum("refunded_minor", default=0),
    )
    return MoneyOfReference(sums["authorised"], sums["captured"], sums["refunded"])


def refundable_minor(payment: Payment, order_id: int) -> int:
    """What of one order's share of a payment can still go back; 0 before the capture."""
    shares = PaymentShare.objects.filter(
        payment=payment, order_id=order_id, shard_key=payment.shard_key
    )
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
    """Refunds whose outcome the channel has owed us for too long, oldest first."""
    return _unknown(Refund.objects.filter(status="sent"), most)


def _unknown(rows: QuerySet[Attempt] | QuerySet[Refund], most: int) -> list[int]:
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
            goods_minor=by_code["escrow"][0],
            delivery_minor=sum(by_code["escrow"][1:]),
            commission_minor=-sum(by_code["commission_income"]),
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


def refunds_of(reference: int) -> list[Refund]:
    """What goes back of an order group's payments, the first one first."""
    rows = Refund.objects.filter(payment__reference=reference, shard_key=gene_of(reference))
    return list(rows.order_by("id"))

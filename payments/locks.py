"""The locks on money; `orders/locks.py` tells the global order.

Whatever happens to an attempt or a refund happens under its payment's lock, which is taken first;
whatever happens to a statement or a payout, under its merchant's.
"""

from collections.abc import Collection

from django.utils.translation import gettext_lazy as _

from accounts.models import Merchant
from core.errors import NotFound
from core.ids import gene_of
from core.locks import locked
from payments.models import Attempt, Capture, Difference, Payment, Payout, Refund, Statement


def lock_payments(*, reference: int) -> list[Payment]:
    """All payments of an order group, locked, by id."""
    return lock_payments_of([reference])


def lock_payments_of(references: Collection[int]) -> list[Payment]:
    """All payments of some order groups, locked, by id."""
    shard_keys = {gene_of(reference) for reference in references}
    return locked(Payment.objects.filter(reference__in=references, shard_key__in=shard_keys))


def lock_attempt(attempt_id: int) -> Attempt:
    """An attempt behind its payment, both locked. Raises NotFound `attempt.unknown`."""
    shard_key = gene_of(attempt_id)
    for payment in locked(Payment.objects.filter(attempts__id=attempt_id, shard_key=shard_key)):
        [attempt] = locked(Attempt.objects.filter(pk=attempt_id, shard_key=shard_key))
        attempt.payment = payment
        return attempt
    raise NotFound("attempt.unknown", _("There is no such attempt."), id=str(attempt_id))


def lock_capture(capture_id: int) -> Capture:
    """A capture behind its payment, both locked. Raises NotFound `capture.unknown`."""
    shard_key = gene_of(capture_id)
    for payment in locked(Payment.objects.filter(captures__id=capture_id, shard_key=shard_key)):
        [capture] = locked(
            Capture.objects.filter(pk=capture_id, shard_key=shard_key).select_related("attempt")
        )
        capture.payment = payment
        return capture
    raise NotFound("capture.unknown", _("There is no such capture."), id=str(capture_id))


def lock_refund(refund_id: int) -> Refund:
    """A refund behind its payment, both locked. Raises NotFound `refund.unknown`."""
    shard_key = gene_of(refund_id)
    for payment in locked(Payment.objects.filter(refunds__id=refund_id, shard_key=shard_key)):
        [refund] = locked(
            Refund.objects.filter(pk=refund_id, shard_key=shard_key).select_related("attempt")
        )
        refund.payment = payment
        return refund
    raise NotFound("refund.unknown", _("There is no such refund."), id=str(refund_id))


def lock_payee(merchant_id: int) -> Merchant:
    """The merchant whose account is drawn up or paid out. Raises NotFound `merchant.unknown`."""
    for merchant in locked(Merchant.objects.filter(pk=merchant_id)):
        return merchant
    raise NotFound("merchant.unknown", _("There is no such merchant."), id=str(merchant_id))


def lock_statement(statement_id: int) -> Statement:
    """A statement behind its merchant, both locked. Raises NotFound `statement.unknown`."""
    rows = Statement.objects.filter(pk=statement_id, shard_key=gene_of(statement_id))
    for merchant_id in rows.values_list("merchant_id", flat=True):
        merchant = lock_payee(merchant_id)
        [statement] = locked(rows)
        statement.merchant = merchant
        return statement
    raise NotFound("statement.unknown", _("There is no such statement."), id=str(statement_id))


def lock_payout(payout_id: int) -> Payout:
    """A payout behind its merchant, both locked. Raises NotFound `payout.unknown`."""
    rows = Payout.objects.filter(pk=payout_id, shard_key=gene_of(payout_id))
    for merchant_id in rows.values_list("merchant_id", flat=True):
        merchant = lock_payee(merchant_id)
        [payout] = locked(rows.select_related("account"))
        payout.merchant = merchant
        return payout
    raise NotFound("payout.unknown", _("There is no such payout."), id=str(payout_id))


def lock_difference(difference_id: int) -> Difference:
    """A difference between a channel and us, locked. Raises NotFound `difference.unknown`."""
    rows = Difference.objects.filter(pk=difference_id, shard_key=gene_of(difference_id))
    for difference in locked(rows):
        return difference
    raise NotFound("difference.unknown", _("There is no such difference."), id=str(difference_id))

"""The locks on money. `orders/locks.py` tells the global order: payments, attempts, captures, refunds,
transfers by hand, lines of the bank's statements.

Whatever happens to an attempt or a refund happens under its payment's lock, which is taken first.
"""

from collections.abc import Collection

from django.utils.translation import gettext_lazy as _

from core.errors import NotFound
from core.ids import gene_of
from core.locks import locked
from payments.models import Attempt, Capture, LineMatch, ManualTransfer, Payment, Refund
from payments.models.bank import BANK_GENE


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


def lock_transfer(transfer_id: int) -> ManualTransfer:
    """A transfer by hand, behind the refund that it sends; all locked. Raises NotFound."""
    shard_key = gene_of(transfer_id)
    rows = ManualTransfer.objects.filter(pk=transfer_id, shard_key=shard_key)
    for refund_id in rows.values_list("refund_id", flat=True):
        refund = lock_refund(refund_id) if refund_id else None
        [transfer] = locked(rows)
        transfer.refund = refund
        return transfer
    raise NotFound("transfer.unknown", _("There is no such transfer."), id=str(transfer_id))


def lock_line_match(match_id: int) -> LineMatch:
    """What became of a line of a statement, locked. Raises NotFound."""
    rows = LineMatch.objects.filter(pk=match_id, shard_key=BANK_GENE)
    for match in locked(rows.select_related("line")):
        return match
    raise NotFound("line_match.unknown", _("There is no such line."), id=str(match_id))


def lock_resting(attempt_id: int) -> list[LineMatch]:
    """The lines that rest for a locked attempt, locked."""
    rows = LineMatch.objects.filter(attempt_id=attempt_id, status="resting", shard_key=BANK_GENE)
    return locked(rows.select_related("line"))

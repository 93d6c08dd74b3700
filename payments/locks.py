"""The locks on money; `orders/locks.py` tells the global order.

Whatever happens to an attempt or a refund happens under its payment's lock, which is taken first;
whatever happens to a statement or a payout, under its merchant's. A payment by store credit comes
into being under its group's lock, and changes behind the lock of the payment that a channel is
asked for.
"""

from collections.abc import Collection

from django.utils.translation import gettext_lazy as _

from accounts.models import Merchant
from core.errors import NotFound
from core.ids import gene_of
from core.locks import locked, require_locked
from payments.models import (
    Attempt,
    Capture,
    Chargeback,
    CreditAccount,
    Difference,
    LineMatch,
    ManualTransfer,
    Payment,
    Payout,
    Refund,
    Statement,
)
from payments.models.bank import BANK_GENE


def lock_payments(*, reference: int) -> list[Payment]:
    """All payments of an order group, locked, by id."""
    return lock_payments_of([reference])


def lock_payments_of(references: Collection[int]) -> list[Payment]:
    """All payments of some order groups, locked, by id; then the store credit that paid."""
    shard_keys = {gene_of(reference) for reference in references}
    found = locked(Payment.objects.filter(reference__in=references, shard_key__in=shard_keys))
    _lock_accounts_of(found)
    return found


def lock_chargeback(*, attempt: Attempt, channel_ref: str) -> Chargeback | None:
    """The dispute of a locked attempt's money that has this reference, locked; None so far."""
    require_locked(attempt)
    rows = Chargeback.objects.filter(
        attempt=attempt, channel_ref=channel_ref, shard_key=attempt.shard_key
    )
    for chargeback in locked(rows):
        chargeback.payment, chargeback.attempt = attempt.payment, attempt
        return chargeback
    return None


def lock_credit_beside(attempt: Attempt) -> Payment | None:
    """The payment by store credit that was to make up a locked attempt's amount, with its account.

    It came to be before the attempt's own lock was taken, so this statement sees it.
    """
    require_locked(attempt.payment)
    rows = Payment.objects.filter(beside=attempt, shard_key=attempt.shard_key)
    for credit in locked(rows):
        _lock_accounts_of([credit])
        return credit
    return None


def lock_credit(*, customer_id: int, shard_key: int, currency: str) -> CreditAccount:
    """A customer's store credit in a currency, locked; it comes into being where it is needed."""
    named = {"customer_id": customer_id, "currency": currency, "shard_key": shard_key}
    if not CreditAccount.objects.filter(**named).exists():
        new = CreditAccount.build(shard_key, customer_id=customer_id, currency=currency)
        CreditAccount.objects.bulk_create([new], ignore_conflicts=True)
    [account] = locked(CreditAccount.objects.filter(**named))
    return account


def _lock_accounts_of(payments: Collection[Payment]) -> None:
    """No two transactions that give back credit wait in a ring for an account and a stream."""
    ids = {payment.credit_account_id for payment in payments if payment.credit_account_id}
    if not ids:
        return
    shard_keys = {payment.shard_key for payment in payments}
    accounts = locked(CreditAccount.objects.filter(pk__in=ids, shard_key__in=shard_keys))
    by_id = {account.pk: account for account in accounts}
    for payment in payments:
        if payment.credit_account_id:
            payment.credit_account = by_id[payment.credit_account_id]


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


def lock_refunds(*, payments: Collection[Payment], request_keys: Collection[str]) -> list[Refund]:
    """The refunds of locked payments that have these request keys, locked by id."""
    by_id = {payment.pk: payment for payment in payments}
    rows = Refund.objects.filter(
        payment__in=by_id,
        request_key__in=request_keys,
        shard_key__in={payment.shard_key for payment in payments},
    )
    found = locked(rows)
    for refund in found:
        refund.payment = by_id[refund.payment_id]
        refund.credit_account = refund.payment.credit_account
    return found


def lock_refund(refund_id: int) -> Refund:
    """A refund behind its payment, both locked. Raises NotFound `refund.unknown`."""
    shard_key = gene_of(refund_id)
    for payment in locked(Payment.objects.filter(refunds__id=refund_id, shard_key=shard_key)):
        [refund] = locked(
            Refund.objects.filter(pk=refund_id, shard_key=shard_key).select_related("attempt")
        )
        refund.payment = payment
        _lock_accounts_of([payment])
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

"""The locks on money: payments, attempts, captures, refunds, chargebacks, store credit (`orders/locks.py`).

Whatever happens to an attempt or a refund happens under its payment's lock, which is taken first. A
payment by store credit comes into being under its group's lock, and changes behind the lock of the
payment that a channel is asked for.
"""

from collections.abc import Collection

from django.utils.translation import gettext_lazy as _

from core.errors import NotFound
from core.ids import gene_of
from core.locks import locked, require_locked
from payments.models import Attempt, Capture, Chargeback, CreditAccount, Payment, Refund


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

"""All money: payments and attempts, refunds, the ledger, what channels list of it."""

from payments.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction
from payments.models.payment import Attempt, ChannelFact, Payment, PaymentShare
from payments.models.reconcile import (
    ChannelRecord,
    Difference,
    DifferenceResolution,
    ReconciliationDay,
    ReconciliationRun,
    ReconciliationTotal,
)
from payments.models.refund import Refund, RefundShare

__all__ = [
    "Attempt",
    "ChannelFact",
    "ChannelRecord",
    "Difference",
    "DifferenceResolution",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerTransaction",
    "Payment",
    "PaymentShare",
    "ReconciliationDay",
    "ReconciliationRun",
    "ReconciliationTotal",
    "Refund",
    "RefundShare",
]

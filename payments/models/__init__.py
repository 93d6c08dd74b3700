"""All money: payments and attempts, store credit, refunds, chargebacks, the ledger."""

from payments.models.chargeback import Chargeback, ChargebackShare
from payments.models.credit import CreditAccount, CreditEntry
from payments.models.fact import ChannelFact
from payments.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction
from payments.models.payment import Attempt, Capture, Payment, PaymentShare
from payments.models.refund import Refund, RefundShare

__all__ = [
    "Attempt",
    "Capture",
    "ChannelFact",
    "Chargeback",
    "ChargebackShare",
    "CreditAccount",
    "CreditEntry",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerTransaction",
    "Payment",
    "PaymentShare",
    "Refund",
    "RefundShare",
]

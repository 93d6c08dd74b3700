"""Giving money back by hand in the consoles."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.actors import Actor
from accounts.consoles import ReasonForm
from core.errors import DomainError
from core.money import InvalidAmount, Money, parse
from orders.admin.acts import OrderAct
from orders.admin.page import refundable_minor_of
from orders.admin.words import amount
from orders.models import Order
from orders.services.refund import order_refund


class RefundForm(ReasonForm):
    """How much, in the order's currency, and why."""

    amount = forms.CharField(
        label=gettext_lazy("Amount"), max_length=30, widget=UnfoldAdminTextInputWidget
    )
    field_order = ["amount", "reason"]

    def __init__(self, row: Order, *args: Any, **kwargs: Any) -> None:
        super().__init__(row, *args, **kwargs)
        self.currency = row.currency
        left = Money(refundable_minor_of(row), row.currency)
        self.fields["amount"].initial = left.decimal_text()
        self.fields["amount"].help_text = _("At most %(amount)s.") % {
            "amount": amount(left.amount_minor, row.currency)
        }

    def clean_amount(self) -> int:
        """In minor units."""
        try:
            return parse(self.cleaned_data["amount"].strip(), self.currency).amount_minor
        except InvalidAmount:
            raise ValidationError(_("Enter an amount such as 9.50.")) from None


class Refund(OrderAct):
    verb = "refund"
    title = gettext_lazy("Refund")
    form_class = RefundForm
    is_grave = True

    def has_effect(self, row: Order) -> bool:
        return refundable_minor_of(row) > 0

    def preview(self, row: Order) -> list[str]:
        """What the service itself says of all that is left."""
        left_minor = refundable_minor_of(row)
        try:
            told = order_refund(
                order_id=row.id,
                amount_minor=left_minor,
                reason="",
                request_key="preview",
                actor=Actor(self.role, "preview"),
                dry_run=True,
            )
        except DomainError as refusal:
            return [str(refusal.message)]
        words = {
            "amount": amount(told.amount_minor, told.currency),
            "merchant": amount(told.merchant_minor, told.currency),
            "fee": amount(told.fee_minor, told.currency),
        }
        return [
            _("%(amount)s of what was paid for this order is still there.") % words,
            _(
                "Of all of it the buyer gets %(amount)s, the merchant pays %(merchant)s,"
                " and the platform gives back a fee of %(fee)s."
            )
            % words,
            _("What you enter goes back to where it was paid from. The stock stays as it is."),
        ]

    def do(self, row: Order, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        refund = order_refund(
            order_id=row.id,
            amount_minor=fields["amount"],
            reason=fields["reason"],
            request_key=token,
            actor=actor,
        )
        told = amount(refund.amount_minor, refund.currency)
        if refund.waits:
            return _("%(amount)s waits for somebody else to approve it.") % {"amount": told}
        return _("%(amount)s is on its way back to the buyer.") % {"amount": told}
